#include "rot/soft/kek.h"

#include <openssl/rand.h>

#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/openssl.h"
#include "os/files.h"

enum { KEK_BYTES = 32, KEK_FILE_MAX = 256 }; /* a longer file is read only to say so */

static kw_status make(struct kw_op *op, const char *path)
{
    AUTO(kw_secret) *kek = NULL;

    TRY(op, kw_secret_new(KEK_BYTES, &kek));
    OSSL_ENSURE(op, RAND_priv_bytes(kw_secret_data(kek), KEK_BYTES) == 1, KW_E_UNAVAILABLE,
                "drawing the key-encrypting key");
    TRY(op, os_file_write(op, path, 0600, kw_secret_span(kek)));
    return KW_OK;
}

static kw_status derive(struct kw_op *op, const struct kw_secret *kek, const char *purpose,
                        struct kw_secret **ret)
{
    TRY(op, kdf_hkdf_sha256(op, kek, KW_SPAN(NULL, 0), kw_span_text(purpose), AEAD_KEY_BYTES, ret));
    return KW_OK;
}

kw_status soft_kek_open(struct kw_op *op, const char *path, bool may_make, struct soft_kek *ret)
{
    AUTO(kw_secret) *kek = NULL;
    AUTO(kw_secret) *for_keys = NULL;

    if (!os_file_exists(path)) {
        ENSURE(op, may_make, KW_E_INTEGRITY, "'%s' is missing, the keys sealed under it are lost",
               path);
        TRY(op, make(op, path), "making '%s'", path);
    }
    TRY(op, os_file_read_secret(op, path, KEK_FILE_MAX, &kek));
    ENSURE(op, kw_secret_len(kek) == KEK_BYTES, KW_E_INTEGRITY, "'%s' is not %d octets", path,
           KEK_BYTES);
    TRY(op, derive(op, kek, "keywright soft key file v1", &for_keys));
    TRY(op, derive(op, kek, "keywright soft sealed secret v1", &ret->for_seals));
    ret->for_keys = TAKE(for_keys);
    return KW_OK;
}

void soft_kek_done(struct soft_kek *kek)
{
    kw_secret_free(kek->for_keys);
    kw_secret_free(kek->for_seals);
    *kek = (struct soft_kek){0};
}
