#include "service/log/loss.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/hex.h"
#include "base/time.h"
#include "keeper/subjects.h"
#include "os/clock.h"
#include "service/event_text.h"
#include "service/keys/line.h"
#include "service/log/gap.h"
#include "service/log/keys.h"
#include "service/log/lines.h"
#include "service/log/log.h"

static const char STEP_REASON[] = "the log goes on as a new line: a loss was accepted";
static const char CA_PREFIX[] = "ca-";
enum {
    CAS_PREFIX_LEN = sizeof(CA_PREFIX) - 1,
    LOOK_BACK = 64, /* entries behind the loss that was told of before a cut: hardly any */
};

_Static_assert(sizeof((struct loss){0}.vkey) >= CHECKPOINT_VKEY_MAX, "room");

struct accepting {
    struct service *service;
    const char *why;
    const struct loss_approval *approve;
    unsigned newest;          /* line in which the keeper has keys */
    unsigned signed_line;     /* newest one of which it signed a head; 0: none */
    char signer[KW_NAME_MAX]; /* a key of that line, not destroyed */
    unsigned next;            /* line in which it goes on; 0: to be begun */
    bool told;                /* the store is in it already: only its first head is missing */
    unsigned n_crls;
    struct {
        char counter[KW_NAME_MAX + 8];
        uint64_t number;
    } crls[SERVICE_CAS_MAX * 4];
    struct kw_bytes *last_note; /* of the line that ends; NULL: it has none */
    struct loss *loss;
};

/* --- what the keeper remembers ---------------------------------------------------------------- */

static void take_log_key(struct accepting *it, const struct keeper_key_life *life)
{
    unsigned line = log_line_of(life->key_id);
    bool usable = life->state == KEY_PRE_ACTIVE || life->state == KEY_ACTIVE;

    it->newest = line > it->newest ? line : it->newest;
    if (life->tree_size == 0 && usable && line > it->next) {
        it->next = line; /* begun here, then cut */
    }
    if (life->tree_size == 0 || line < it->signed_line) {
        return;
    }
    if (line > it->signed_line || life->tree_size > it->loss->lost_size) {
        it->loss->lost_size = life->tree_size;
        memcpy(it->loss->lost_root, life->tree_root, sizeof(life->tree_root));
    }
    if (life->state != KEY_DESTROYED) {
        KW_TEXT_SET(it->signer, life->key_id);
    }
    it->signed_line = line;
}

/* "ca-devices.2" counts with "ca-devices" (crl_maker.c). */
static kw_status take_ca(struct kw_op *op, struct accepting *it, const struct keeper_key_life *life)
{
    char base[KW_NAME_MAX];

    (void)line_split(life->key_id, base);
    if (life->crl_number == 0 || strncmp(base, CA_PREFIX, CAS_PREFIX_LEN) != 0) {
        return KW_OK;
    }
    ENSURE(op, it->n_crls < KW_COUNT(it->crls), KW_E_LIMIT, "more than %zu keys of CAs",
           KW_COUNT(it->crls));
    (void)snprintf(it->crls[it->n_crls].counter, sizeof(it->crls[0].counter), "crl:%s",
                   base + CAS_PREFIX_LEN);
    it->crls[it->n_crls++].number = life->crl_number;
    return KW_OK;
}

/* Each key of all vaults; none may be away. */
static kw_status remember(struct kw_op *op, struct accepting *it)
{
    struct service_key_walk walk = {0};
    struct keeper_key_info info;
    struct keeper_key_life life;

    for (;;) {
        kw_status status = service_key_next(op, it->service, &walk, &info);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status, "the keys of all vaults");
        TRY(op,
            keeper_key_history(op, service_keeper(it->service, info.key_id), info.key_id, &life));
        if (info.class_ == KEY_CLASS_LOG_SIGNER && log_line_of(info.key_id) > 0) {
            take_log_key(it, &life);
        } else if (info.class_ == KEY_CLASS_ISSUING_CA) {
            TRY(op, take_ca(op, it, &life));
        }
    }
}

/* --- may it? ---------------------------------------------------------------------------------- */

static kw_status check_witness(struct kw_op *op, const struct accepting *it)
{
    struct checkpoint seen;

    TRY(op, log_gap_seen(op, it->service, &seen), "the checkpoint that was seen elsewhere");
    ENSURE(op, seen.size <= it->loss->lost_size, KW_E_CONFLICT,
           "a head of %llu entries was seen, but the keeper remembers %llu: the vault was put back "
           "too, so its counters cannot be trusted; bring its newest state back",
           (unsigned long long)seen.size, (unsigned long long)it->loss->lost_size);
    return KW_OK;
}

static kw_status check(struct kw_op *op, struct accepting *it)
{
    struct service *service = it->service;
    char old_line[KW_NAME_MAX], new_line[KW_NAME_MAX];

    ENSURE(op, it->signed_line > 0, KW_E_CONFLICT, "the keeper signed no head of a log yet");
    ENSURE(op, it->loss->have < it->loss->lost_size || it->signed_line != service->log_line,
           KW_E_CONFLICT, "nothing is missing: the store has %llu entries, %llu were signed",
           (unsigned long long)it->loss->have, (unsigned long long)it->loss->lost_size);
    TRY(op, check_witness(op, it));
    it->next = it->next > it->signed_line ? it->next : 0;
    it->told = it->next != 0 && it->next == service->log_line;
    TRY(op, log_line_origin(op, service, it->signed_line, it->loss->old_origin));
    log_line_name(it->signed_line, old_line);
    log_line_name(it->newest + 1, new_line);
    ENSURE(op, service_keeper(service, old_line) == service_keeper(service, new_line),
           KW_E_CONFLICT, "'%s' would be made in another vault than '%s': change `vaults`",
           new_line, old_line);
    return KW_OK;
}

/* --- the keeper ------------------------------------------------------------------------------- */

/* From here on nobody can sign the old line any more. */
static kw_status end_old_lines(struct kw_op *op, const struct accepting *it)
{
    struct service_key_walk walk = {0};
    struct keeper_key_info info;

    for (;;) {
        kw_status status = service_key_next(op, it->service, &walk, &info);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        if (info.class_ == KEY_CLASS_LOG_SIGNER && log_line_of(info.key_id) < it->next &&
            (info.state == KEY_ACTIVE || info.state == KEY_SUSPENDED)) {
            TRY(op,
                keeper_key_step(op, service_keeper(it->service, info.key_id), info.key_id,
                                KEY_EVENT_DEACTIVATE, STEP_REASON, /* approval_id= */ 0, NULL),
                "ending '%s'", info.key_id);
        }
    }
}

/* Cut between its making and its first state. */
static kw_status activate(struct kw_op *op, const struct accepting *it, const char *name)
{
    struct keeper *keeper = service_keeper(it->service, name);
    struct keeper_key_life life;

    TRY(op, keeper_key_history(op, keeper, name, &life));
    return life.state != KEY_PRE_ACTIVE
               ? KW_OK
               : keeper_key_step(op, keeper, name, KEY_EVENT_ACTIVATE, STEP_REASON,
                                 /* approval_id= */ 0, NULL);
}

/* The keeper makes its key, with others' consent where the vault's rules want that. */
static kw_status make_line(struct kw_op *op, const struct accepting *it,
                           struct keeper_key_info *ret)
{
    struct keeper *keeper = service_keeper(it->service, it->signer);
    struct keeper_key_life life;
    uint64_t approval_id = 0;
    kw_status status = keeper_log_line(op, keeper, it->signer, /* approval_id= */ 0, ret);

    if (status.code != KW_E_APPROVAL || !it->approve || !it->approve->ask) {
        return status;
    }
    kw_op_clear(op);
    TRY(op, keeper_key_history(op, keeper, it->signer, &life));
    struct approval_subject subject = subject_log_line(it->signer, life.tree_size);
    TRY(op, it->approve->ask(op, keeper, &subject, it->approve->ctx, &approval_id));
    return keeper_log_line(op, keeper, it->signer, approval_id, ret);
}

/* The keeper chooses name and origin, and signed nothing of them. */
static kw_status begin_line(struct kw_op *op, struct accepting *it)
{
    struct keeper_key_info made;
    char name[KW_NAME_MAX];
    AUTO(pubkey) *key = NULL;

    if (it->next == 0) {
        TRY(op, make_line(op, it, &made));
        it->next = log_line_of(made.key_id);
    }
    log_line_name(it->next, name);
    TRY(op, activate(op, it, name), "key '%s'", name);
    TRY(op, log_line_origin(op, it->service, it->next, it->loss->new_origin));
    TRY(op, keeper_key_public(op, service_keeper(it->service, name), name, &key), "key '%s'", name);
    return checkpoint_vkey(op, it->loss->new_origin, key, it->loss->vkey, sizeof(it->loss->vkey));
}

/* --- the store -------------------------------------------------------------------------------- */

static kw_status describe(struct kw_op *op, const struct accepting *it, struct event *ret)
{
    const struct loss *loss = it->loss;
    char root[2 * KW_HASH_BYTES + 1], since[KW_TIME_TEXT];

    *ret = (struct event){.type = EVENT_LOG_LOSS, .source = "keywright restore"};
    kw_hex(KW_SPAN_ARRAY(loss->lost_root), root, sizeof(root));
    (void)kw_time_text_ms(loss->since_ms, since);
    ENSURE(op, KW_TEXT_SET(ret->object, "log"), KW_E_INTERNAL, "no room");
    (void)snprintf(ret->detail, sizeof(ret->detail),
                   "the log of '%.95s' was lost behind entry %llu of %llu that were signed, root "
                   "%s; nothing is known from %s on; it goes on as '%.95s': %.200s",
                   loss->old_origin, (unsigned long long)loss->have,
                   (unsigned long long)loss->lost_size, root, since, loss->new_origin, it->why);
    return KW_OK;
}

static kw_status change(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct accepting *it = ctx;
    struct event event;

    for (unsigned i = 0; i < it->n_crls; i++) {
        TRY(op, store_counter_raise(op, txn, it->crls[i].counter, it->crls[i].number));
    }
    if (it->last_note) {
        TRY(op, log_checkpoint_archive(op, txn, it->signed_line, kw_bytes_span(it->last_note)));
    }
    TRY(op, log_line_put(op, txn, it->next, it->loss->new_origin));
    TRY(op, log_vkey_put(op, txn, it->loss->vkey));
    TRY(op, describe(op, it, &event));
    return service_record(op, it->service, txn, &event);
}

/* Only where the store is still in the line that ends: a cut acceptance left it there too. */
static kw_status read_last_note(struct kw_op *op, struct accepting *it)
{
    if (it->service->log_line != it->signed_line) {
        return KW_OK;
    }
    kw_status status = log_checkpoint(op, it->service, &it->last_note);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

static void accepting_done(struct accepting *it)
{
    kw_bytes_free(it->last_note);
}

static kw_status take_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct accepting *it = ctx;
    struct event event;

    TRY(op, event_decode(op, entry, &event));
    if (it->told && event.type == EVENT_LOG_LOSS) {
        it->loss->have = index;
    } else if (index < it->loss->have) {
        it->loss->since_ms = event.unix_ms;
    }
    return KW_OK;
}

/* Since when nothing is known. What was told of before a cut is itself no part of what was kept. */
static kw_status measure(struct kw_op *op, struct accepting *it)
{
    uint64_t have = it->loss->have;
    uint64_t n = it->told && have > LOOK_BACK ? LOOK_BACK : it->told ? have : 1;

    return store_log_each(op, it->service->store, have - n, (unsigned)n, take_entry, it);
}

/* What was seen of the old line is not of the new one; each line's stays for ever. */
static kw_status put_aside_seen(struct kw_op *op, const struct accepting *it)
{
    const struct config *config = &it->service->config;
    char from[KW_PATH_BYTES], to[KW_PATH_BYTES], name[64];

    (void)snprintf(name, sizeof(name), "store/lost.checkpoint.%u", it->signed_line);
    TRY(op, config_path(op, config, "store/seen.checkpoint", from, sizeof(from)));
    TRY(op, config_path(op, config, name, to, sizeof(to)));
    ENSURE(op, rename(from, to) == 0 || errno == ENOENT, KW_E_IO, "putting %s aside", from);
    return KW_OK;
}

kw_status log_accept_loss(struct kw_op *op, struct service *service, const char *why,
                          const struct loss_approval *approve, struct loss *ret)
{
    __attribute__((cleanup(accepting_done))) struct accepting it = {
        .service = service, .why = why, .approve = approve, .loss = ret};

    *ret = (struct loss){.have = log_head_now(service).size, .until_ms = os_clock_unix_ms()};
    ENSURE(op, ret->have > 0, KW_E_CONFLICT, "the store is empty: restore a backup first");
    TRY(op, remember(op, &it), "what the keeper remembers");
    TRY(op, check(op, &it));
    TRY(op, measure(op, &it), "what the store has");
    TRY(op, read_last_note(op, &it), "the last head of the line that ends");
    TRY(op, begin_line(op, &it), "beginning a new line of the log");
    TRY(op, end_old_lines(op, &it));
    TRY(op, put_aside_seen(op, &it));
    if (!it.told) {
        TRY(op, store_change(op, service->store, change, &it), "beginning the new line");
        log_line_take(service, it.next, ret->new_origin);
    }
    return log_confirm(op, service);
}
