#include "cmd/keywright-keeper/vault_unlock.h"

#include "crypto/aead.h"
#include "os/files.h"
#include "os/rng.h"
#include "rot/rot.h"

enum { PASSPHRASE_MIN = 8, PASSPHRASE_MAX = 1024 };

/* Read a passphrase file; line ends at its end do not count. */
static kw_status read_passphrase(struct kw_op *op, const char *path, struct kw_secret **ret)
{
    AUTO(kw_secret) *text = NULL;

    TRY(op, os_file_read_secret(op, path, PASSPHRASE_MAX, &text), "passphrase file");
    size_t len = kw_secret_len(text);
    const uint8_t *octets = kw_secret_data(text);
    while (len > 0 && (octets[len - 1] == '\n' || octets[len - 1] == '\r')) {
        len--;
    }
    kw_secret_trim(text, len);
    ENSURE(op, len >= PASSPHRASE_MIN, KW_E_INPUT,
           "passphrase file '%s' holds %zu characters, at least %d are needed", path, len,
           PASSPHRASE_MIN);
    *ret = TAKE(text);
    return KW_OK;
}

static kw_status derive(struct kw_op *op, const char *path, const struct vault_header *header,
                        struct kw_secret **ret)
{
    AUTO(kw_secret) *passphrase = NULL;

    TRY(op, read_passphrase(op, path, &passphrase));
    return kdf_scrypt(op, passphrase, KW_SPAN_ARRAY(header->salt), header->cost, AEAD_KEY_BYTES,
                      ret);
}

static kw_status wrap_passphrase(struct kw_op *op, const char *path, struct vault_header *header,
                                 const struct kw_secret *kek, struct kw_bytes **ret)
{
    AUTO(kw_secret) *key = NULL;
    uint8_t octets[VAULT_HEADER_MAX];
    struct kw_out head = KW_OUT_ARRAY(octets);

    TRY(op, os_random(op, header->salt, sizeof(header->salt)));
    header->cost = KDF_SCRYPT_DEFAULT;
    TRY(op, derive(op, path, header, &key));
    TRY(op, vault_header_encode_head(header, &head));
    return aead_seal(op, key, kw_out_span(&head), kw_secret_span(kek), ret);
}

static kw_status open_passphrase(struct kw_op *op, const char *path,
                                 const struct vault_header *header, struct kw_span head,
                                 struct kw_secret **ret)
{
    AUTO(kw_secret) *key = NULL;

    TRY(op, derive(op, path, header, &key));
    kw_status status = aead_open(op, key, head, header->sealed_kek, ret);
    if (status.code == KW_E_INTEGRITY) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "the passphrase is wrong (or the file 'vault' was altered)");
    }
    return status;
}

static kw_status wrap_tpm2(struct kw_op *op, const char *uri, struct vault_header *header,
                           const struct kw_secret *kek, struct kw_bytes **ret)
{
    AUTO(rot) *rot = NULL;

    (void)header; /* nothing but the method */
    TRY(op, rot_open(op, uri, &rot), "opening the TPM");
    return rot_seal(op, rot, kek, ret);
}

static kw_status open_tpm2(struct kw_op *op, const char *uri, const struct vault_header *header,
                           struct kw_span head, struct kw_secret **ret)
{
    AUTO(rot) *rot = NULL;

    (void)head; /* the id in it salts every key below, so another vault's KEK opens nothing */
    TRY(op, rot_open(op, uri, &rot), "opening the TPM");
    kw_status status = rot_unseal(op, rot, header->sealed_kek, ret);
    if (status.code == KW_E_INTEGRITY) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED,
                    "this TPM does not open the vault (another TPM, or 'vault' was altered)");
    }
    return status;
}

/* The methods: how the option begins, and what the two directions get of it. */
static const struct method {
    const char *prefix;
    bool keep_prefix; /* the whole option is a root-of-trust URI */
    enum vault_method method;
    kw_status (*wrap)(struct kw_op *op, const char *param, struct vault_header *header,
                      const struct kw_secret *kek, struct kw_bytes **ret);
    kw_status (*open)(struct kw_op *op, const char *param, const struct vault_header *header,
                      struct kw_span head, struct kw_secret **ret);
} methods[] = {
    {"passphrase-file:", false, VAULT_PASSPHRASE, wrap_passphrase, open_passphrase},
    {"tpm2:",            true,  VAULT_TPM2,       wrap_tpm2,       open_tpm2      },
};

static kw_status find_method(struct kw_op *op, const char *unlock, const struct method **ret,
                             const char **ret_param)
{
    for (size_t i = 0; i < KW_COUNT(methods); i++) {
        size_t n = strlen(methods[i].prefix);
        if (strncmp(unlock, methods[i].prefix, n) == 0) {
            *ret = &methods[i];
            *ret_param = methods[i].keep_prefix ? unlock : unlock + n;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "unknown unlock method; use passphrase-file:PATH or tpm2:...");
}

kw_status unlock_wrap(struct kw_op *op, const char *unlock, struct vault_header *header,
                      const struct kw_secret *kek, struct kw_bytes **ret)
{
    const struct method *method = NULL;
    const char *param = NULL;

    TRY(op, find_method(op, unlock, &method, &param));
    header->method = method->method;
    return method->wrap(op, param, header, kek, ret);
}

kw_status unlock_open(struct kw_op *op, const char *unlock, const struct vault_header *header,
                      struct kw_span head, struct kw_secret **ret)
{
    AUTO(kw_secret) *kek = NULL;
    const struct method *method = NULL;
    const char *param = NULL;

    TRY(op, find_method(op, unlock, &method, &param));
    ENSURE(op, method->method == header->method, KW_E_DENIED,
           "this vault is opened by %s..., not by %s...",
           header->method == VAULT_TPM2 ? "tpm2:" : "passphrase-file:", method->prefix);
    TRY(op, method->open(op, param, header, head, &kek));
    ENSURE(op, kw_secret_len(kek) == VAULT_KEK_BYTES, KW_E_INTEGRITY,
           "the vault's key has the wrong length");
    *ret = TAKE(kek);
    return KW_OK;
}
