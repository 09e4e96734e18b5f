/*
 * Has the keeper sign a firmware image's digest, with people's approval, for tests/interop:
 *   probe_firmware DIGEST-FILE VERSION COUNTER PUBLIC-PEM SIGNATURE-BASE64
 */
#include <stdlib.h>

#include "base/b64.h"
#include "base/hex.h"
#include "base/pem.h"
#include "hostile/keeper/rig_purposes.h"
#include "os/files.h"

static void write_pem(const char *path)
{
    AUTO(kw_bytes) *pem = NULL;

    assert_ok(kw_bytes_new(1024, &pem));
    assert_ok(kw_pem_encode("PUBLIC KEY", pubkey_spki(purpose_public[PURPOSE_FIRMWARE]), pem));
    assert_ok(os_file_write(NULL, path, 0600, kw_bytes_span(pem)));
}

int main(int argc, char *argv[])
{
    AUTO(kw_bytes) *digest = NULL;
    AUTO(kw_bytes) *base64 = NULL;
    char hash[2 * KW_HASH_BYTES + 1];
    char text[2048];

    if (argc != 6) {
        return EXIT_FAILURE;
    }
    assert_ok(os_file_read(NULL, argv[1], KW_HASH_BYTES, &digest));
    (void)kw_hex(kw_bytes_span(digest), hash, sizeof(hash));
    (void)purpose_setup(NULL);
    (void)snprintf(text, sizeof(text), "%s", purpose_release(argv[2], argv[3], hash));
    struct keeper_reply reply = purpose_firmware("firmware", text, purpose_approve(text));
    struct keeper_answer answer = purpose_good(KEEPER_ROW_SIGN_FIRMWARE, &reply);
    assert_ok(kw_bytes_new(1024, &base64));
    assert_ok(kw_b64_encode(answer.octets, 0, base64));
    assert_ok(os_file_write(NULL, argv[5], 0600, kw_bytes_span(base64)));
    write_pem(argv[4]);
    return purpose_teardown(NULL);
}
