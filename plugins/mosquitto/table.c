#include "mosquitto/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum {
    HASH_KEPT = 20, /* octets: 160 bits are as hard to meet as SHA-1 was meant to be */
    SLOTS_FIRST = 1024,
    NAMES_FIRST = 32768,
    FULL_OF_10 = 8,
};

struct slot {
    uint8_t hash[HASH_KEPT];
    uint32_t name; /* offset into names; 0 = the slot is empty */
    uint32_t ends_s, attested_until_s;
    uint8_t class_, standing, verdict, level;
    uint32_t changed_ms; /* monotonic, the low half; 0 = not said */
};
_Static_assert(sizeof(struct slot) == 40, "a million of them are 40 MB");

struct class_ {
    char kind[16], profile[KW_NAME_MAX];
};

struct table {
    size_t n_slots, n_used, n_good;
    size_t names_cap, names_len; /* the first octet is nobody's */
    struct slot *slots;
    char *names;
    unsigned n_classes;
    struct class_ classes[TABLE_CLASSES_MAX];
};

static const char *const standings[STANDING_MAX] = {
    [STANDING_GOOD] = "good",
    [STANDING_REVOKED] = "revoked",
    [STANDING_HELD] = "held",
    [STANDING_SUSPENDED] = "suspended",
    [STANDING_QUARANTINED] = "quarantined",
    [STANDING_RETIRED] = "retired",
    [STANDING_OTHER] = "not in force",
};

const char *standing_text(enum standing standing)
{
    return standings[standing];
}

static enum standing standing_of(const char *text)
{
    for (unsigned i = 0; i < STANDING_OTHER; i++) {
        if (strcmp(standings[i], text) == 0) {
            return (enum standing)i;
        }
    }
    return STANDING_OTHER;
}

/* --- making ----------------------------------------------------------------------------------- */

static kw_status make(struct kw_op *op, size_t n_slots, size_t names_cap, struct table **ret)
{
    AUTO(table) *table = calloc(1, sizeof(*table));

    ENSURE(op, n_slots <= TABLE_CLIENTS_MAX && names_cap <= UINT32_MAX, KW_E_LIMIT,
           "more than %d certificates", (int)TABLE_CLIENTS_MAX);
    ENSURE(op, table, KW_E_MEMORY, "no memory for the list of clients");
    table->slots = calloc(n_slots, sizeof(*table->slots));
    table->names = malloc(names_cap);
    ENSURE(op, table->slots && table->names, KW_E_MEMORY, "no memory for %zu clients", n_slots);
    table->n_slots = n_slots;
    table->names_cap = names_cap;
    table->names_len = 1;
    *ret = TAKE(table);
    return KW_OK;
}

kw_status table_new(struct kw_op *op, struct table **ret)
{
    return make(op, SLOTS_FIRST, NAMES_FIRST, ret);
}

void table_free(struct table *table)
{
    if (!table) {
        return;
    }
    free(table->slots);
    free(table->names);
    free(table);
}

/* --- places ----------------------------------------------------------------------------------- */

static size_t place_of(const struct table *table, const uint8_t *hash)
{
    uint64_t head = 0;

    memcpy(&head, hash, sizeof(head));
    return (size_t)(((unsigned __int128)head * table->n_slots) >> 64);
}

/* Its slot, or the empty one where it would go. */
static struct slot *slot_of(const struct table *table, const uint8_t *hash)
{
    size_t i = place_of(table, hash);

    while (table->slots[i].name != 0 && memcmp(table->slots[i].hash, hash, HASH_KEPT) != 0) {
        i = i + 1 == table->n_slots ? 0 : i + 1;
    }
    return &table->slots[i];
}

static uint32_t cut_s(int64_t s)
{
    return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static uint32_t add_name(struct table *table, const char *owner)
{
    size_t n = strlen(owner) + 1;
    uint32_t at = (uint32_t)table->names_len;

    memcpy(table->names + at, owner, n);
    table->names_len += n;
    return at;
}

static bool in_force(const struct slot *slot, int64_t now_s)
{
    return slot->name != 0 && slot->standing == STANDING_GOOD &&
           (slot->ends_s == UINT32_MAX || slot->ends_s >= now_s);
}

kw_status table_copy(struct kw_op *op, const struct table *table, int64_t now_s, struct table **ret)
{
    AUTO(table) *copy = NULL;
    size_t n = 0, names = NAMES_FIRST;

    for (size_t i = 0; i < table->n_slots; i++) {
        if (in_force(&table->slots[i], now_s)) {
            n++;
            names += strlen(table->names + table->slots[i].name) + 1;
        }
    }
    TRY(op, make(op, SLOTS_FIRST + n * 2, names + names / 2, &copy));
    memcpy(copy->classes, table->classes, sizeof(copy->classes));
    copy->n_classes = table->n_classes;
    for (size_t i = 0; i < table->n_slots; i++) {
        const struct slot *from = &table->slots[i];
        if (in_force(from, now_s)) {
            struct slot *slot = slot_of(copy, from->hash);
            *slot = *from;
            slot->name = add_name(copy, table->names + from->name);
            copy->n_used++;
            copy->n_good++;
        }
    }
    *ret = TAKE(copy);
    return KW_OK;
}

bool table_full(const struct table *table, const struct broker_item_view *item)
{
    return (table->n_used + 1) * 10 > table->n_slots * FULL_OF_10 ||
           table->names_len + strlen(item->owner) + 1 > table->names_cap;
}

/* --- one client ------------------------------------------------------------------------------- */

static kw_status class_of(struct kw_op *op, struct table *table,
                          const struct broker_item_view *item, uint8_t *ret)
{
    struct class_ wanted = {0};
    size_t n = strcspn(item->owner, ":");

    ENSURE(op, item->owner[n] && n < sizeof(wanted.kind), KW_E_DEVICE, "'%.64s' is no owner",
           item->owner);
    memcpy(wanted.kind, item->owner, n);
    KW_TEXT_SET(wanted.profile, item->profile);
    for (unsigned i = 0; i < table->n_classes; i++) {
        if (strcmp(table->classes[i].kind, wanted.kind) == 0 &&
            strcmp(table->classes[i].profile, wanted.profile) == 0) {
            *ret = (uint8_t)i;
            return KW_OK;
        }
    }
    ENSURE(op, table->n_classes < TABLE_CLASSES_MAX, KW_E_LIMIT, "more than %d kinds and profiles",
           (int)TABLE_CLASSES_MAX);
    table->classes[table->n_classes] = wanted;
    *ret = (uint8_t)table->n_classes++;
    return KW_OK;
}

/* Anything of it that a session lives on. */
static bool is_lower(const struct slot *before, const struct slot *now)
{
    return now->standing != before->standing || now->verdict != before->verdict ||
           now->level < before->level || now->ends_s < before->ends_s ||
           now->attested_until_s != before->attested_until_s;
}

/* The low half suffices: it is asked for within weeks. Never 0, which is "not said". */
static uint32_t changed_ms(const struct broker_item_view *item, int64_t now_ms)
{
    uint32_t since_ms = now_ms > item->age_ms ? (uint32_t)(now_ms - item->age_ms) : 0;

    return item->age_ms == 0 ? 0 : since_ms == 0 ? 1 : since_ms;
}

kw_status table_put(struct kw_op *op, struct table *table, const struct broker_item_view *item,
                    int64_t now_ms, bool *ret_lowered)
{
    struct slot *slot = slot_of(table, item->sha256);
    struct slot now = {
        .name = slot->name,
        .ends_s = cut_s(item->ends_s),
        .attested_until_s = cut_s(item->attested_until_s),
        .standing = (uint8_t)standing_of(item->state),
        .verdict =
            (uint8_t)(item->attestation[0] ? verdict_from_text(item->attestation) : VERDICT_NONE),
        .level = (uint8_t)item->level,
        .changed_ms = changed_ms(item, now_ms),
    };
    bool is_new = slot->name == 0;

    *ret_lowered = false;
    if (is_new && now.standing != STANDING_GOOD) {
        return KW_OK;
    }
    TRY(op, class_of(op, table, item, &now.class_));
    memcpy(now.hash, item->sha256, HASH_KEPT);
    if (is_new) {
        now.name = add_name(table, item->owner);
        table->n_used++;
    } else {
        ENSURE(op, strcmp(table->names + slot->name, item->owner) == 0, KW_E_DEVICE,
               "a certificate of '%.64s' is said to be of '%.64s'", table->names + slot->name,
               item->owner);
        *ret_lowered = is_lower(slot, &now);
        table->n_good -= slot->standing == STANDING_GOOD;
    }
    table->n_good += now.standing == STANDING_GOOD;
    *slot = now;
    return KW_OK;
}

bool table_find(const struct table *table, const uint8_t sha256[KW_HASH_BYTES], struct known *ret)
{
    const struct slot *slot = slot_of(table, sha256);

    if (slot->name == 0) {
        return false;
    }
    *ret = (struct known){
        .owner = table->names + slot->name,
        .kind = table->classes[slot->class_].kind,
        .profile = table->classes[slot->class_].profile,
        .standing = (enum standing)slot->standing,
        .ends_s = slot->ends_s == UINT32_MAX ? KW_TIME_NEVER : slot->ends_s,
        .verdict = (enum verdict)slot->verdict,
        .level = slot->level,
        .attested_until_s = slot->attested_until_s,
        .changed_ms = slot->changed_ms,
    };
    return true;
}

size_t table_count(const struct table *table)
{
    return table->n_good;
}

size_t table_bytes(const struct table *table)
{
    return sizeof(*table) + table->n_slots * sizeof(*table->slots) + table->names_cap;
}
