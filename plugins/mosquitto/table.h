/*
 * The positive list: every certificate that may connect, by its hash; some 64 octets each. Written
 * by the feed's thread, read by the broker's; whoever shares it locks (feed.h).
 */
#ifndef PLUGIN_TABLE_H
#define PLUGIN_TABLE_H

#include "api/device/broker_view.h"
#include "mosquitto/policy.h"

enum { TABLE_CLIENTS_MAX = 16 << 20, TABLE_CLASSES_MAX = 64 };

/* Why not, where the server told; 0 = good. */
enum standing {
    STANDING_GOOD,
    STANDING_REVOKED,
    STANDING_HELD,
    STANDING_SUSPENDED,
    STANDING_QUARANTINED,
    STANDING_RETIRED,
    STANDING_OTHER,
    STANDING_MAX
};
const char *standing_text(enum standing standing);

/* What is known of one; texts are borrowed until the table changes. */
struct known {
    const char *owner;          /* "device:DEV1" */
    const char *kind, *profile; /* "device", "ldevid" */
    enum standing standing;
    int64_t ends_s; /* Unix seconds */
    enum verdict verdict;
    unsigned level;
    int64_t attested_until_s; /* 0 = no end */
    uint32_t changed_ms; /* when the server's last word on it came true: monotonic, low half; 0 =
                            no word since the snapshot */
};

struct table;
kw_status table_new(struct kw_op *op, struct table **ret);
void table_free(struct table *table);
KW_OWNED(table, struct table, table_free)
/* The same with room for more, without what has ended or is not good. The old one stays. */
kw_status table_copy(struct kw_op *op, const struct table *table, int64_t now_s,
                     struct table **ret);
/* Must it be copied before this is put? */
bool table_full(const struct table *table, const struct broker_item_view *item);
/**
 * Put or replace one, told at now_ms (monotonic); *ret_lowered: it stood better before. One that is
 * not good and was not there is not kept. Never allocates: ask table_full() before. KW_E_LIMIT too
 * many kinds and profiles.
 */
kw_status table_put(struct kw_op *op, struct table *table, const struct broker_item_view *item,
                    int64_t now_ms, bool *ret_lowered);
bool table_find(const struct table *table, const uint8_t sha256[KW_HASH_BYTES], struct known *ret);
size_t table_count(const struct table *table);
size_t table_bytes(const struct table *table);

#endif
