#include "mosquitto/feed_internal.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"
#include "os/clock.h"

enum {
    WAIT_MAX_S = 2, /* so long the end of the broker may wait for it, too */
    SLACK_MS = 5000,
    RETRY_MS = 500,
    PACE_MS = 40, /* so often an hour of enrolments may wake us */
    MANY = 50,    /* changes in one answer: the next is asked for at once */
    METRICS_MS = 2000,
};

/* --- words for the log ------------------------------------------------------------------------ */

static void note(struct feed *feed, const char *text)
{
    (void)pthread_mutex_lock(&feed->mutex);
    if (feed->n_notes < FEED_NOTES_MAX) {
        (void)snprintf(feed->notes[feed->n_notes++], FEED_NOTE_BYTES, "%s", text);
    }
    (void)pthread_mutex_unlock(&feed->mutex);
}

bool feed_note(struct feed *feed, char text[256])
{
    (void)pthread_mutex_lock(&feed->mutex);
    bool any = feed->n_notes > 0;
    if (any) {
        memcpy(text, feed->notes[0], FEED_NOTE_BYTES);
        memmove(feed->notes[0], feed->notes[1], (size_t)--feed->n_notes * FEED_NOTE_BYTES);
    }
    (void)pthread_mutex_unlock(&feed->mutex);
    return any;
}

/* --- the table -------------------------------------------------------------------------------- */

static void swap_table(struct feed *feed, struct table *table)
{
    (void)pthread_rwlock_wrlock(&feed->lock);
    struct table *before = feed->table;
    feed->table = table;
    (void)pthread_rwlock_unlock(&feed->lock);
    table_free(before);
}

static kw_status make_room(struct kw_op *op, const struct broker_item_view *item,
                           struct table **table)
{
    struct table *bigger = NULL;

    if (!table_full(*table, item)) {
        return KW_OK;
    }
    TRY(op, table_copy(op, *table, os_clock_unix_s(), &bigger));
    table_free(*table);
    *table = bigger;
    return KW_OK;
}

/* A change in the table that others look at: what takes long is done beside it. */
static kw_status put_change(struct kw_op *op, struct feed *feed,
                            const struct broker_item_view *item, bool *lowered)
{
    struct table *bigger = NULL;
    bool this_one = false;

    if (table_full(feed->table, item)) {
        TRY(op, table_copy(op, feed->table, os_clock_unix_s(), &bigger));
        swap_table(feed, bigger);
    }
    (void)pthread_rwlock_wrlock(&feed->lock);
    kw_status status = table_put(op, feed->table, item, feed->told_ms, &this_one);
    (void)pthread_rwlock_unlock(&feed->lock);
    *lowered = *lowered || this_one;
    return status;
}

bool feed_find(struct feed *feed, const uint8_t sha256[KW_HASH_BYTES], struct feed_client *ret)
{
    struct known known;

    (void)pthread_rwlock_rdlock(&feed->lock);
    bool found = feed->table && table_find(feed->table, sha256, &known);
    if (found) {
        bool holds = known.attested_until_s == 0 || known.attested_until_s >= os_clock_unix_s();
        KW_TEXT_SET(ret->owner, known.owner);
        KW_TEXT_SET(ret->kind, known.kind);
        KW_TEXT_SET(ret->profile, known.profile);
        ret->standing = known.standing;
        ret->ends_s = known.ends_s;
        ret->verdict = holds || known.verdict != VERDICT_TRUSTED ? known.verdict : VERDICT_SUSPECT;
        ret->level = known.level;
        ret->changed_ms = known.changed_ms;
    }
    (void)pthread_rwlock_unlock(&feed->lock);
    return found;
}

/* --- asking ----------------------------------------------------------------------------------- */

static kw_status ask(struct kw_op *op, struct feed *feed, const char *path)
{
    const struct http_call call = {.method = HTTP_GET, .path = path, .accept = "application/json"};
    struct http_answer answer = {0};

    memset(&feed->view, 0, sizeof(feed->view));
    TRY(op, http_client_call(op, feed->link.client, &call, &answer));
    feed->told_ms = os_clock_mono_ms();
    kw_status status = answer.status == 200
                           ? codec_json_decode(op, kw_bytes_span(answer.body), broker_view_fields,
                                               broker_view_fields_n, &feed->view)
                           : FAIL(op,
                                  answer.status == 409   ? KW_E_STATE
                                  : answer.status >= 500 ? KW_E_UNAVAILABLE
                                                         : KW_E_DEVICE,
                                  "the server answered with status %d", answer.status);
    http_answer_done(&answer);
    TRY(op, status, "who may connect");
    atomic_fetch_add(&feed->figures.answers, 1);
    return KW_OK;
}

static void take_cas(struct feed *feed, struct feed_cas *cas)
{
    (void)pthread_mutex_lock(&feed->mutex);
    struct feed_cas before = feed->cas;
    feed->cas = *cas;
    feed->cas_new = true;
    (void)pthread_mutex_unlock(&feed->mutex);
    *cas = before; /* the caller's to drop */
}

kw_status feed_hand_cas(struct kw_op *op, struct feed *feed, bool all, feed_cas_fn put, void *ctx)
{
    const struct feed_cas *cas = &feed->cas;

    (void)pthread_mutex_lock(&feed->mutex);
    kw_status status = cas->n_roots > 0 && (all || feed->cas_new)
                           ? put(op, ctx, cas->roots, cas->n_roots, cas->at, cas->n)
                           : KW_OK;
    feed->cas_new = false; /* what failed once fails again: it is told once */
    (void)pthread_mutex_unlock(&feed->mutex);
    return status;
}

static kw_status look_at_trust(struct kw_op *op, struct feed *feed)
{
    if (memcmp(feed->trust, feed->view.trust, sizeof(feed->trust)) == 0) {
        return KW_OK;
    }
    struct feed_cas cas = {0}; /* those in force are good even where the folder is not writable */
    kw_status status = feed_cas_fetch(op, &feed->config, &feed->link, &cas);
    if (cas.n_roots > 0) {
        take_cas(feed, &cas);
    }
    feed_cas_drop(&cas);
    TRY(op, status);
    memcpy(feed->trust, feed->view.trust, sizeof(feed->trust));
    return KW_OK;
}

/* A full disk may keep a new CA out; what is known of clients goes on. Tried again each time. */
static void follow_trust(struct feed *feed)
{
    char why[FEED_NOTE_BYTES - 32], text[FEED_NOTE_BYTES];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    bool good = kw_ok(look_at_trust(&op, feed));
    if (!good && !feed->trust_failing) {
        (void)snprintf(text, sizeof(text), "new CAs are not kept: %s",
                       kw_op_message(&op, why, sizeof(why)));
        note(feed, text);
    }
    feed->trust_failing = !good;
}

static void tell_fell(struct feed *feed)
{
    atomic_fetch_add(&feed->generation, 1);
}

static kw_status fill(struct kw_op *op, struct feed *feed, struct table **table)
{
    char path[128];
    bool lowered = false;
    uint64_t after = 0;

    for (bool first = true; first || after > 0; first = false) {
        (void)snprintf(path, sizeof(path), "/broker/v1/snapshot?after=%llu",
                       (unsigned long long)after);
        TRY(op, ask(op, feed, path));
        ENSURE(op, first || feed->view.after == 0 || feed->view.after > after, KW_E_DEVICE,
               "a snapshot that goes backwards");
        if (first) {
            feed->cursor = feed->enforced = feed->view.cursor;
            KW_TEXT_SET(feed->log, feed->view.log);
        }
        for (unsigned i = 0; i < feed->view.n; i++) {
            TRY(op, make_room(op, &feed->view.at[i], table));
            TRY(op, table_put(op, *table, &feed->view.at[i], feed->told_ms, &lowered));
        }
        after = feed->view.after;
        ENSURE(op, !atomic_load(&feed->stop), KW_E_UNAVAILABLE, "the broker stops");
    }
    return KW_OK;
}

static kw_status take_snapshot(struct kw_op *op, struct feed *feed)
{
    AUTO(table) *table = NULL;
    int64_t asked_ms = os_clock_mono_ms();

    TRY(op, table_new(op, &table));
    TRY(op, fill(op, feed, &table), "snapshot");
    follow_trust(feed); /* before anybody comes in by it */
    char text[FEED_NOTE_BYTES];
    (void)snprintf(text, sizeof(text), "%zu certificates may connect (log index %llu)",
                   table_count(table), (unsigned long long)feed->cursor);
    swap_table(feed, TAKE(table));
    feed->whole = true;
    atomic_store(&feed->fresh_ms, asked_ms);
    atomic_fetch_add(&feed->figures.snapshots, 1);
    tell_fell(feed);
    note(feed, text);
    return KW_OK;
}

/* The server takes `since` as our word that all below is enforced: so the broker's thread first
 * looks at its sessions. */
static void wait_for_sweep(struct feed *feed)
{
    unsigned wanted = atomic_load(&feed->generation);

    (void)pthread_mutex_lock(&feed->mutex);
    while (feed->swept != wanted && !atomic_load(&feed->stop)) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        (void)pthread_cond_timedwait(&feed->swept_more, &feed->mutex, &until);
    }
    (void)pthread_mutex_unlock(&feed->mutex);
}

static kw_status put_changes(struct kw_op *op, struct feed *feed)
{
    kw_status status = KW_OK;
    bool lowered = false;

    for (unsigned i = 0; i < feed->view.n && kw_ok(status); i++) {
        status = put_change(op, feed, &feed->view.at[i], &lowered);
    }
    if (lowered) {
        tell_fell(feed);
    }
    return status;
}

static bool is_swept(struct feed *feed)
{
    (void)pthread_mutex_lock(&feed->mutex);
    bool swept = feed->swept == atomic_load(&feed->generation);
    (void)pthread_mutex_unlock(&feed->mutex);
    return swept;
}

/* While changes come in a row they are taken without a pause, and looked at together; what is
 * enforced is said when it is. */
static kw_status take_changes(struct kw_op *op, struct feed *feed)
{
    char path[160];

    if (!feed->in_a_row) {
        wait_for_sweep(feed);
    }
    if (is_swept(feed)) {
        feed->enforced = feed->cursor;
    }
    (void)snprintf(path, sizeof(path), "/broker/v1/changes?since=%llu&enforced=%llu&wait=%u",
                   (unsigned long long)feed->cursor, (unsigned long long)feed->enforced,
                   feed->in_a_row ? 0 : feed->wait_s);
    int64_t asked_ms = os_clock_mono_ms();
    TRY(op, ask(op, feed, path));
    ENSURE(op, strcmp(feed->log, feed->view.log) == 0 && feed->view.cursor >= feed->cursor,
           KW_E_STATE, "the server has another log now");
    TRY(op, put_changes(op, feed));
    feed->cursor = feed->view.cursor;
    feed->in_a_row = feed->view.n > 0;
    atomic_store(&feed->fresh_ms, asked_ms); /* all that was so then is in the table now */
    follow_trust(feed);
    return KW_OK;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void nap(const struct feed *feed, int64_t ms)
{
    int64_t until = os_clock_mono_ms() + ms;
    const struct timespec step = {.tv_nsec = 20 * 1000000L};

    while (!atomic_load(&feed->stop) && os_clock_mono_ms() < until) {
        (void)nanosleep(&step, NULL); /* woken early: asks again */
    }
}

static kw_status step(struct kw_op *op, struct feed *feed)
{
    if (atomic_exchange(&feed->renew, false)) {
        feed_link_close(&feed->link);
        feed->whole = false;
    }
    if (!feed->link.client) {
        TRY(op, feed_link_open(op, &feed->config, feed->wait_s * 1000 + SLACK_MS, &feed->link));
        memset(feed->trust, 0, sizeof(feed->trust)); /* by the roots as they are now */
        feed->in_a_row = false;
    }
    return feed->whole ? take_changes(op, feed) : take_snapshot(op, feed);
}

static void fail(struct feed *feed, const struct kw_op *op)
{
    char why[FEED_NOTE_BYTES - 32], text[FEED_NOTE_BYTES];

    atomic_fetch_add(&feed->figures.failures, 1);
    if (!feed->failing) {
        (void)snprintf(text, sizeof(text), "the feed fails: %s",
                       kw_op_message(op, why, sizeof(why)));
        note(feed, text);
    }
    feed->failing = true;
    feed->whole = feed->whole && (op->code == KW_E_UNAVAILABLE || op->code == KW_E_TIMEOUT ||
                                  op->code == KW_E_AUTH); /* else all is asked for anew */
    feed_link_close(&feed->link); /* a renewed credential is read by that, too */
}

static void metrics(struct feed *feed)
{
    struct kw_op op;

    if (os_clock_mono_ms() - feed->metrics_ms < METRICS_MS) {
        return;
    }
    kw_op_init(&op, NULL, 0);
    (void)feed_metrics_write(&op, feed); /* a full disk stops no broker */
    feed->metrics_ms = os_clock_mono_ms();
}

static void *run(void *ctx)
{
    struct feed *feed = ctx;

    while (!atomic_load(&feed->stop)) {
        struct kw_op op;
        kw_op_init(&op, NULL, 0);
        if (kw_ok(step(&op, feed))) {
            if (feed->failing) {
                note(feed, "the feed is there again");
            }
            feed->failing = false;
            nap(feed, feed->view.n < MANY ? PACE_MS : 0);
        } else {
            fail(feed, &op);
            nap(feed, RETRY_MS);
        }
        (void)pthread_rwlock_rdlock(&feed->lock);
        atomic_store(&feed->figures.clients, feed->table ? table_count(feed->table) : 0);
        atomic_store(&feed->figures.bytes, feed->table ? table_bytes(feed->table) : 0);
        (void)pthread_rwlock_unlock(&feed->lock);
        metrics(feed);
    }
    return NULL;
}

/* The broker's signals are the broker's thread's. */
static kw_status start_thread(struct kw_op *op, struct feed *feed)
{
    sigset_t all, before;

    (void)sigfillset(&all); /* none of these fails with valid arguments */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&feed->thread, NULL, run, feed);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ENSURE(op, failed == 0, KW_E_MEMORY, "no thread for the feed");
    return KW_OK;
}

kw_status feed_start(struct kw_op *op, const struct feed_config *config, unsigned stale_s,
                     struct feed **ret)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    pthread_condattr_t monotonic;

    ENSURE(op, feed, KW_E_MEMORY, "no memory for the feed");
    feed->config = *config;
    feed->wait_s = stale_s / 3 < WAIT_MAX_S ? stale_s / 3 : WAIT_MAX_S;
    (void)pthread_rwlock_init(&feed->lock, NULL); /* glibc's never fail */
    (void)pthread_mutex_init(&feed->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&feed->swept_more, &monotonic);
    kw_status status = start_thread(op, feed);
    if (!kw_ok(status)) {
        free(feed);
        return status;
    }
    *ret = feed;
    return KW_OK;
}

void feed_stop(struct feed *feed)
{
    if (!feed) {
        return;
    }
    atomic_store(&feed->stop, true);
    (void)pthread_join(feed->thread, NULL);
    feed_link_close(&feed->link);
    feed_cas_drop(&feed->cas);
    table_free(feed->table);
    free(feed);
}

void feed_renew(struct feed *feed)
{
    atomic_store(&feed->renew, true);
}

int64_t feed_age_ms(const struct feed *feed)
{
    long long fresh = atomic_load(&feed->fresh_ms);

    return fresh == 0 ? INT64_MAX : os_clock_mono_ms() - fresh;
}

unsigned feed_generation(const struct feed *feed)
{
    return atomic_load(&feed->generation);
}

void feed_swept(struct feed *feed, unsigned generation)
{
    (void)pthread_mutex_lock(&feed->mutex);
    feed->swept = generation;
    (void)pthread_cond_signal(&feed->swept_more);
    (void)pthread_mutex_unlock(&feed->mutex);
}

/* Seconds, upper ends; the last is for all. */
static const unsigned delays_ms[FEED_DELAYS] = {50, 100, 250, 500, 1000, 2500, 10000, UINT_MAX};

unsigned feed_delay_ms(unsigned i)
{
    return delays_ms[i];
}

void feed_kicked(struct feed *feed, uint32_t changed_ms)
{
    uint32_t delay_ms = (uint32_t)os_clock_mono_ms() - changed_ms;
    struct feed_figures *figures = &feed->figures;
    unsigned i = 0;

    while (delay_ms > delays_ms[i]) {
        i++;
    }
    atomic_fetch_add(&figures->delays[i], 1);
    atomic_fetch_add(&figures->delay_sum_ms, delay_ms);
    if (delay_ms > atomic_load(&figures->delay_max_ms)) { /* only the broker's thread writes */
        atomic_store(&figures->delay_max_ms, delay_ms);
    }
}

struct feed_figures *feed_figures(struct feed *feed)
{
    return &feed->figures;
}
