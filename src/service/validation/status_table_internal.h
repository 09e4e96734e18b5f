/* The table of standings among its own files. */
#ifndef SERVICE_VALIDATION_STATUS_TABLE_INTERNAL_H
#define SERVICE_VALIDATION_STATUS_TABLE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "service/validation/status_owners.h"
#include "service/validation/status_table.h"

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

struct status_entry {
    uint8_t serial[KW_SERIAL_BYTES];
    uint32_t owner;
    uint32_t not_after, revoked; /* Unix seconds, until 2106; TIME_NEVER */
    uint8_t ca, profile;         /* numbers of names */
    uint8_t standing;            /* state << REASON_BITS | reason; 0 = empty */
    uint8_t spare;
};
_Static_assert(sizeof(struct status_entry) == 32, "as status_table.h promises");

struct status_segment {
    pthread_mutex_t lock;
    struct status_entry *at;
    uint32_t n, cap;
};

/* A few names, only ever added to. */
struct status_names {
    pthread_mutex_t lock; /* of who adds */
    atomic_uint n;
    char at[NAMES_MAX][KW_NAME_MAX];
};

struct status_table {
    atomic_bool filled;
    atomic_uint doubts;  /* how often nothing could be believed */
    atomic_uint fills;   /* begun: owners have other numbers since */
    atomic_ullong other; /* certificates that are not held */
    struct status_names cas, profiles;
    struct status_owners owners;
    struct status_segment segments[SEGMENTS];
};

/* NAME_NONE: it has no number. */
unsigned status_name_find(struct status_names *names, struct kw_span text);
/* Its number, given now where it has none; NAME_NONE where there is no room. */
unsigned status_name_put(struct status_names *names, struct kw_span text);
uint32_t status_pack_time(int64_t unix_s);
uint8_t status_pack_standing(enum cert_state state, int reason);

/* owner and profile: OWNER_NONE and NAME_NONE where the notice does not tell them. */
struct status_arrival {
    struct kw_span serial;
    unsigned ca, profile;
    uint32_t owner;
    uint32_t not_after, revoked;
    uint8_t standing;
    bool newer; /* than what is there; else what is there stays */
};

void status_table_put(struct status_table *table, const struct status_arrival *it);
void status_table_clear(struct status_table *table);

#endif
