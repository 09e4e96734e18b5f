/* The numbered, chained word in each hello, and whether one device alone can have sent it:
 * docs/protocol/heartbeat.md. */
#ifndef MODEL_HEARTBEAT_H
#define MODEL_HEARTBEAT_H

#include <stdint.h>

#include "base/limits.h"
#include "base/status.h"

struct heartbeat {
    uint64_t counter; /* 1, 2, …; 0 = none */
    uint8_t link[KW_HASH_BYTES];
    uint8_t previous[KW_HASH_BYTES]; /* link of counter - 1; zero for the first */
};

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
