/* What a device tells of itself in each hello, and whether one device alone can have told it:
 * docs/protocol/device-events.md. */
#ifndef MODEL_HEARTBEAT_H
#define MODEL_HEARTBEAT_H

#include <stdint.h>

#include "base/limits.h"
#include "base/status.h"

enum { DEVICE_LOG_ID_BYTES = 16 };

struct heartbeat {
    uint64_t counter; /* 1, 2, …; 0 = none */
    uint8_t link[KW_HASH_BYTES];
    uint8_t previous[KW_HASH_BYTES]; /* link of counter - 1; zero for the first */
};

struct device_report {
    struct heartbeat beat;
    uint8_t log[DEVICE_LOG_ID_BYTES]; /* zero = it keeps none */
    uint64_t log_count;               /* number of its newest record */
    uint8_t log_head[KW_HASH_BYTES];  /* of the chain up to there */
    uint64_t lost;                    /* events that never reached the file */
    uint32_t boot;                    /* which start of the device, counted by it */
    uint64_t uptime_s;                /* since that start */
    int64_t time_ms, floor_ms;        /* what it judges by, and never before which */
    int64_t clock_ms;                 /* what its plain clock shows */
};

/* A heartbeat that is older than its report is told from one by somebody else. */
enum heartbeat_verdict {
    HEARTBEAT_FIRST = 0, /* nothing was known */
    HEARTBEAT_NEXT,
    HEARTBEAT_AGAIN,   /* the last one once more: the answer to it was lost */
    HEARTBEAT_LATE,    /* the one before the last, late on the way: nothing is taken from it */
    HEARTBEAT_AHEAD,   /* what is known is older than what the device was told: a restored store */
    HEARTBEAT_DIVERGED /* somebody else has this identity too */
};

/**
 * known  the last heartbeat that was taken; counter 0: none
 * said   the one that came; its counter is not 0
 */
enum heartbeat_verdict heartbeat_judge(const struct heartbeat *known, const struct heartbeat *said);

#endif
