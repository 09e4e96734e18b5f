#include "service/log/keys.h"

#include <stdio.h>

#include "crypto/digest.h"
#include "model/object.h"
#include "service/keys/line.h"
#include "service/log/lines.h"

static const char FIRST_VKEY[] = "log:vkey";

void log_keys_done(struct log_keys *keys)
{
    for (unsigned i = 0; i < keys->n; i++) {
        pubkey_unref(keys->at[i].key);
    }
    keys->n = 0;
}

static kw_status take_key(struct kw_op *op, const struct keeper_key_info *info,
                          struct log_keys *keys)
{
    struct log_key *key = &keys->at[keys->n];

    ENSURE(op, keys->n < LOG_KEYS_MAX, KW_E_LIMIT, "more than %d active keys of the log",
           LOG_KEYS_MAX);
    KW_TEXT_SET(key->id, info->key_id);
    TRY(op, pubkey_parse(op, KW_SPAN(info->spki, info->spki_len), &key->key));
    keys->n++;
    return KW_OK;
}

static kw_status take_active(struct kw_op *op, struct service *service, struct log_keys *keys)
{
    char line[KW_NAME_MAX];
    struct keeper_key_info info;

    log_line_name(service->log_line, line);
    struct keeper *keeper = service_keeper(service, line);
    for (uint32_t i = 0;; i++) {
        kw_status status = keeper_key_at(op, keeper, i, &info);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status, "keys of the log");
        if (info.class_ == KEY_CLASS_LOG_SIGNER && info.state == KEY_ACTIVE &&
            log_line_of(info.key_id) == service->log_line) {
            TRY(op, take_key(op, &info, keys), "key '%s'", info.key_id);
        }
    }
}

kw_status log_keys_load(struct kw_op *op, struct service *service, struct log_keys *ret)
{
    struct log_keys keys = {0};
    kw_status status = take_active(op, service, &keys);

    if (kw_ok(status) && keys.n == 0) {
        status =
            FAIL(op, KW_E_UNAVAILABLE, "no key of line %u of the log is active", service->log_line);
    }
    if (!kw_ok(status)) {
        log_keys_done(&keys);
        return status;
    }
    *ret = keys; /* in the order in which the keeper made them */
    return KW_OK;
}

/* --- announcements ---------------------------------------------------------------------------- */

struct announcement {
    struct service *service;
    char key_id[KW_NAME_MAX], before_id[KW_NAME_MAX], blob[KW_NAME_MAX];
    unsigned n;
    bool is_first;                 /* announced by the first key of all */
    uint8_t digest[KW_HASH_BYTES]; /* of what the key before signed */
    char vkey[CHECKPOINT_VKEY_MAX], first_vkey[CHECKPOINT_VKEY_MAX];
    struct kw_bytes *note;
};

static void announcement_done(struct announcement *it)
{
    kw_bytes_free(it->note);
}

static void blob_name(unsigned n, char name[KW_NAME_MAX])
{
    (void)snprintf(name, KW_NAME_MAX, "log:successor.%u", n);
}

static kw_status sign(struct kw_op *op, struct announcement *it)
{
    const char *origin = it->service->config.log_origin;
    struct keeper *keeper = service_keeper(it->service, it->before_id);
    char body[SUCCESSION_TEXT_MAX];
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    AUTO(pubkey) *next = NULL;
    AUTO(privkey) *before = NULL;

    TRY(op, keeper_key_public(op, keeper, it->key_id, &next));
    TRY(op, succession_body(op, origin, next, body, sizeof(body)));
    digest_sha256(kw_span_text(body), it->digest);
    TRY(op, keeper_privkey(op, keeper, it->before_id, KEEPER_SIGN_CROSS, NULL, &before));
    TRY(op, privkey_sign(op, before, kw_span_text(body), &sig));
    TRY(op, checkpoint_vkey(op, origin, privkey_public(before), it->first_vkey,
                            sizeof(it->first_vkey)));
    return checkpoint_note(op, body, origin, privkey_public(before), kw_out_span(&sig), &it->note);
}

kw_status log_vkey_put(struct kw_op *op, struct store_txn *txn, const char *vkey)
{
    return store_blob_put(op, txn, FIRST_VKEY, 1, kw_span_text(vkey));
}

/* The log itself tells too who signs it from here on. */
static kw_status keep(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct announcement *it = ctx;
    struct event event = {.type = EVENT_KEY_ROTATE};

    memcpy(event.digest, it->digest, sizeof(event.digest));
    KW_TEXT_SET(event.key, it->before_id);
    TRY(op, store_blob_put(op, txn, it->blob, it->n, kw_bytes_span(it->note)));
    if (it->is_first) {
        TRY(op, log_vkey_put(op, txn, it->first_vkey));
    }
    object_write(OBJECT_KEY, it->key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "key '%.80s' follows '%.80s'; verifier key %s", it->key_id, it->before_id,
                   it->vkey);
    return service_record(op, it->service, txn, &event);
}

kw_status log_successor(struct kw_op *op, struct service *service, unsigned n,
                        struct kw_bytes **ret)
{
    char name[KW_NAME_MAX];
    uint64_t version = 0;

    blob_name(n, name);
    return store_blob_get(op, service->store, name, &version, ret);
}

/* Announcements count from 2; a key's own is found by its verifier key. *ret_n: its number, or the
 * next free one. */
static kw_status find_announcement(struct kw_op *op, struct service *service, const char *vkey,
                                   unsigned *ret_n, bool *ret_found)
{
    char line[CHECKPOINT_VKEY_MAX + 2];

    (void)snprintf(line, sizeof(line), "\n%s\n", vkey);
    *ret_found = false;
    for (*ret_n = 2; *ret_n <= SUCCESSION_KEYS_MAX; ++*ret_n) {
        AUTO(kw_bytes) *note = NULL;
        kw_status status = log_successor(op, service, *ret_n, &note);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        if (memmem(note->p, note->len, line, strlen(line))) {
            *ret_found = true;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_LIMIT, "a log has at most %d keys", SUCCESSION_KEYS_MAX);
}

/* Who it is, and who was before it. */
static kw_status describe(struct kw_op *op, struct announcement *it, const char *key_id)
{
    struct keeper *keeper = service_keeper(it->service, key_id);
    struct keeper_key_life life;
    char base[KW_NAME_MAX];
    AUTO(pubkey) *key = NULL;

    KW_TEXT_SET(it->key_id, key_id);
    TRY(op, keeper_key_public(op, keeper, key_id, &key));
    TRY(op, checkpoint_vkey(op, it->service->config.log_origin, key, it->vkey, sizeof(it->vkey)));
    TRY(op, keeper_key_history(op, keeper, key_id, &life));
    ENSURE(op, *life.predecessor, KW_E_INPUT, "key '%s' is the first of its line", key_id);
    KW_TEXT_SET(it->before_id, life.predecessor);
    (void)line_split(key_id, base);
    it->is_first = strcmp(it->before_id, base) == 0;
    return KW_OK;
}

kw_status log_announce(struct kw_op *op, struct service *service, const char *key_id)
{
    __attribute__((cleanup(announcement_done))) struct announcement it = {.service = service};
    bool done = false;

    TRY(op, describe(op, &it, key_id));
    TRY(op, find_announcement(op, service, it.vkey, &it.n, &done));
    if (done) {
        return KW_OK;
    }
    blob_name(it.n, it.blob);
    TRY(op, sign(op, &it), "announcing '%s' by '%s'", key_id, it.before_id);
    return store_change(op, service->store, keep, &it);
}

kw_status log_announce_all(struct kw_op *op, struct service *service, const struct log_keys *keys)
{
    char base[KW_NAME_MAX];

    for (unsigned i = 0; i < keys->n; i++) {
        if (line_split(keys->at[i].id, base) > 1) {
            TRY(op, log_announce(op, service, keys->at[i].id));
        }
    }
    return KW_OK;
}

static kw_status first_vkey(struct kw_op *op, struct service *service, char *text, size_t cap)
{
    uint64_t version = 0;
    AUTO(kw_bytes) *kept = NULL;

    TRY(op, store_blob_get(op, service->store, FIRST_VKEY, &version, &kept));
    ENSURE(op, kept->len < cap, KW_E_INTEGRITY, "the log's verifier key has %zu octets", kept->len);
    memcpy(text, kept->p, kept->len);
    text[kept->len] = '\0';
    return KW_OK;
}

kw_status log_vkey(struct kw_op *op, struct service *service, char *text, size_t cap)
{
    char line[KW_NAME_MAX];
    AUTO(pubkey) *key = NULL;
    kw_status status = first_vkey(op, service, text, cap);

    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    log_line_name(service->log_line, line);
    TRY(op, keeper_key_public(op, service_keeper(service, line), line, &key), "log key");
    return checkpoint_vkey(op, service->config.log_origin, key, text, cap);
}
