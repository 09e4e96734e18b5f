#include "cmd/keywright-keeper/custody.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/uri.h"
#include "crypto/digest.h"
#include "os/clock.h"

enum {
    BACKOFF_FIRST_MS = 250,
    BACKOFF_LAST_MS = 5000,
    VISIT_MS = 8000, /* below the gate's patience with a keeper that is silent */
    LABEL_NAME = 23, /* octets of a label that are the key's id */
    LABEL_HASH = 4,
};

/* The value of a parameter of the URI; "" where it has none. */
static void param_of(const char *uri, const char *name, const char *ends, char ret[KW_PATH_BYTES])
{
    const char *at = strstr(uri, name);
    size_t n = at ? strcspn(at + strlen(name), ends) : 0;

    ret[0] = '\0';
    if (n > 0 && n < KW_PATH_BYTES) {
        memcpy(ret, at + strlen(name), n);
        ret[n] = '\0';
    }
}

/* The handle is kept for ever: a library that is closed would have to be mapped again. */
static void keep_library(const char *path)
{
    (void)dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE); /* NULL is seen when it is used */
}

void custody_preload(const char *uri)
{
    char value[KW_PATH_BYTES];
    char library[KW_PATH_BYTES + 32];

    param_of(uri, "module-path=", "&;", value);
    if (value[0] && kw_ok(kw_uri_decode(kw_span_text(value), library, sizeof(library)))) {
        keep_library(library);
    }
    param_of(uri, "tcti=", ":", value);
    if (value[0]) {
        (void)snprintf(library, sizeof(library), "libtss2-tcti-%s.so.0", value);
        keep_library(library);
    }
}

bool custody_elsewhere(const struct custody *custody)
{
    return custody->uri != NULL;
}

void custody_close(struct custody *custody)
{
    rot_close(custody->rot);
    custody->rot = NULL;
}

/* A token that is away is not asked by every request. */
static kw_status open_token(struct kw_op *op, struct custody *custody)
{
    int64_t now_ms = os_clock_mono_ms();
    struct kw_op visit;

    if (custody->rot) {
        return KW_OK;
    }
    ENSURE(op, custody->uri, KW_E_INTEGRITY, "the key is in a token, but the vault has none");
    ENSURE(op, now_ms >= custody->retry_mono_ms, KW_E_UNAVAILABLE, "token: %s", custody->why);
    kw_op_init(&visit, "keeper", now_ms + VISIT_MS);
    kw_status status = rot_open(&visit, custody->uri, &custody->rot);
    if (kw_ok(status)) {
        custody->info = rot_info(custody->rot);
        custody->backoff_ms = 0;
        return KW_OK;
    }
    int64_t twice = custody->backoff_ms ? 2 * custody->backoff_ms : BACKOFF_FIRST_MS;
    custody->backoff_ms = twice > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : twice;
    custody->retry_mono_ms = os_clock_mono_ms() + custody->backoff_ms;
    (void)snprintf(custody->why, sizeof(custody->why), "%s", kw_op_cause(&visit));
    return FAIL(op, status.code == KW_E_INPUT ? KW_E_INPUT : KW_E_UNAVAILABLE, "token: %s",
                custody->why);
}

/* The key's id as far as a label takes it, and a hash of vault and id, so that no two are alike. */
void custody_label(const uint8_t vault_id[VAULT_ID_BYTES], const char *key_id,
                   char ret[VAULT_TOKEN_TEXT])
{
    uint8_t octets[VAULT_ID_BYTES + KW_NAME_MAX];
    struct kw_out both = KW_OUT_ARRAY(octets);
    uint8_t hash[KW_HASH_BYTES];
    char name[LABEL_NAME + 1];
    char hex[2 * LABEL_HASH + 1];

    (void)kw_ok(kw_out_append(&both, KW_SPAN(vault_id, VAULT_ID_BYTES))); /* there is room */
    (void)kw_ok(kw_out_append(&both, kw_span_text(key_id)));
    digest_sha256(kw_out_span(&both), hash);
    (void)snprintf(name, sizeof(name), "%s", key_id);
    for (char *p = name; *p; p++) {
        *p = isalnum((unsigned char)*p) ? *p : '-';
    }
    (void)snprintf(ret, VAULT_TOKEN_TEXT, "%s-%s", name,
                   kw_hex(KW_SPAN(hash, LABEL_HASH), hex, sizeof(hex)));
}

kw_status custody_generate(struct kw_op *op, struct custody *custody,
                           const uint8_t vault_id[VAULT_ID_BYTES], const char *key_id,
                           enum key_alg alg, char ret_token[VAULT_TOKEN_TEXT], struct privkey **ret)
{
    AUTO(rot_key) *key = NULL;
    char label[VAULT_TOKEN_TEXT];

    TRY(op, open_token(op, custody));
    custody_label(vault_id, key_id, label);
    TRY(op, rot_key_generate(op, custody->rot, label, alg, &key), "making a key in the token");
    TRY(op, rot_key_privkey(op, TAKE(key), ret));
    memcpy(ret_token, label, sizeof(label));
    return KW_OK;
}

kw_status custody_load(struct kw_op *op, struct custody *custody, const char *token,
                       const struct pubkey *want, struct privkey **ret)
{
    AUTO(rot_key) *key = NULL;

    TRY(op, open_token(op, custody));
    TRY(op, rot_key_load(op, custody->rot, token, &key), "token key '%s'", token);
    ENSURE(op, pubkey_equal(rot_key_public(key), want), KW_E_INTEGRITY,
           "the token's key '%s' is not the one that was made", token);
    return rot_key_privkey(op, TAKE(key), ret);
}

kw_status custody_destroy(struct kw_op *op, struct custody *custody, const char *token,
                          char *ret_proof, size_t cap)
{
    TRY(op, open_token(op, custody));
    return rot_key_destroy(op, custody->rot, token, ret_proof, cap);
}

void custody_text(const struct custody *custody, char text[CUSTODY_TEXT])
{
    const struct rot_info *info = &custody->info;

    if (!custody->uri) {
        (void)snprintf(text, CUSTODY_TEXT, "soft-sealed");
        return;
    }
    if (!custody->rot) {
        (void)snprintf(text, CUSTODY_TEXT, "%.*s%s", (int)strcspn(custody->uri, ":"), custody->uri,
                       custody->why[0] ? " (away)" : "");
        return;
    }
    (void)snprintf(text, CUSTODY_TEXT, "%.10s%s %.38s", info->scheme,
                   info->caps & ROT_CAP_SIMULATED ? " SIMULATED" : "", info->vendor);
}
