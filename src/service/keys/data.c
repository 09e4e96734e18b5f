#include "service/keys/data.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "crypto/digest.h"
#include "keeper/data.h"
#include "model/object.h"
#include "model/policy.h"
#include "os/clock.h"
#include "service/keys/line.h"
#include "service/log/gap.h"

enum {
    ID_MAX = 64,
    PAGE = 16,
    SPARE_MS = 3000, /* of the deadline, for what was begun */
    FAILED_MAX = 32, /* then something is wrong with all of them */
};
_Static_assert((int)WRAPPED_MAX <= (int)STORE_WRAPPED_MAX, "the store has room");
_Static_assert(ID_MAX + 1 + (int)STORE_CONTEXT_MAX <= (int)KEEPER_CONTEXT_MAX,
               "the keeper takes it");

/* --- what every call needs -------------------------------------------------------------------- */

/* Bound to the id as well, so that two rows of the store cannot be exchanged. */
struct binding {
    char text[KEEPER_CONTEXT_MAX + 1];
};
static struct kw_span binding_of(const struct store_data_key *key, struct binding *room)
{
    (void)snprintf(room->text, sizeof(room->text), "%.64s\n%.159s", key->id, key->context);
    return kw_span_text(room->text);
}

static struct kw_span wrapped_of(const struct store_data_key *key)
{
    return KW_SPAN(key->wrapped, key->wrapped_len);
}

/* The newest active key of a line. */
static kw_status newest_kek(struct kw_op *op, struct service *service, const char *base,
                            struct keeper_key_info *ret)
{
    TRY(op, line_newest(op, service, base, 1U << KEY_ACTIVE, ret), "no active key wraps for '%s'",
        base);
    ENSURE(op, ret->class_ == KEY_CLASS_KEK, KW_E_DENIED, "key '%s' is a %s, not a data-kek",
           ret->key_id, key_class_text(ret->class_));
    return KW_OK;
}

static void name_event(struct event *event, const struct store_data_key *key)
{
    (void)snprintf(event->object, sizeof(event->object), "data-key:%.64s", key->id);
}

/* What the keeper will open, as its journal will have it. */
static kw_status event_of_opening(struct kw_op *op, enum event_type type,
                                  const struct store_data_key *key, struct event *ret)
{
    struct event event = {.type = type, .result = "asked"};
    struct wrapped wrapped;

    ENSURE(op, kw_ok(wrapped_decode(wrapped_of(key), &wrapped)), KW_E_INTEGRITY,
           "data key '%s': what is stored is no wrapped key", key->id);
    name_event(&event, key);
    digest_sha256(wrapped_of(key), event.digest);
    KW_TEXT_SET(event.key, wrapped.key_id);
    *ret = event;
    return KW_OK;
}

/* --- create ----------------------------------------------------------------------------------- */

static kw_status check_wish(struct kw_op *op, const struct data_key_wish *wish)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";
    size_t n = strlen(wish->id);

    ENSURE(op, n > 0 && n <= ID_MAX && strspn(wish->id, letters) == n, KW_E_INPUT,
           "an id has 1 to %d letters, digits, '.', '_' and '-'", ID_MAX);
    ENSURE(op, kw_utf8_is_plain(kw_span_text(wish->context)), KW_E_INPUT,
           "the context is no plain text");
    ENSURE(op, wish->kek[0] != '\0', KW_E_INPUT, "no key-encrypting key is named");
    return KW_OK;
}

static kw_status check_new(struct kw_op *op, struct service *service, const char *id)
{
    struct store_data_key known;

    kw_status status = store_data_key_get(op, service->store, id, &known);
    ENSURE(op, !kw_ok(status), KW_E_CONFLICT, "data key '%s' was made before", id);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

struct birth {
    struct service *service;
    const struct store_data_key *key;
    const char *kek_id;
};

static kw_status put_birth(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct birth *birth = ctx;
    struct event event = {.type = EVENT_DATA_CREATE};

    TRY(op, store_data_key_insert(op, txn, birth->key));
    name_event(&event, birth->key);
    (void)snprintf(event.detail, sizeof(event.detail), "data key wrapped by '%.95s' for '%.159s'",
                   birth->kek_id, birth->key->context);
    return service_record(op, birth->service, txn, &event);
}

kw_status data_key_create(struct kw_op *op, struct service *service,
                          const struct data_key_wish *wish, struct store_data_key *ret,
                          struct kw_secret **ret_plain)
{
    AUTO(kw_secret) *plain = NULL;
    struct store_data_key key = {.state = KEY_ACTIVE, .created_ms = service_now_ms()};
    struct kw_out wrapped = KW_OUT_ARRAY(key.wrapped);
    struct keeper_key_info kek;
    struct binding binding;

    TRY(op, check_wish(op, wish));
    TRY(op, log_gap_refuse(op, service));
    TRY(op, check_new(op, service, wish->id));
    (void)line_split(wish->kek, key.kek); /* the number: whatever is the newest */
    TRY(op, newest_kek(op, service, key.kek, &kek));
    KW_TEXT_SET(key.id, wish->id);
    KW_TEXT_SET(key.context, wish->context);
    key.generation = line_split(kek.key_id, (char[KW_NAME_MAX]){0});
    TRY(op, keeper_data_key(op, service_keeper(service, kek.key_id), kek.key_id,
                            binding_of(&key, &binding), &plain, &wrapped));
    key.wrapped_len = (uint32_t)wrapped.len;
    key.asked = key.generation;
    TRY(op, store_change(op, service->store, put_birth, &(struct birth){service, &key, kek.key_id}),
        "data key '%s'", key.id);
    *ret = key;
    if (ret_plain) {
        *ret_plain = TAKE(plain);
    }
    return KW_OK;
}

/* --- unwrap ----------------------------------------------------------------------------------- */

/* The refusal of what was recorded as asked for; op keeps its words. */
static void record_refusal(const struct kw_op *op, struct service *service, kw_status why,
                           const struct store_data_key *key)
{
    struct event event = {.type = EVENT_DATA_UNWRAP};
    struct kw_op own;

    kw_op_init(&own, op->principal, op->deadline_ms);
    KW_TEXT_SET(own.request_id, op->request_id);
    name_event(&event, key);
    (void)snprintf(event.result, sizeof(event.result), "%s", kw_code_text(why.code));
    (void)snprintf(event.detail, sizeof(event.detail), "not unwrapped: %.300s", kw_op_cause(op));
    if (!kw_ok(service_record_alone(&own, service, &event))) {
        service_complain(service, &own, "a refused unwrapping could not be recorded");
    }
}

kw_status data_key_unwrap(struct kw_op *op, struct service *service, const char *id,
                          struct store_data_key *ret, struct kw_secret **ret_plain)
{
    struct store_data_key key;
    struct binding binding;
    struct event event;

    TRY(op, log_gap_refuse(op, service));
    TRY(op, store_data_key_get(op, service->store, id, &key));
    ENSURE(op, key.state == KEY_ACTIVE || key.state == KEY_DEACTIVATED, KW_E_STATE,
           "data key '%s' is %s", id, key_state_text(key.state));
    TRY(op, event_of_opening(op, EVENT_DATA_UNWRAP, &key, &event));
    (void)snprintf(event.detail, sizeof(event.detail), "to be unwrapped by '%.95s' and given out",
                   event.key);
    TRY(op, service_record_alone(op, service, &event), "recording that a data key is unwrapped");
    kw_status status = keeper_data_unwrap(op, service_keeper(service, event.key),
                                          binding_of(&key, &binding), wrapped_of(&key), ret_plain);
    if (!kw_ok(status)) {
        record_refusal(op, service, status, &key);
        return status;
    }
    *ret = key;
    return KW_OK;
}

/* --- rewrap ----------------------------------------------------------------------------------- */

struct run {
    struct service *service;
    struct data_rewrap *told;
    unsigned n;
    struct store_data_key page[PAGE];
    struct store_data_key *after; /* NULL: at the beginning */
    struct store_data_key last;
};

/* The keeper's journal has a row for each key that it opens: the log says so before. */
static kw_status ask_page(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct run *run = ctx;
    struct event event;

    for (unsigned i = 0; i < run->n; i++) {
        const struct store_data_key *key = &run->page[i];
        bool is_new = false;
        if (!kw_ok(event_of_opening(op, EVENT_DATA_REWRAP, key, &event))) {
            kw_op_clear(op); /* the keeper will not take it either */
            continue;
        }
        TRY(op, store_data_key_ask(op, txn, key->id, run->told->generation, &is_new));
        if (is_new) {
            (void)snprintf(event.detail, sizeof(event.detail),
                           "to be wrapped by '%.95s' instead of '%.95s'", run->told->newest,
                           event.key);
            TRY(op, service_record(op, run->service, txn, &event));
        }
    }
    return KW_OK;
}

struct rewrapped {
    const struct store_data_key *key;
    uint32_t to;
    struct kw_span wrapped;
};

static kw_status put_rewrapped(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct rewrapped *it = ctx;

    return store_data_key_rewrap(op, txn, it->key->id, it->key->generation, it->to, it->wrapped,
                                 service_now_ms());
}

static kw_status rewrap_one(struct kw_op *op, const struct run *run,
                            const struct store_data_key *key)
{
    struct service *service = run->service;
    uint8_t room[WRAPPED_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct binding binding;

    TRY(op, keeper_data_rewrap(op, service_keeper(service, run->told->newest), run->told->newest,
                               binding_of(key, &binding), wrapped_of(key), &out));
    struct rewrapped it = {key, run->told->generation, kw_out_span(&out)};
    kw_status status = store_change(op, service->store, put_rewrapped, &it);
    if (status.code == KW_E_CONFLICT) { /* somebody else was faster */
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

/* Is it this one key that is wrong, so that the others may go on? */
static bool is_of_the_key(kw_status status)
{
    static const enum kw_code codes[] = {KW_E_INPUT,  KW_E_INTEGRITY, KW_E_STATE,
                                         KW_E_DENIED, KW_E_EXPIRED,   KW_E_NOT_FOUND};

    for (size_t i = 0; i < KW_COUNT(codes); i++) {
        if (status.code == codes[i]) {
            return true;
        }
    }
    return false;
}

static kw_status rewrap_page(struct kw_op *op, struct run *run)
{
    struct data_rewrap *told = run->told;

    TRY(op, store_change(op, run->service->store, ask_page, run), "recording what is rewrapped");
    for (unsigned i = 0; i < run->n; i++) {
        kw_status status = rewrap_one(op, run, &run->page[i]);
        if (!kw_ok(status) && !is_of_the_key(status)) {
            return status;
        }
        if (kw_ok(status)) {
            told->done++;
        } else if (told->failed++ == 0) {
            (void)snprintf(told->why, sizeof(told->why), "data key '%.64s': %.160s",
                           run->page[i].id, kw_op_cause(op));
        }
        kw_op_clear(op);
    }
    return KW_OK;
}

static bool has_time(const struct kw_op *op)
{
    return op->deadline_ms == 0 || os_clock_mono_ms() < op->deadline_ms - SPARE_MS;
}

static kw_status rewrap_all(struct kw_op *op, struct run *run)
{
    struct data_rewrap *told = run->told;

    while (has_time(op) && told->failed < FAILED_MAX) {
        TRY(op, store_data_key_list_old(op, run->service->store, told->kek, told->generation,
                                        run->after, PAGE, run->page, &run->n));
        if (run->n == 0) {
            return KW_OK;
        }
        run->last = run->page[run->n - 1];
        run->after = &run->last;
        TRY(op, rewrap_page(op, run));
    }
    return KW_OK;
}

/* --- how it stands ---------------------------------------------------------------------------- */

static kw_status is_unneeded(struct kw_op *op, struct service *service, const char *kek,
                             uint32_t generation, char id[KW_NAME_MAX], bool *ret)
{
    struct keeper_key_info info;
    uint64_t n = 0;

    *ret = false;
    TRY(op, store_data_key_count(op, service->store, kek, generation, generation + 1, &n));
    if (n > 0 || !policy_key_id(kek, generation, id)) {
        return KW_OK;
    }
    kw_status status = keeper_key_find(op, service_keeper(service, id), id, &info);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    *ret = kw_ok(status) && info.state != KEY_DESTROYED;
    return status;
}

static kw_status tell_unneeded(struct kw_op *op, struct service *service, struct data_rewrap *ret)
{
    size_t n = 0;

    ret->unneeded[0] = '\0';
    for (uint32_t i = 1; i < ret->generation && n < sizeof(ret->unneeded) - KW_NAME_MAX - 2; i++) {
        char id[KW_NAME_MAX];
        bool unneeded = false;
        TRY(op, is_unneeded(op, service, ret->kek, i, id, &unneeded));
        if (unneeded) {
            n += (size_t)snprintf(ret->unneeded + n, sizeof(ret->unneeded) - n, "%s%s",
                                  n > 0 ? ", " : "", id);
        }
    }
    return KW_OK;
}

kw_status data_rewrap_status(struct kw_op *op, struct service *service, const char *kek,
                             struct data_rewrap *ret)
{
    struct keeper_key_info newest;

    memset(ret, 0, sizeof(*ret));
    (void)line_split(kek, ret->kek); /* the number: all of the line */
    TRY(op, newest_kek(op, service, ret->kek, &newest));
    KW_TEXT_SET(ret->newest, newest.key_id);
    ret->generation = line_split(newest.key_id, (char[KW_NAME_MAX]){0});
    TRY(op, store_data_key_count(op, service->store, ret->kek, 1, ret->generation, &ret->left));
    return tell_unneeded(op, service, ret);
}

static kw_status record_run(struct kw_op *op, struct service *service,
                            const struct data_rewrap *told)
{
    struct event event = {.type = EVENT_DATA_REWRAP};

    object_write(OBJECT_KEY, told->newest, event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "%llu data keys are wrapped by '%.95s' now, %llu are not yet; no longer needed: "
                   "%.200s",
                   (unsigned long long)told->done, told->newest, (unsigned long long)told->left,
                   told->unneeded[0] ? told->unneeded : "none");
    return service_record_alone(op, service, &event);
}

static kw_status rewrap(struct kw_op *op, struct run *run)
{
    struct data_rewrap *told = run->told;

    TRY(op, rewrap_all(op, run), "%llu data keys are wrapped by '%s' now; then",
        (unsigned long long)told->done, told->newest);
    TRY(op,
        store_data_key_count(op, run->service->store, told->kek, 1, told->generation, &told->left));
    TRY(op, tell_unneeded(op, run->service, told));
    return told->done > 0 ? record_run(op, run->service, told) : KW_OK;
}

kw_status data_rewrap(struct kw_op *op, struct service *service, const char *kek,
                      struct data_rewrap *ret)
{
    TRY(op, log_gap_refuse(op, service));
    TRY(op, data_rewrap_status(op, service, kek, ret));
    if (ret->left == 0) {
        return KW_OK;
    }
    struct run *run = calloc(1, sizeof(*run)); /* larger than a handler's stack likes */
    ENSURE(op, run, KW_E_MEMORY, "no memory for rewrapping");
    run->service = service;
    run->told = ret;
    kw_status status = rewrap(op, run);
    free(run);
    return status;
}

kw_status data_settle(struct kw_op *op, struct service *service, bool *ret_more)
{
    char kek[KW_NAME_MAX] = "";
    kw_status first = KW_OK;

    *ret_more = false;
    for (;;) {
        struct data_rewrap told = {0}; /* stays so where the line has no active key */
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        struct kw_op *now =
            kw_ok(first) ? op : &own; /* one failure does not hide another's words */
        kw_status status = store_data_key_next_kek(now, service->store, kek, kek);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(now);
            return first;
        }
        TRY(now, status);
        status = data_rewrap(now, service, kek, &told);
        if (status.code == KW_E_NOT_FOUND) { /* no active key: somebody wants it so */
            kw_op_clear(now);
            status = KW_OK;
        }
        if (kw_ok(status) && told.failed > 0) {
            status = FAIL(now, KW_E_STATE, "%s", told.why);
        }
        *ret_more |= kw_ok(status) && told.left > 0 && told.done > 0;
        first = kw_ok(first) ? status : first;
    }
}
