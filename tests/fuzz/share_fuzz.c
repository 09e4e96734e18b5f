/* Shares as people type them, with bars between: joining ends in a secret or in a reason. */
#include <assert.h>

#include "crypto/share.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct typed {
    struct kw_secret *line[KW_SHARES_MAX];
    unsigned n;
};

static void typed_done(struct typed *typed)
{
    for (unsigned i = 0; i < typed->n; i++) {
        kw_secret_free(typed->line[i]);
    }
}

static void read_lines(struct kw_span rest, struct typed *ret)
{
    while (rest.len > 0 && ret->n < KW_SHARES_MAX) {
        const uint8_t *end = memchr(rest.p, '|', rest.len);
        size_t len = end ? (size_t)(end - rest.p) : rest.len;
        bool copied = kw_ok(kw_secret_copy(KW_SPAN(rest.p, len), &ret->line[ret->n]));
        assert(copied);
        ret->n++;
        rest = kw_span_sub(rest, len + (end ? 1 : 0), rest.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    __attribute__((cleanup(typed_done))) struct typed typed = {0};
    AUTO(kw_secret) *secret = NULL;
    const struct kw_secret *shares[KW_SHARES_MAX];
    struct kw_op op;

    read_lines(KW_SPAN(data, size), &typed);
    for (unsigned i = 0; i < typed.n; i++) {
        shares[i] = typed.line[i];
    }
    kw_op_init(&op, "fuzz", 0);
    bool joined = kw_ok(share_join(&op, shares, typed.n, &secret));
    assert(joined == (secret != NULL));
    assert(joined || kw_op_cause(&op)[0] != '\0');
    assert(!joined || kw_secret_len(secret) == SHARE_SECRET_BYTES);
    return 0;
}
