#include <stdlib.h>

#include "model/object.h"
#include "service/validation/status_table_internal.h"

/* --- names ------------------------------------------------------------------------------------ */

unsigned status_name_find(struct status_names *names, struct kw_span text)
{
    unsigned n = atomic_load_explicit(&names->n, memory_order_acquire);

    for (unsigned i = 0; i < n; i++) {
        if (kw_span_equal(kw_span_text(names->at[i]), text)) {
            return i;
        }
    }
    return NAME_NONE;
}

unsigned status_name_put(struct status_names *names, struct kw_span text)
{
    unsigned found = status_name_find(names, text);

    if (found != NAME_NONE) {
        return found;
    }
    (void)pthread_mutex_lock(&names->lock);
    found = status_name_find(names, text);
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

/* Serial numbers begin alike, and an imported CA's may count up: stirred as MurmurHash3 ends. */
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

static struct status_segment *segment_of(struct status_table *table, uint64_t hash)
{
    return &table->segments[hash >> (64 - SEGMENT_BITS)];
}

/* Where it is, or where it would go; cap > 0, never full. */
static struct status_entry *place_of(const struct status_segment *segment, uint64_t hash,
                                     unsigned ca, const uint8_t serial[KW_SERIAL_BYTES])
{
    uint32_t i = (uint32_t)((hash & UINT32_MAX) * segment->cap >> 32);

    for (;; i = i + 1 == segment->cap ? 0 : i + 1) {
        struct status_entry *entry = &segment->at[i];
        if (entry->standing == 0 ||
            (entry->ca == ca && memcmp(entry->serial, serial, KW_SERIAL_BYTES) == 0)) {
            return entry;
        }
    }
}

static bool grow(struct status_segment *segment)
{
    struct status_segment more = {.cap = segment->cap ? segment->cap + segment->cap / 8 + 1
                                                      : FIRST_CAP};

    more.at = calloc(more.cap, sizeof(*more.at));
    if (!more.at) {
        return false;
    }
    for (uint32_t i = 0; i < segment->cap; i++) {
        const struct status_entry *entry = &segment->at[i];
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
static struct status_entry *entry_for(struct status_segment *segment, uint64_t hash, unsigned ca,
                                      const uint8_t serial[KW_SERIAL_BYTES])
{
    if ((segment->n + 1) * 10 > segment->cap * FULL_TENTHS && !grow(segment)) {
        return NULL;
    }
    struct status_entry *entry = place_of(segment, hash, ca, serial);
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
                       struct status_entry *ret)
{
    if (!atomic_load(&table->filled) || serial.len != KW_SERIAL_BYTES) {
        return false;
    }
    unsigned ca = status_name_find(&table->cas, kw_span_text(ca_name));
    if (ca == NAME_NONE) {
        return false;
    }
    uint64_t hash = hash_of(ca, serial.p);
    struct status_segment *segment = segment_of(table, hash);
    ret->standing = 0;
    (void)pthread_mutex_lock(&segment->lock);
    if (segment->cap > 0) {
        *ret = *place_of(segment, hash, ca, serial.p);
    }
    (void)pthread_mutex_unlock(&segment->lock);
    return ret->standing != 0;
}

/* --- what is put in --------------------------------------------------------------------------- */

uint32_t status_pack_time(int64_t unix_s)
{
    return unix_s >= TIME_NEVER ? TIME_NEVER : unix_s <= 0 ? 0 : (uint32_t)unix_s;
}

uint8_t status_pack_standing(enum cert_state state, int reason)
{
    return (uint8_t)((unsigned)state << REASON_BITS | ((unsigned)reason & 15U));
}

static void write_entry(struct status_entry *entry, const struct status_arrival *it)
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

void status_table_put(struct status_table *table, const struct status_arrival *it)
{
    if (it->serial.len != KW_SERIAL_BYTES || it->ca == NAME_NONE) {
        atomic_fetch_add(&table->other, 1);
        return;
    }
    uint64_t hash = hash_of(it->ca, it->serial.p);
    struct status_segment *segment = segment_of(table, hash);
    (void)pthread_mutex_lock(&segment->lock);
    struct status_entry *entry = entry_for(segment, hash, it->ca, it->serial.p);
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
        bool device = object_kind(notice->owner) == OBJECT_DEVICE;
        owner = status_owners_put(&table->owners, notice->owner, device ? OWNER_STATE_UNKNOWN : 0,
                                  /* seen_ms= */ 0, /* newer= */ false);
    }
    status_table_put(table, &(struct status_arrival){
                                .serial = KW_SPAN(notice->serial, notice->serial_len),
                                .ca = status_name_put(&table->cas, kw_span_text(notice->ca)),
                                .profile = fresh ? status_name_put(&table->profiles,
                                                                   kw_span_text(notice->profile))
                                                 : NAME_NONE,
                                .owner = owner,
                                .not_after = status_pack_time(notice->not_after),
                                .revoked = status_pack_time(notice->revoked_s),
                                .standing = status_pack_standing(notice->state, notice->reason),
                                .newer = true,
                            });
}

void status_table_notice(struct status_table *table, const struct store_notice at[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (at[i].what == STORE_NOTICE_CERT) {
            put_cert(table, &at[i]);
        } else if (status_owners_put(&table->owners, at[i].owner, at[i].device, at[i].last_seen_ms,
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

void status_table_clear(struct status_table *table)
{
    for (unsigned i = 0; i < SEGMENTS; i++) {
        struct status_segment *segment = &table->segments[i];
        (void)pthread_mutex_lock(&segment->lock);
        free(segment->at);
        segment->at = NULL;
        segment->n = segment->cap = 0;
        (void)pthread_mutex_unlock(&segment->lock);
    }
    status_owners_clear(&table->owners);
    atomic_store(&table->other, 0);
}

/* --- asking ----------------------------------------------------------------------------------- */

bool status_table_find(struct status_table *table, const char *ca, struct kw_span serial,
                       struct status_standing *ret)
{
    struct status_entry entry;

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
    struct status_entry entry;
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
        struct status_segment *segment = &table->segments[i];
        (void)pthread_mutex_lock(&segment->lock);
        size.certs += segment->n;
        size.cert_bytes += sizeof(*segment) + (uint64_t)segment->cap * sizeof(struct status_entry);
        (void)pthread_mutex_unlock(&segment->lock);
    }
    size.owners = table->owners.n;
    size.owner_bytes = status_owners_bytes(&table->owners);
    *ret = size;
}
