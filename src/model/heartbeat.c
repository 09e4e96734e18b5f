#include "model/heartbeat.h"

#include <string.h>

static bool same(const uint8_t a[KW_HASH_BYTES], const uint8_t b[KW_HASH_BYTES])
{
    return memcmp(a, b, KW_HASH_BYTES) == 0;
}

enum heartbeat_verdict heartbeat_judge(const struct heartbeat *known, const struct heartbeat *said)
{
    if (known->counter == 0) {
        return HEARTBEAT_FIRST;
    }
    if (said->counter > known->counter && said->counter - known->counter > 1) {
        return HEARTBEAT_AHEAD;
    }
    if (said->counter == known->counter + 1) {
        return same(said->previous, known->link) ? HEARTBEAT_NEXT : HEARTBEAT_DIVERGED;
    }
    if (said->counter == known->counter) {
        return same(said->link, known->link) ? HEARTBEAT_AGAIN : HEARTBEAT_DIVERGED;
    }
    bool before = said->counter + 1 == known->counter && same(said->link, known->previous);
    return before ? HEARTBEAT_LATE : HEARTBEAT_DIVERGED;
}
