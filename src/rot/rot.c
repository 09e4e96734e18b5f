#include "rot/rot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "rot/ops.h"

enum { SEAL_MAX_BYTES = 128 }; /* TPM2B_SENSITIVE_DATA of the smallest TPMs */

struct rot {
    const struct rot_ops *ops;
    void *self;
    atomic_uint refs;      /* the opener's and one of every key */
    pthread_mutex_t mutex; /* of busy, held for moments only */
    pthread_cond_t idle;
    bool busy;            /* an operation is at the device */
    struct rot_key *keys; /* the open ones, so that destroy ends their use; guarded by busy */
};

struct rot_key {
    struct rot *rot;
    struct rot_key *next;
    void *impl; /* NULL once the key was destroyed */
    struct pubkey *public_key;
    char label[ROT_LABEL_MAX];
};

/* --- the lock --- */

static void unlock(struct rot *rot)
{
    (void)pthread_mutex_lock(
        &rot->mutex); /* plain mutex and condition of ours: none of this fails */
    rot->busy = false;
    (void)pthread_cond_signal(&rot->idle);
    (void)pthread_mutex_unlock(&rot->mutex);
}
KW_OWNED(rot_locked, struct rot, unlock)

/* Take our turn; false where until_ms (monotonic, 0 = none) came first. */
static bool take_turn(struct rot *rot, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = until_ms / 1000,
                                   .tv_nsec = until_ms % 1000 * 1000000L};
    int error = 0;

    (void)pthread_mutex_lock(&rot->mutex);
    while (rot->busy && error == 0) {
        error = until_ms ? pthread_cond_timedwait(&rot->idle, &rot->mutex, &until)
                         : pthread_cond_wait(&rot->idle, &rot->mutex);
    }
    bool taken = !rot->busy;
    rot->busy = true;
    (void)pthread_mutex_unlock(&rot->mutex);
    return taken;
}

/* Wait for our turn at the device, not beyond the operation's deadline. */
static kw_status lock(struct kw_op *op, struct rot *rot, struct rot **ret_locked)
{
    ENSURE(op, take_turn(rot, op->deadline_ms), KW_E_TIMEOUT,
           "other operations kept the root of trust busy");
    *ret_locked = rot;
    return KW_OK;
}

static bool init_lock(struct rot *rot)
{
    pthread_condattr_t attributes;

    bool ready = pthread_condattr_init(&attributes) == 0;
    ready = ready && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0;
    ready = ready && pthread_cond_init(&rot->idle, &attributes) == 0;
    ready = ready && pthread_mutex_init(&rot->mutex, NULL) == 0;
    (void)pthread_condattr_destroy(&attributes); /* holds nothing on Linux */
    return ready;
}

/* --- open and close --- */

/* How much of a URI may be repeated: nothing behind a '?' or a PIN that should not be there. */
static int shown_part(const char *uri)
{
    size_t n = strcspn(uri, "?");
    const char *pin = strcasestr(uri, "pin-");
    return (int)(pin && (size_t)(pin - uri) < n ? (size_t)(pin - uri) : n);
}

kw_status rot_open(struct kw_op *op, const char *uri, struct rot **ret)
{
    int shown = shown_part(uri);
    AUTO(rot) *rot = NULL;

    ENSURE(op, strlen(uri) < KW_URI_MAX, KW_E_INPUT, "root-of-trust URI is too long");
    ENSURE(op, strchr(uri, ':'), KW_E_INPUT, "'%.*s' is not a root-of-trust URI", shown, uri);
    const struct rot_ops *ops = NULL;
    TRY(op, rot_roots_find(op, uri, &ops), "root of trust '%.*s'", shown, uri);
    rot = calloc(1, sizeof(*rot));
    ENSURE(op, rot, KW_E_MEMORY);
    rot->ops = ops;
    atomic_init(&rot->refs, 1);
    ENSURE(op, init_lock(rot), KW_E_MEMORY);
    TRY(op, ops->open(op, strchr(uri, ':') + 1, &rot->self), "opening root of trust '%.*s'", shown,
        uri);
    *ret = TAKE(rot);
    return KW_OK;
}

void rot_close(struct rot *rot)
{
    if (!rot || atomic_fetch_sub(&rot->refs, 1) != 1) {
        return;
    }
    if (rot->self) {
        rot->ops->close(rot->self);
    }
    (void)pthread_mutex_destroy(&rot->mutex); /* nobody waits: the last reference went */
    (void)pthread_cond_destroy(&rot->idle);
    free(rot);
}

struct rot_info rot_info(const struct rot *rot)
{
    struct rot_info info = {0};
    rot->ops->info(rot->self, &info);
    return info;
}

/* --- keys --- */

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

static kw_status check_label(struct kw_op *op, const char *label)
{
    size_t len = 0;
    while (is_label_char(label[len])) {
        len++;
    }
    ENSURE(op, len > 0 && label[len] == '\0', KW_E_INPUT,
           "a key's label has letters, digits and '-' only");
    ENSURE(op, len < ROT_LABEL_MAX, KW_E_INPUT, "a key's label has at most %d characters",
           ROT_LABEL_MAX - 1);
    return KW_OK;
}

/* A label for keys that sign what they are given; the attestation key never does. */
static kw_status check_signing_label(struct kw_op *op, const char *label)
{
    TRY(op, check_label(op, label));
    ENSURE(op, strcmp(label, ROT_ATTEST_LABEL) != 0, KW_E_INPUT,
           "label '" ROT_ATTEST_LABEL "' is the attestation key's");
    return KW_OK;
}

static void key_unlink(struct rot_key *key)
{
    for (struct rot_key **at = &key->rot->keys; *at; at = &(*at)->next) {
        if (*at == key) {
            *at = key->next;
            return;
        }
    }
}

/* Drop what the backend holds for a key; the device is locked by the caller. */
static void key_drop(struct rot_key *key)
{
    if (key->impl) {
        key->rot->ops->key_close(key->rot->self, TAKE(key->impl));
    }
}

void rot_key_close(struct rot_key *key)
{
    if (!key) {
        return;
    }
    (void)take_turn(key->rot, /* until_ms= */ 0); /* without a deadline it always gets there */
    key_unlink(key);
    key_drop(key);
    unlock(key->rot);
    pubkey_unref(key->public_key);
    rot_close(key->rot);
    free(key);
}

static kw_status key_new(struct kw_op *op, struct rot *rot, const char *label, struct rot_key **ret)
{
    struct rot_key *key = calloc(1, sizeof(*key));
    ENSURE(op, key, KW_E_MEMORY);
    (void)KW_TEXT_SET(key->label, label); /* length checked by check_label() */
    atomic_fetch_add(&rot->refs, 1);
    key->rot = rot;
    *ret = key;
    return KW_OK;
}

/* Fill a new key by the backend's generate or load, under the lock. */
static kw_status key_fill(struct kw_op *op, struct rot_key *key, enum key_alg make)
{
    struct rot *rot = key->rot;
    AUTO(rot_locked) *locked = NULL;

    TRY(op, lock(op, rot, &locked));
    if (make != KEY_ALG_NONE) {
        TRY(op, rot->ops->generate(op, rot->self, key->label, make, &key->impl, &key->public_key));
    } else {
        TRY(op, rot->ops->load(op, rot->self, key->label, &key->impl, &key->public_key));
    }
    key->next = rot->keys;
    rot->keys = key;
    return KW_OK;
}

kw_status rot_key_generate(struct kw_op *op, struct rot *rot, const char *label, enum key_alg alg,
                           struct rot_key **ret)
{
    AUTO(rot_key) *key = NULL;

    TRY(op, check_signing_label(op, label));
    ENSURE(op, alg > KEY_ALG_NONE && alg < KEY_ALG_MAX, KW_E_UNSUPPORTED, "no such key algorithm");
    TRY(op, key_new(op, rot, label, &key));
    TRY(op, key_fill(op, key, alg), "making key '%s'", label);
    *ret = TAKE(key);
    return KW_OK;
}

kw_status rot_key_load(struct kw_op *op, struct rot *rot, const char *label, struct rot_key **ret)
{
    AUTO(rot_key) *key = NULL;

    TRY(op, check_signing_label(op, label));
    TRY(op, key_new(op, rot, label, &key));
    TRY(op, key_fill(op, key, KEY_ALG_NONE), "loading key '%s'", label);
    *ret = TAKE(key);
    return KW_OK;
}

const struct pubkey *rot_key_public(const struct rot_key *key)
{
    return key->public_key;
}

kw_status rot_key_sign(struct kw_op *op, struct rot_key *key, struct kw_span message,
                       struct kw_out *sig)
{
    struct rot *rot = key->rot;
    AUTO(rot_locked) *locked = NULL;

    TRY(op, lock(op, rot, &locked));
    ENSURE(op, key->impl, KW_E_STATE, "key '%s' was destroyed", key->label);
    TRY(op, rot->ops->sign(op, rot->self, key->impl, pubkey_alg(key->public_key), message, sig),
        "signing with key '%s'", key->label);
    return KW_OK;
}

static kw_status sign_remote(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                             struct kw_out *sig)
{
    ENSURE(op, !pss, KW_E_UNSUPPORTED, "no RSA-PSS with keys of a root of trust");
    return rot_key_sign(op, ctx, message, sig);
}

static void close_remote(void *ctx)
{
    rot_key_close(ctx);
}

kw_status rot_key_privkey(struct kw_op *op, struct rot_key *key, struct privkey **ret)
{
    AUTO(rot_key) *owned = key;

    TRY(op, privkey_remote(op, key->public_key, sign_remote, key, close_remote, ret));
    owned = NULL; /* the privkey has it now */
    return KW_OK;
}

kw_status rot_key_attributes(struct kw_op *op, struct rot_key *key, char *text, size_t cap)
{
    struct rot *rot = key->rot;
    AUTO(rot_locked) *locked = NULL;

    TRY(op, lock(op, rot, &locked));
    ENSURE(op, key->impl, KW_E_STATE, "key '%s' was destroyed", key->label);
    TRY(op, rot->ops->attributes(op, rot->self, key->impl, text, cap),
        "reading the attributes of key '%s'", key->label);
    return KW_OK;
}

kw_status rot_key_destroy(struct kw_op *op, struct rot *rot, const char *label, char *ret_proof,
                          size_t cap)
{
    AUTO(rot_locked) *locked = NULL;

    TRY(op, check_label(op, label));
    TRY(op, lock(op, rot, &locked));
    for (struct rot_key *key = rot->keys; key; key = key->next) {
        if (strcmp(key->label, label) == 0) {
            key_drop(key);
        }
    }
    TRY(op, rot->ops->destroy(op, rot->self, label, ret_proof, cap), "destroying key '%s'", label);
    return KW_OK;
}

kw_status rot_forget(struct kw_op *op, struct rot *rot)
{
    AUTO(rot_locked) *locked = NULL;

    TRY(op, lock(op, rot, &locked));
    TRY(op, rot->ops->forget(op, rot->self), "forgetting what seals");
    return KW_OK;
}

static kw_status collect(struct kw_op *op, const char *label, void *ctx)
{
    TRY(op, kw_bytes_append(ctx, KW_SPAN(label, strlen(label) + 1)));
    return KW_OK;
}

kw_status rot_key_each(struct kw_op *op, struct rot *rot,
                       kw_status (*each)(struct kw_op *op, const char *label, void *ctx), void *ctx)
{
    AUTO(kw_bytes) *labels = NULL;

    TRY(op, kw_bytes_new(256, &labels));
    {
        AUTO(rot_locked) *locked = NULL;
        TRY(op, lock(op, rot, &locked));
        TRY(op, rot->ops->each(op, rot->self, collect, labels), "listing keys");
    }
    for (size_t at = 0; at < labels->len;) { /* unlocked: the callback may use the root of trust */
        const char *label = (const char *)labels->p + at;
        TRY(op, each(op, label, ctx));
        at += strlen(label) + 1;
    }
    return KW_OK;
}

/* --- sealing --- */

kw_status rot_seal(struct kw_op *op, struct rot *rot, const struct kw_secret *plain,
                   struct kw_bytes **ret)
{
    AUTO(rot_locked) *locked = NULL;

    ENSURE(op, rot_info(rot).caps & ROT_CAP_SEAL, KW_E_UNSUPPORTED, "no sealing here");
    ENSURE(op, kw_secret_len(plain) > 0, KW_E_INPUT, "nothing to seal");
    ENSURE(op, kw_secret_len(plain) <= SEAL_MAX_BYTES, KW_E_TOO_LARGE,
           "at most %d octets are sealed", SEAL_MAX_BYTES);
    TRY(op, lock(op, rot, &locked));
    TRY(op, rot->ops->seal(op, rot->self, plain, ret), "sealing");
    return KW_OK;
}

kw_status rot_unseal(struct kw_op *op, struct rot *rot, struct kw_span sealed,
                     struct kw_secret **ret)
{
    AUTO(rot_locked) *locked = NULL;

    ENSURE(op, rot_info(rot).caps & ROT_CAP_SEAL, KW_E_UNSUPPORTED, "no sealing here");
    TRY(op, lock(op, rot, &locked));
    TRY(op, rot->ops->unseal(op, rot->self, sealed, ret), "unsealing");
    return KW_OK;
}

/* --- attestation --- */

void rot_attest_keys_done(struct rot_attest_keys *keys)
{
    kw_bytes_free(TAKE(keys->ek_cert));
    kw_bytes_free(TAKE(keys->ek_public));
    kw_bytes_free(TAKE(keys->ak_public));
}

void rot_certified_done(struct rot_certified *certified)
{
    kw_bytes_free(TAKE(certified->key_public));
    kw_bytes_free(TAKE(certified->attest));
    kw_bytes_free(TAKE(certified->sig));
}

void rot_quote_done(struct rot_quote *quote)
{
    kw_bytes_free(TAKE(quote->attest));
    kw_bytes_free(TAKE(quote->sig));
}

static kw_status check_qualifying(struct kw_op *op, struct kw_span qualifying)
{
    ENSURE(op, qualifying.len <= ROT_QUALIFYING_MAX, KW_E_INPUT,
           "at most %d octets of qualifying data", ROT_QUALIFYING_MAX);
    return KW_OK;
}

kw_status rot_attest_keys(struct kw_op *op, struct rot *rot, struct rot_attest_keys *ret)
{
    AUTO(rot_locked) *locked = NULL;

    TRY(op, lock(op, rot, &locked));
    TRY(op, rot->ops->attest_keys(op, rot->self, ret), "endorsement and attestation key");
    return KW_OK;
}

kw_status rot_attest_activate(struct kw_op *op, struct rot *rot, struct kw_span blob,
                              struct kw_span secret, struct kw_secret **ret)
{
    AUTO(rot_locked) *locked = NULL;

    TRY(op, lock(op, rot, &locked));
    TRY(op, rot->ops->attest_activate(op, rot->self, blob, secret, ret),
        "activating the credential");
    return KW_OK;
}

kw_status rot_attest_certify(struct kw_op *op, struct rot *rot, struct rot_key *key,
                             struct kw_span qualifying, struct rot_certified *ret)
{
    AUTO(rot_locked) *locked = NULL;

    TRY(op, check_qualifying(op, qualifying));
    ENSURE(op, key->rot == rot, KW_E_INTERNAL, "a key of another root of trust");
    TRY(op, lock(op, rot, &locked));
    ENSURE(op, key->impl, KW_E_STATE, "key '%s' was destroyed", key->label);
    TRY(op, rot->ops->attest_certify(op, rot->self, key->impl, qualifying, ret),
        "certifying key '%s'", key->label);
    return KW_OK;
}

kw_status rot_attest_quote(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                           const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    AUTO(rot_locked) *locked = NULL;

    TRY(op, check_qualifying(op, qualifying));
    TRY(op, lock(op, rot, &locked));
    TRY(op, rot->ops->attest_quote(op, rot->self, qualifying, mask, ret), "quoting the PCRs");
    return KW_OK;
}
