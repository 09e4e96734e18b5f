#include "service/validation/status_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "service/validation/status_owners.h"

/*
 * Many small open-addressed tables, each with its lock: none is held for longer than one probe or
 * one small table's growth, and nobody waits while a table of a million grows.
 */
enum {
    SEGMENTS = 4096,
    SEGMENT_BITS = 12,
    FULL_TENTHS = 9, /* grown when so full: with an eighth more, 35 to 40 octets a certificate */
    FIRST_CAP = 8,
    NAMES_MAX = 254,
    NAME_NONE = 255,
    REASON_BITS = 4,
    OWNER_IDS_MAX = 1 << 28,
};
#define TIME_NEVER UINT32_MAX

struct entry {
    uint8_t serial[KW_SERIAL_BYTES];
    uint32_t owner;
    uint32_t not_after, revoked; /* Unix seconds, until 2106; TIME_NEVER */
    uint8_t ca, profile;         /* numbers of names */
    uint8_t standing;            /* state << REASON_BITS | reason; 0 = empty */
    uint8_t spare;
};
_Static_assert(sizeof(struct entry) == 32, "as the header promises");

struct segment {
    pthread_mutex_t lock;
    struct entry *at;
    uint32_t n, cap;
};

/* A few names, only ever added to. */
struct names {
    pthread_mutex_t lock; /* of who adds */
    atomic_uint n;
    char at[NAMES_MAX][KW_NAME_MAX];
};

struct status_table {
    atomic_bool filled;
    atomic_uint doubts;  /* how often nothing could be believed */
    atomic_uint fills;   /* begun: owners have other numbers since */
    atomic_ullong other; /* certificates that are not held */
    struct names cas, profiles;
    struct status_owners owners;
    struct segment segments[SEGMENTS];
};

/* --- names ------------------------------------------------------------------------------------ */

static unsigned name_find(struct names *names, struct kw_span text)
{
    unsigned n = atomic_load_explicit(&names->n, memory_order_acquire);

    for (unsigned i = 0; i < n; i++) {
        if (kw_span_equal(kw_span_text(names->at[i]), text)) {
            return i;
        }
    }
    return NAME_NONE;
}

static unsigned name_put(struct names *names, struct kw_span text)
{
    unsigned found = name_find(names, text);

    if (found != NAME_NONE) {
        return found;
    }
    (void)pthread_mutex_lock(&names->lock);
    found = name_find(names, text);
    unsigned n = atomic_load(&names->n);
    if (found == NAME_NONE && n < NAMES_MAX && text.len < KW_NAME_MAX) {
        memcpy(names->at[n], text.p, text.len);
        names->at[n][text.len] = 0;
        atomic_store_explicit(&names->n, n + 1, memory_order_release);
        found = n;
    }
    (void)pthread_mutex_unlock(&names->lock);
    return found;
}

/* --- one segment ------------------------------------------------------------------------------ */

/* Serial numbers are random, except those of an imported CA: stirred as MurmurHash3 ends. */
static uint64_t hash_of(unsigned ca, const uint8_t serial[KW_SERIAL_BYTES])
{
    uint64_t a = 0, b = 0;

    memcpy(&a, serial, sizeof(a));
    memcpy(&b, serial + sizeof(a), sizeof(b));
    uint64_t x = a ^ (b * UINT64_C(0x9e3779b97f4a7c15)) ^ (uint64_t)ca << 56;
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static struct segment *segment_of(struct status_table *table, uint64_t hash)
{
    return &table->segments[hash >> (64 - SEGMENT_BITS)];
}

/* Where it is, or where it would go; cap > 0, never full. */
static struct entry *place_of(const struct segment *segment, uint64_t hash, unsigned ca,
                              const uint8_t serial[KW_SERIAL_BYTES])
{
    uint32_t i = (uint32_t)((hash & UINT32_MAX) * segment->cap >> 32);

    for (;; i = i + 1 == segment->cap ? 0 : i + 1) {
        struct entry *entry = &segment->at[i];
        if (entry->standing == 0 ||
            (entry->ca == ca && memcmp(entry->serial, serial, KW_SERIAL_BYTES) == 0)) {
            return entry;
        }
    }
}

static bool grow(struct segment *segment)
{
    struct segment more = {.cap = segment->cap ? segment->cap + segment->cap / 8 + 1 : FIRST_CAP};

    more.at = calloc(more.cap, sizeof(*more.at));
    if (!more.at) {
        return false;
    }
    for (uint32_t i = 0; i < segment->cap; i++) {
        const struct entry *entry = &segment->at[i];
        if (entry->standing != 0) {
            *place_of(&more, hash_of(entry->ca, entry->serial), entry->ca, entry->serial) = *entry;
        }
    }
    free(segment->at);
    segment->at = more.at;
    segment->cap = more.cap;
    return true;
}

/* The entry to be written, a fresh one where it is not there (standing 0); lock is held. */
static struct entry *entry_for(struct segment *segment, uint64_t hash, unsigned ca,
                               const uint8_t serial[KW_SERIAL_BYTES])
{
    if ((segment->n + 1) * 10 > segment->cap * FULL_TENTHS && !grow(segment)) {
        return NULL;
    }
    struct entry *entry = place_of(segment, hash, ca, serial);
    if (entry->standing == 0) {
        memcpy(entry->serial, serial, KW_SERIAL_BYTES);
        entry->ca = (uint8_t)ca;
        entry->owner = OWNER_NONE;
        entry->profile = NAME_NONE;
        segment->n++;
    }
    return entry;
}

static bool read_entry(struct status_table *table, const char *ca_name, struct kw_span serial,
                       struct entry *ret)
{
    if (!atomic_load(&table->filled) || serial.len != KW_SERIAL_BYTES) {
        return false;
    }
    unsigned ca = name_find(&table->cas, kw_span_text(ca_name));
    if (ca == NAME_NONE) {
        return false;
    }
    uint64_t hash = hash_of(ca, serial.p);
    struct segment *segment = segment_of(table, hash);
    ret->standing = 0;
    (void)pthread_mutex_lock(&segment->lock);
    if (segment->cap > 0) {
        *ret = *place_of(segment, hash, ca, serial.p);
    }
    (void)pthread_mutex_unlock(&segment->lock);
    return ret->standing != 0;
}

/* --- what is put in --------------------------------------------------------------------------- */

static uint32_t pack_time(int64_t unix_s)
{
    return unix_s >= TIME_NEVER ? TIME_NEVER : unix_s <= 0 ? 0 : (uint32_t)unix_s;
}

static uint8_t pack_standing(enum cert_state state, int reason)
{
    return (uint8_t)((unsigned)state << REASON_BITS | ((unsigned)reason & 15U));
}

/* owner and profile: OWNER_NONE and NAME_NONE where the notice does not tell them. */
struct arrival {
    struct kw_span serial;
    unsigned ca, profile;
    uint32_t owner;
    uint32_t not_after, revoked;
    uint8_t standing;
    bool newer; /* than what is there; else what is there stays */
};

static void write_entry(struct entry *entry, const struct arrival *it)
{
    if (it->newer || entry->standing == 0) {
        entry->not_after = it->not_after;
        entry->revoked = it->revoked;
        entry->standing = it->standing;
    }
    if (entry->owner == OWNER_NONE) {
        entry->owner = it->owner;
        entry->profile = (uint8_t)it->profile;
    }
}

static void put(struct status_table *table, const struct arrival *it)
{
    if (it->serial.len != KW_SERIAL_BYTES || it->ca == NAME_NONE) {
        atomic_fetch_add(&table->other, 1);
        return;
    }
    uint64_t hash = hash_of(it->ca, it->serial.p);
    struct segment *segment = segment_of(table, hash);
    (void)pthread_mutex_lock(&segment->lock);
    struct entry *entry = entry_for(segment, hash, it->ca, it->serial.p);
    if (entry) {
        write_entry(entry, it);
    }
    (void)pthread_mutex_unlock(&segment->lock);
    if (!entry) {
        status_table_doubt(table); /* what could not be taken in is asked of the store */
    }
}

static void put_cert(struct status_table *table, const struct store_notice *notice)
{
    bool fresh = notice->before == 0;
    uint32_t owner = OWNER_NONE;

    if (fresh) { /* a device is known, or its state is not (where the table is not filled yet) */
        bool device = strncmp(notice->owner, "device:", 7) == 0;
        owner = status_owners_put(&table->owners, notice->owner, device ? OWNER_STATE_UNKNOWN : 0,
                                  /* newer= */ false);
    }
    put(table, &(struct arrival){
                   .serial = KW_SPAN(notice->serial, notice->serial_len),
                   .ca = name_put(&table->cas, kw_span_text(notice->ca)),
                   .profile = fresh ? name_put(&table->profiles, kw_span_text(notice->profile))
                                    : NAME_NONE,
                   .owner = owner,
                   .not_after = pack_time(notice->not_after),
                   .revoked = pack_time(notice->revoked_s),
                   .standing = pack_standing(notice->state, notice->reason),
                   .newer = true,
               });
}

void status_table_notice(struct status_table *table, const struct store_notice at[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (at[i].what == STORE_NOTICE_CERT) {
            put_cert(table, &at[i]);
        } else if (status_owners_put(&table->owners, at[i].owner, at[i].device,
                                     /* newer= */ true) == OWNER_NONE) {
            status_table_doubt(table);
        }
    }
}

void status_table_doubt(struct status_table *table)
{
    atomic_fetch_add(&table->doubts, 1);
    atomic_store(&table->filled, false);
}

/* --- filling ---------------------------------------------------------------------------------- */

struct filling {
    struct status_table *table;
    uint32_t *numbers; /* of owners, by the store's id; 0 = none, else number + 1 */
    size_t n;
};

static void filling_done(struct filling *filling)
{
    free(filling->numbers);
}

static kw_status take_owner(struct kw_op *op, void *ctx, int64_t id, const char *owner,
                            enum device_state device)
{
    struct filling *it = ctx;

    ENSURE(op, id > 0 && id < OWNER_IDS_MAX, KW_E_LIMIT, "more than %d owners", OWNER_IDS_MAX);
    if ((size_t)id >= it->n) {
        size_t n = (size_t)id + it->n / 2 + 1024;
        uint32_t *numbers = realloc(it->numbers, n * sizeof(*numbers));
        ENSURE(op, numbers, KW_E_MEMORY, "no memory for %zu owners", n);
        memset(numbers + it->n, 0, (n - it->n) * sizeof(*numbers));
        it->numbers = numbers;
        it->n = n;
    }
    uint32_t number = status_owners_put(&it->table->owners, owner, device, /* newer= */ false);
    ENSURE(op, number != OWNER_NONE, KW_E_MEMORY, "no memory for owners");
    it->numbers[id] = number + 1;
    return KW_OK;
}

static kw_status take_cert(struct kw_op *op, void *ctx, const struct store_standing *one)
{
    struct filling *it = ctx;
    bool known = one->owner > 0 && (size_t)one->owner < it->n && it->numbers[one->owner] > 0;

    (void)op;
    put(it->table, &(struct arrival){
                       .serial = one->serial,
                       .ca = name_put(&it->table->cas, one->ca),
                       .profile = name_put(&it->table->profiles, one->profile),
                       .owner = known ? it->numbers[one->owner] - 1 : OWNER_NONE,
                       .not_after = pack_time(one->not_after),
                       .revoked = pack_time(one->revoked_s),
                       .standing = pack_standing(one->state, one->reason),
                       .newer = false,
                   });
    return KW_OK;
}

static void clear(struct status_table *table)
{
    for (unsigned i = 0; i < SEGMENTS; i++) {
        struct segment *segment = &table->segments[i];
        (void)pthread_mutex_lock(&segment->lock);
        free(segment->at);
        segment->at = NULL;
        segment->n = segment->cap = 0;
        (void)pthread_mutex_unlock(&segment->lock);
    }
    status_owners_clear(&table->owners);
    atomic_store(&table->other, 0);
}

kw_status status_table_fill(struct kw_op *op, struct status_table *table, struct store *store)
{
    __attribute__((cleanup(filling_done))) struct filling it = {.table = table};
    unsigned doubts = atomic_load(&table->doubts);

    /* What is noticed from here on stays; what was noticed before, the store has. */
    atomic_store(&table->filled, false);
    atomic_fetch_add(&table->fills, 1);
    clear(table);
    TRY(op, store_owner_each(op, store, take_owner, &it), "owners of certificates");
    TRY(op, store_standing_each(op, store, take_cert, &it), "status of certificates");
    atomic_store(&table->filled, true);
    if (atomic_load(&table->doubts) != doubts) {
        atomic_store(&table->filled, false);
        return FAIL(op, KW_E_CONFLICT, "a commit of unknown outcome came in between");
    }
    return KW_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

bool status_table_find(struct status_table *table, const char *ca, struct kw_span serial,
                       struct status_standing *ret)
{
    struct entry entry;

    if (!read_entry(table, ca, serial, &entry)) {
        return false;
    }
    *ret = (struct status_standing){
        .state = (enum cert_state)(entry.standing >> REASON_BITS),
        .revoked_s = entry.revoked,
        .reason = entry.standing & 15,
    };
    return true;
}

bool status_table_find_all(struct status_table *table, const char *ca, struct kw_span serial,
                           struct store_cert_status *ret)
{
    struct entry entry;
    struct store_cert_status found = {0};
    unsigned fills = atomic_load(&table->fills);

    if (!read_entry(table, ca, serial, &entry) || entry.profile == NAME_NONE ||
        !status_owners_get(&table->owners, entry.owner, found.owner, sizeof(found.owner),
                           &found.device) ||
        atomic_load(&table->fills) != fills) {
        return false;
    }
    found.state = (enum cert_state)(entry.standing >> REASON_BITS);
    found.reason = entry.standing & 15;
    found.revoked_s = entry.revoked;
    memcpy(found.profile, table->profiles.at[entry.profile], sizeof(found.profile));
    *ret = found;
    return true;
}

/* A segment's entries are copied: whoever looks at them takes the time he needs. */
struct copy {
    struct entry *at;
    uint32_t n, cap;
};

static void copy_done(struct copy *copy)
{
    free(copy->at);
}

static kw_status copy_segment(struct kw_op *op, struct segment *segment, struct copy *copy)
{
    (void)pthread_mutex_lock(&segment->lock);
    bool room = segment->cap <= copy->cap;
    if (!room) {
        struct entry *at = realloc(copy->at, segment->cap * sizeof(*at));
        room = at != NULL;
        copy->at = room ? at : copy->at;
        copy->cap = room ? segment->cap : copy->cap;
    }
    copy->n = 0;
    if (room && segment->cap > 0) {
        memcpy(copy->at, segment->at, segment->cap * sizeof(*copy->at));
        copy->n = segment->cap;
    }
    (void)pthread_mutex_unlock(&segment->lock);
    ENSURE(op, room, KW_E_MEMORY, "no memory for a part of the table");
    return KW_OK;
}

static bool is_revoked(const struct entry *entry)
{
    unsigned state = entry->standing >> REASON_BITS;

    return state == CERT_STATE_REVOKED || state == CERT_STATE_HELD;
}

kw_status status_table_each(struct kw_op *op, struct status_table *table, const char *ca_name,
                            int64_t now_s, status_each_fn each, void *ctx)
{
    __attribute__((cleanup(copy_done))) struct copy copy = {0};
    unsigned ca = name_find(&table->cas, kw_span_text(ca_name));

    ENSURE(op, atomic_load(&table->other) == 0, KW_E_UNSUPPORTED,
           "serial numbers of other than %d octets", KW_SERIAL_BYTES);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        ENSURE(op, atomic_load(&table->filled), KW_E_UNAVAILABLE, "the table is not filled");
        TRY(op, copy_segment(op, &table->segments[i], &copy));
        for (uint32_t k = 0; k < copy.n; k++) {
            const struct entry *entry = &copy.at[k];
            if (entry->standing != 0 && entry->ca == ca && entry->not_after >= now_s) {
                TRY(op, each(op, ctx, KW_SPAN_ARRAY(entry->serial), is_revoked(entry)));
            }
        }
    }
    return KW_OK;
}

/* --- making ----------------------------------------------------------------------------------- */

kw_status status_table_new(struct kw_op *op, struct status_table **ret)
{
    struct status_table *table = calloc(1, sizeof(*table));

    ENSURE(op, table, KW_E_MEMORY, "no memory for the status of certificates");
    (void)pthread_mutex_init(&table->cas.lock, NULL); /* these cannot fail on Linux */
    (void)pthread_mutex_init(&table->profiles.lock, NULL);
    status_owners_init(&table->owners);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        (void)pthread_mutex_init(&table->segments[i].lock, NULL);
    }
    *ret = table;
    return KW_OK;
}

void status_table_free(struct status_table *table)
{
    if (!table) {
        return;
    }
    for (unsigned i = 0; i < SEGMENTS; i++) {
        free(table->segments[i].at);
        (void)pthread_mutex_destroy(&table->segments[i].lock);
    }
    status_owners_done(&table->owners);
    (void)pthread_mutex_destroy(&table->cas.lock);
    (void)pthread_mutex_destroy(&table->profiles.lock);
    free(table);
}

void status_table_measure(struct status_table *table, struct status_table_size *ret)
{
    struct status_table_size size = {.filled = atomic_load(&table->filled)};

    for (unsigned i = 0; i < SEGMENTS; i++) {
        struct segment *segment = &table->segments[i];
        (void)pthread_mutex_lock(&segment->lock);
        size.certs += segment->n;
        size.cert_bytes += sizeof(*segment) + (uint64_t)segment->cap * sizeof(struct entry);
        (void)pthread_mutex_unlock(&segment->lock);
    }
    size.owners = table->owners.n;
    size.owner_bytes = status_owners_bytes(&table->owners);
    *ret = size;
}
