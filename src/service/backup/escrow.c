#include "service/backup/escrow.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "model/object.h"
#include "os/files.h"
#include "service/backup/package.h"
#include "service/event_text.h"
#include "service/log/gap.h"
#include "service/log/log.h"

enum { PACKAGE_MAX = 8 << 20, BATCH = 4096, GONE_MAX = 1024, PAGE = 16 };

struct bringing {
    struct service *service;
    const char *dir; /* of the packages */
    const struct kw_secret *recovery;
    void (*each)(void *ctx, const char *key_id, enum escrow_fate fate);
    void *ctx;
    unsigned n_gone;
    char (*gone)[KW_NAME_MAX]; /* keys of whose destruction the log tells */
    unsigned n_data_keys;
};

static void bringing_done(struct bringing *it)
{
    free(it->gone);
}

const char *escrow_fate_text(enum escrow_fate fate)
{
    static const char *const texts[] = {
        [ESCROW_BROUGHT] = "brought back",
        [ESCROW_KNOWN] = "left out: its vault knows it, or that it was destroyed",
        [ESCROW_DESTROYED] = "left out: it was destroyed, the log says",
    };

    _Static_assert(KW_COUNT(texts) == ESCROW_FATE_MAX, "a text for each");
    return (unsigned)fate < ESCROW_FATE_MAX ? texts[fate] : "";
}

/* --- what must not come back ------------------------------------------------------------------ */

static kw_status take_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    static const char type[] = "key.destroy";
    struct bringing *it = ctx;
    struct event event;

    (void)index;
    if (!memmem(entry.p, entry.len, type, sizeof(type) - 1)) {
        return KW_OK;
    }
    TRY(op, event_decode(op, entry, &event));
    const char *key_id = object_name(OBJECT_KEY, event.object);
    if (event.type != EVENT_KEY_DESTROY || !key_id) {
        return KW_OK;
    }
    ENSURE(op, it->n_gone < GONE_MAX, KW_E_LIMIT, "more than %d destroyed keys", GONE_MAX);
    (void)snprintf(it->gone[it->n_gone++], KW_NAME_MAX, "%.*s", KW_NAME_MAX - 1, key_id);
    return KW_OK;
}

static kw_status read_log(struct kw_op *op, struct bringing *it)
{
    uint64_t size = 0;

    it->gone = calloc(GONE_MAX, sizeof(*it->gone));
    ENSURE(op, it->gone, KW_E_MEMORY, "no memory for the log");
    TRY(op, store_log_size(op, it->service->store, &size));
    for (uint64_t from = 0; from < size; from += BATCH) {
        TRY(op, store_log_each(op, it->service->store, from, BATCH, take_entry, it));
    }
    return KW_OK;
}

static bool is_gone(const struct bringing *it, const char *key_id)
{
    for (unsigned i = 0; i < it->n_gone; i++) {
        if (strcmp(it->gone[i], key_id) == 0) {
            return true;
        }
    }
    return false;
}

/* --- secrets ---------------------------------------------------------------------------------- */

static kw_status record_key(struct kw_op *op, struct service *service, const char *key_id)
{
    struct event event = {.type = EVENT_BACKUP_RESTORE, .source = "keywright restore"};

    object_write(OBJECT_KEY, key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "its escrowed secret was brought back from a backup, by shares");
    KW_TEXT_SET(event.key, key_id);
    return service_record_alone(op, service, &event);
}

static kw_status bring_key(struct kw_op *op, struct bringing *it, const struct package_key *key)
{
    uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out policy = KW_OUT_ARRAY(octets);

    TRY(op, policy_encode(&key->policy, &policy), "its policy");
    const struct keeper_escrow escrow = {.state = key->state,
                                         .policy = kw_out_span(&policy),
                                         .mark = key->public_half,
                                         .box = key->box};
    kw_status status =
        keeper_key_import(op, service_keeper(it->service, key->key_id), &escrow, it->recovery);
    if (status.code == KW_E_CONFLICT) {
        kw_op_clear(op);
        it->each(it->ctx, key->key_id, ESCROW_KNOWN);
        return KW_OK;
    }
    TRY(op, status);
    it->each(it->ctx, key->key_id, ESCROW_BROUGHT);
    return record_key(op, it->service, key->key_id);
}

static kw_status take_key(struct kw_op *op, void *ctx, const struct package_key *key)
{
    struct bringing *it = ctx;

    if (key->box.len == 0) {
        return KW_OK;
    }
    if (is_gone(it, key->key_id)) {
        it->each(it->ctx, key->key_id, ESCROW_DESTROYED);
        return KW_OK;
    }
    TRY(op, bring_key(op, it, key), "key '%s'", key->key_id);
    return KW_OK;
}

static kw_status take_package(struct kw_op *op, const char *name, void *ctx)
{
    struct bringing *it = ctx;
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *package = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), it->dir, name));
    TRY(op, os_file_read(op, path, PACKAGE_MAX, &package));
    return package_each(op, kw_bytes_span(package), take_key, it);
}

/* --- data keys -------------------------------------------------------------------------------- */

struct birth {
    struct service *service;
    const struct store_data_key *key;
};

static kw_status put_data_key(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct birth *birth = ctx;
    struct event event = {.type = EVENT_DATA_CREATE, .source = "keywright restore"};

    TRY(op, store_data_key_insert(op, txn, birth->key));
    (void)snprintf(event.object, sizeof(event.object), "data-key:%.64s", birth->key->id);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "brought back from a backup, wrapped by generation %u of '%.80s'",
                   birth->key->generation, birth->key->kek);
    return service_record(op, birth->service, txn, &event);
}

static kw_status bring_data_key(struct kw_op *op, struct bringing *it,
                                const struct store_data_key *key)
{
    struct birth birth = {it->service, key};
    struct store_data_key known;

    kw_status status = store_data_key_get(op, it->service->store, key->id, &known);
    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    TRY(op, store_change(op, it->service->store, put_data_key, &birth));
    it->n_data_keys++;
    return KW_OK;
}

static kw_status bring_data_keys(struct kw_op *op, struct bringing *it, const char *dir)
{
    char path[KW_PATH_BYTES], after[KW_NAME_MAX] = "";
    struct store_config config = {.path = path};
    struct store_data_key *page = NULL;
    AUTO(store) *from = NULL;
    unsigned n = 0;

    TRY(op, os_path_join(op, path, sizeof(path), dir, "store/keywright.db"));
    TRY(op, store_open(op, &config, &from), "the store in the backup");
    page = calloc(PAGE, sizeof(*page));
    ENSURE(op, page, KW_E_MEMORY, "no memory for data keys");
    kw_status status = KW_OK;
    do {
        status = store_data_key_list(op, from, after, PAGE, page, &n);
        for (unsigned i = 0; i < n && kw_ok(status); i++) {
            status = bring_data_key(op, it, &page[i]);
            KW_TEXT_SET(after, page[i].id);
        }
    } while (kw_ok(status) && n == PAGE);
    free(page);
    return status;
}

kw_status escrow_bring(struct kw_op *op, struct service *service, const char *dir,
                       const struct kw_secret *recovery,
                       void (*each)(void *ctx, const char *key_id, enum escrow_fate fate),
                       void *ctx, unsigned *ret_data_keys)
{
    char packages[KW_PATH_BYTES];
    __attribute__((cleanup(bringing_done))) struct bringing it = {
        .service = service, .dir = packages, .recovery = recovery, .each = each, .ctx = ctx};

    TRY(op, log_confirm(op, service));
    TRY(op, log_gap_refuse(op, service));
    TRY(op, os_path_join(op, packages, sizeof(packages), dir, "restored/vault"));
    TRY(op, read_log(op, &it), "the log");
    TRY(op, os_dir_each(op, packages, "", take_package, &it));
    TRY(op, bring_data_keys(op, &it, dir), "data keys");
    TRY(op, log_checkpoint_now(op, service));
    *ret_data_keys = it.n_data_keys;
    return KW_OK;
}
