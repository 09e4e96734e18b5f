/* A device's security events: the record that is the same in the device's file, on the line and
 * under the hash, and what a server makes of it. docs/protocol/device-events.md. */
#ifndef MODEL_DEVICE_EVENT_H
#define MODEL_DEVICE_EVENT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/reader.h"

/* What the device itself records. Append freely; texts are what auditors search for. */
#define DEVICE_EVENT_LIST(X)                                                                       \
    X(START, "system.start", "system")                                                             \
    X(ENROL, "identity.enrol", "identity")                                                         \
    X(RENEW, "identity.renew", "identity")                                                         \
    X(WIPE_ORDER, "identity.wipe_order", "identity")                                               \
    X(WIPE, "identity.wipe", "identity")                                                           \
    X(SERVER, "server.refuse", "trust")                                                            \
    X(ACCESS, "access.refuse", "trust")                                                            \
    X(TIME_PROVEN, "time.proven", "time")                                                          \
    X(TIME_STEP, "time.step", "time")                                                              \
    X(ATTEST, "attest.verdict", "attestation")                                                     \
    X(DATA, "data.refuse", "data")                                                                 \
    X(LOG_WARNING, "log.warning", "audit")                                                         \
    X(LOG_DAMAGE, "log.damage", "audit")

enum device_event_type {
#define X(name, text, category) DEVICE_EVENT_##name,
    DEVICE_EVENT_LIST(X)
#undef X
        DEVICE_EVENT_MAX
};
const char *device_event_type_text(enum device_event_type type);
const char *device_event_type_category(enum device_event_type type);

/* How well the device knew the time. Numbers are kept: append only. */
enum device_event_clock {
    DEVICE_EVENT_CLOCK_PLAIN = 0,
    DEVICE_EVENT_CLOCK_SIGNED,
    DEVICE_EVENT_CLOCK_FLOOR,
    DEVICE_EVENT_CLOCK_MAX
};
const char *device_event_clock_text(enum device_event_clock clock);

enum {
    DEVICE_EVENT_RECORD_MAX = 512, /* a whole record is shorter */
    DEVICE_EVENT_BATCH_MAX = 32768 /* one POST */
};

/* No secret may ever be put into one. */
struct device_event {
    uint64_t id;     /* 1, 2, … below 2^63 */
    int64_t unix_ms; /* not negative */
    enum device_event_clock clock;
    uint8_t boot[8]; /* which start of the machine */
    char source[32]; /* which program */
    char category[24];
    char type[48];
    char result[24];                 /* "success" or an error's name */
    char detail[192];                /* for people; may be empty */
    uint8_t previous[KW_HASH_BYTES]; /* hash of the one before */
    uint8_t hash[KW_HASH_BYTES];
};

/* All that is hashed, into `out`; the hash itself is to follow it. KW_E_INPUT a text that no record
 * carries (controls, or empty where it must not be). */
kw_status device_event_write(const struct device_event *event, struct kw_out *out);

/**
 * The record that r begins with; r goes on behind it.
 *
 * ret_hashed  borrowed from r: what SHA-256 must be ret->hash, which the caller judges
 *
 * Errors  KW_E_INPUT no record, or not a whole one; r is left anywhere
 */
kw_status device_event_read(struct kw_reader *r, struct device_event *ret,
                            struct kw_span *ret_hashed);

/* What a server knows of a device's log. */
struct device_event_head {
    uint64_t id; /* of the last that it took; 0 = none */
    bool known;  /* else its hash was forgotten: a new chain may begin */
    uint8_t hash[KW_HASH_BYTES];
};

enum device_event_verdict {
    DEVICE_EVENT_AGAIN = 0, /* held already */
    DEVICE_EVENT_NEXT,
    DEVICE_EVENT_LOST,   /* the next after some that are lost */
    DEVICE_EVENT_BROKEN, /* not what followed: altered, or a chain that began anew */
    DEVICE_EVENT_VERDICT_MAX
};
/* ret_lost: how many are between, 0 unless DEVICE_EVENT_LOST. */
enum device_event_verdict device_event_judge(const struct device_event_head *known,
                                             const struct device_event *event, uint64_t *ret_lost);

/* What a hello tells of the log. */
struct device_log_said {
    uint64_t last; /* id; 0 = no log, or one that cannot be read */
    uint64_t lost; /* events that could not be written and that no record shows yet */
    uint8_t head[KW_HASH_BYTES];
};
/* Two histories of one device: the same last id with another hash. */
bool device_event_diverged(const struct device_event_head *known,
                           const struct device_log_said *said);

#endif
