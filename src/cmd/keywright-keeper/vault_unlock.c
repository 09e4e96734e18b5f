#include "cmd/keywright-keeper/vault_unlock.h"

#include "base/hex.h"
#include "crypto/aead.h"
#include "keeper/opening.h"
#include "os/files.h"
#include "os/rng.h"
#include "rot/rot.h"

enum { PASSPHRASE_MIN = 8, PASSPHRASE_MAX = 1024 };

void opener_done(struct opener *opener)
{
    kw_secret_free(opener->wrapping);
    *opener = (struct opener){0};
}

/* --- passphrases ------------------------------------------------------------------------------ */

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

kw_status opener_passphrase(struct kw_op *op, const struct kw_secret *passphrase,
                            const struct vault_slot *slot, struct opener *ret)
{
    AUTO_OPENER opener = {.slot = *slot};
    size_t len = kw_secret_len(passphrase);

    ENSURE(op, slot->method == VAULT_PASSPHRASE, KW_E_DENIED,
           "this vault is opened by %s, not by a passphrase", vault_method_text(slot->method));
    ENSURE(op, len >= PASSPHRASE_MIN && len <= PASSPHRASE_MAX, KW_E_INPUT,
           "a passphrase has %d to %d characters", PASSPHRASE_MIN, PASSPHRASE_MAX);
    TRY(op, kdf_scrypt(op, passphrase, KW_SPAN_ARRAY(slot->salt), slot->cost, AEAD_KEY_BYTES,
                       &opener.wrapping));
    *ret = opener;
    opener = (struct opener){0};
    return KW_OK;
}

kw_status opener_new_passphrase(struct kw_op *op, const struct kw_secret *passphrase,
                                struct opener *ret)
{
    struct vault_slot slot = {.method = VAULT_PASSPHRASE, .cost = KDF_SCRYPT_DEFAULT};

    TRY(op, os_random(op, slot.salt, sizeof(slot.salt)));
    return opener_passphrase(op, passphrase, &slot, ret);
}

static kw_status new_by_file(struct kw_op *op, const char *path, struct opener *ret)
{
    AUTO(kw_secret) *passphrase = NULL;

    TRY(op, read_passphrase(op, path, &passphrase));
    return opener_new_passphrase(op, passphrase, ret);
}

static kw_status for_by_file(struct kw_op *op, const char *path, const struct vault_slot *slot,
                             struct opener *ret)
{
    AUTO(kw_secret) *passphrase = NULL;

    TRY(op, read_passphrase(op, path, &passphrase));
    return opener_passphrase(op, passphrase, slot, ret);
}

/* --- shares ----------------------------------------------------------------------------------- */

kw_status opener_new_shares(struct kw_op *op, unsigned m, unsigned n,
                            struct kw_secret *ret_shares[], struct opener *ret)
{
    AUTO_OPENER opener = {
        .slot = {.method = VAULT_SHARES, .m = (uint8_t)m, .n = (uint8_t)n}
    };
    struct kw_out set = KW_OUT_ARRAY(opener.slot.set);
    struct share_info info;

    TRY(op, kw_secret_new(SHARE_SECRET_BYTES, &opener.wrapping));
    TRY(op, os_random(op, kw_secret_data(opener.wrapping), SHARE_SECRET_BYTES));
    TRY(op, share_split(op, opener.wrapping, m, n, ret_shares));
    TRY(op, share_check(op, ret_shares[0], &info));
    TRY(op, kw_unhex(info.set, &set));
    *ret = opener;
    opener = (struct opener){0};
    return KW_OK;
}

kw_status opener_shares(struct kw_op *op, const struct kw_secret *const shares[], unsigned n,
                        const struct vault_slot *slot, struct opener *ret)
{
    AUTO_OPENER opener = {.slot = *slot};
    char set[2 * SHARE_SET_BYTES + 1];
    struct share_info info;

    ENSURE(op, slot->method == VAULT_SHARES, KW_E_DENIED,
           "this vault is opened by %s, not by shares", vault_method_text(slot->method));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, share_check(op, shares[i], &info));
        ENSURE(op, strcmp(info.set, kw_hex(KW_SPAN_ARRAY(slot->set), set, sizeof(set))) == 0,
               KW_E_INPUT, "the share is of set %s, this vault's shares are of set %s", info.set,
               set);
    }
    TRY(op, share_join(op, shares, n, &opener.wrapping));
    *ret = opener;
    opener = (struct opener){0};
    return KW_OK;
}

kw_status unlock_shares(struct kw_op *op, const char *unlock, unsigned *ret_m, unsigned *ret_n)
{
    ENSURE(op, opening_shares(unlock, ret_m, ret_n), KW_E_INPUT,
           "shares:M,N needs 2 <= M <= N <= %d", KW_SHARES_MAX);
    return KW_OK;
}

/* --- the methods ------------------------------------------------------------------------------ */

static kw_status asked(struct kw_op *op)
{
    return FAIL(op, KW_E_UNAVAILABLE, "the vault is sealed: open it with 'keywright vault open'");
}

static kw_status new_asked(struct kw_op *op, const char *param, struct opener *ret)
{
    (void)param;
    (void)ret;
    return asked(op);
}

static kw_status for_asked(struct kw_op *op, const char *param, const struct vault_slot *slot,
                           struct opener *ret)
{
    (void)param;
    (void)slot;
    (void)ret;
    return asked(op);
}

static kw_status take_uri(struct kw_op *op, const char *uri, enum vault_method method,
                          struct opener *ret)
{
    *ret = (struct opener){.slot = {.method = method}};
    ENSURE(op, KW_TEXT_SET(ret->uri, uri), KW_E_TOO_LARGE, "the unlock method is too long");
    return KW_OK;
}

static kw_status new_tpm2(struct kw_op *op, const char *uri, struct opener *ret)
{
    return take_uri(op, uri, VAULT_TPM2, ret);
}

static kw_status for_tpm2(struct kw_op *op, const char *uri, const struct vault_slot *slot,
                          struct opener *ret)
{
    (void)slot; /* has no parameters */
    return take_uri(op, uri, VAULT_TPM2, ret);
}

static kw_status new_pkcs11(struct kw_op *op, const char *uri, struct opener *ret)
{
    return take_uri(op, uri, VAULT_PKCS11, ret);
}

static kw_status for_pkcs11(struct kw_op *op, const char *uri, const struct vault_slot *slot,
                            struct opener *ret)
{
    (void)slot; /* has no parameters */
    return take_uri(op, uri, VAULT_PKCS11, ret);
}

/* How the option begins, and what is made of it. */
static const struct method {
    const char *prefix;
    bool keep_prefix; /* the whole option is a root-of-trust URI */
    bool asks;
    enum vault_method method;
    kw_status (*fresh)(struct kw_op *op, const char *param, struct opener *ret);
    kw_status (*for_slot)(struct kw_op *op, const char *param, const struct vault_slot *slot,
                          struct opener *ret);
} methods[] = {
    /* clang-format off */
    {"passphrase-file:", false, false, VAULT_PASSPHRASE, new_by_file, for_by_file},
    {"passphrase:",      false, true,  VAULT_PASSPHRASE, new_asked,   for_asked  },
    {"shares:",          false, true,  VAULT_SHARES,     new_asked,   for_asked  },
    {"tpm2:",            true,  false, VAULT_TPM2,       new_tpm2,    for_tpm2   },
    {"pkcs11:",          true,  false, VAULT_PKCS11,     new_pkcs11,  for_pkcs11 },
    /* clang-format on */
};

static const struct method *method_of(const char *unlock)
{
    for (size_t i = 0; i < KW_COUNT(methods); i++) {
        if (strncmp(unlock, methods[i].prefix, strlen(methods[i].prefix)) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

static const char *param_of(const struct method *method, const char *unlock)
{
    return method->keep_prefix ? unlock : unlock + strlen(method->prefix);
}

bool unlock_asks(const char *unlock)
{
    const struct method *method = method_of(unlock);

    return method && method->asks;
}

bool unlock_by_device(const char *unlock)
{
    const struct method *method = method_of(unlock);

    return method && method->keep_prefix;
}

kw_status unlock_check(struct kw_op *op, const char *unlock)
{
    const struct method *method = method_of(unlock);
    unsigned m = 0;
    unsigned n = 0;

    ENSURE(op, method, KW_E_INPUT,
           "unknown unlock method; use passphrase-file:PATH, passphrase:, shares:M,N, tpm2:... or "
           "pkcs11:...");
    if (method->method == VAULT_SHARES) {
        return unlock_shares(op, unlock, &m, &n);
    }
    ENSURE(op, !method->asks || strcmp(unlock, method->prefix) == 0, KW_E_INPUT,
           "nothing stands behind '%s'", method->prefix);
    return KW_OK;
}

const char *vault_method_text(enum vault_method method)
{
    static const char *const texts[] = {
        [VAULT_PASSPHRASE] = "passphrase",
        [VAULT_TPM2] = "tpm2",
        [VAULT_SHARES] = "shares",
        [VAULT_PKCS11] = "pkcs11",
    };

    return method < KW_COUNT(texts) && texts[method] ? texts[method] : "nothing";
}

kw_status opener_new(struct kw_op *op, const char *unlock, struct opener *ret)
{
    const struct method *method = method_of(unlock);

    TRY(op, unlock_check(op, unlock));
    return method->fresh(op, param_of(method, unlock), ret);
}

kw_status opener_for(struct kw_op *op, const char *unlock, const struct vault_slot *slot,
                     struct opener *ret)
{
    const struct method *method = method_of(unlock);

    TRY(op, unlock_check(op, unlock));
    ENSURE(op, method->method == slot->method, KW_E_DENIED,
           "this vault is opened by %s, not by '%s'", vault_method_text(slot->method),
           method->prefix);
    return method->for_slot(op, param_of(method, unlock), slot, ret);
}

/* --- sealing ---------------------------------------------------------------------------------- */

static kw_status seal_by_device(struct kw_op *op, const char *uri, const struct kw_secret *core,
                                struct kw_bytes **ret)
{
    AUTO(rot) *rot = NULL;

    TRY(op, rot_open(op, uri, &rot), "opening the device");
    return rot_seal(op, rot, core, ret);
}

/* The id beside it salts every key below, so another vault's core opens nothing. */
static kw_status open_by_device(struct kw_op *op, const char *uri, struct kw_span sealed,
                                struct kw_secret **ret)
{
    AUTO(rot) *rot = NULL;

    TRY(op, rot_open(op, uri, &rot), "opening the device");
    kw_status status = rot_unseal(op, rot, sealed, ret);
    if (status.code == KW_E_INTEGRITY) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED,
                    "this device does not open the vault (another one, or 'vault' was altered)");
    }
    return status;
}

kw_status opener_seal(struct kw_op *op, const struct opener *opener, struct kw_span aad,
                      const struct kw_secret *core, struct kw_bytes **ret)
{
    if (!opener->wrapping) {
        return seal_by_device(op, opener->uri, core, ret);
    }
    return aead_seal(op, opener->wrapping, aad, kw_secret_span(core), ret);
}

static kw_status open_by_key(struct kw_op *op, const struct opener *opener, struct kw_span aad,
                             struct kw_span sealed, struct kw_secret **ret)
{
    kw_status status = aead_open(op, opener->wrapping, aad, sealed, ret);

    if (status.code == KW_E_INTEGRITY) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "the %s wrong (or the file 'vault' was altered)",
                    opener->slot.method == VAULT_SHARES ? "shares are" : "passphrase is");
    }
    return status;
}

kw_status opener_open(struct kw_op *op, const struct opener *opener, struct kw_span aad,
                      struct kw_span sealed, struct kw_secret **ret)
{
    AUTO(kw_secret) *core = NULL;

    if (opener->wrapping) {
        TRY(op, open_by_key(op, opener, aad, sealed, &core));
    } else {
        TRY(op, open_by_device(op, opener->uri, sealed, &core));
    }
    ENSURE(op, kw_secret_len(core) == VAULT_CORE_BYTES, KW_E_INTEGRITY,
           "the vault's keys have the wrong length");
    *ret = TAKE(core);
    return KW_OK;
}
