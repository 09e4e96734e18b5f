/* YAML by field table: never harms, and what decodes can be written as JSON and read back. */
#include <assert.h>

#include "../unit/codec/sample.h"
#include "codec/json.h"
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/*
 * libfyaml 0.7.12 loses half a kilobyte for a scalar with many doubled quotes (fy_atom_iter). Files
 * of operators are read once at start, so it stays; our own leaks show in
 * tests/unit/codec/test_yaml.c.
 */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample first = {0};
    struct sample second = {0};
    struct kw_op op;
    char message[KW_OP_TEXT_MAX * KW_OP_FRAMES_MAX];
    AUTO(kw_bytes) *text = NULL;

    kw_op_init(&op, NULL, 0);
    if (!kw_ok(codec_yaml_decode(&op, KW_SPAN(data, size), sample_fields, KW_COUNT(sample_fields),
                                 &first))) {
        assert(kw_op_message(&op, message, sizeof(message))[0] != '\0');
        return 0;
    }
    bool same =
        kw_ok(kw_bytes_new(0, &text)) &&
        kw_ok(codec_json_encode(&op, sample_fields, KW_COUNT(sample_fields), &first, text)) &&
        kw_ok(codec_json_decode(&op, kw_bytes_span(text), sample_fields, KW_COUNT(sample_fields),
                                &second));
    assert(same);
    return 0;
}
