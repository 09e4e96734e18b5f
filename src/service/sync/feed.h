/*
 * The change feed: the log as others follow it. The cursor is the log index; whoever asks for
 * entries from a cursor on, under a consumer's name, says by that that it took all below it, but
 * for those that it calls open.
 */
#ifndef SERVICE_SYNC_FEED_H
#define SERVICE_SYNC_FEED_H

#include "service/service.h"
#include "store/registration.h"

enum {
    FEED_MAX = 200,        /* entries of one answer */
    FEED_WAIT_MAX_S = 10,  /* of one call: proxies and clients cut longer ones */
    FEED_WAITERS_SHARE = 4 /* at most a fourth of the handler threads wait; others ask again */
};

struct feed_request {
    uint64_t since;       /* first index wanted */
    unsigned max;         /* 1 … FEED_MAX */
    unsigned wait_s;      /* how long to wait for the first one; 0 = not at all */
    const char *consumer; /* NULL = nobody in particular: nothing is remembered */
    uint64_t open;        /* so many entries below `since` it has not done with yet */
};
/* One entry, and how its object is now. */
struct feed_item {
    uint64_t index;
    struct event event;
    char state[24];                     /* of the object now; "" = it has none */
    char owner[KW_NAME_MAX];            /* of a certificate or request */
    char profile[KW_NAME_MAX];          /* of a certificate or request */
    uint8_t fingerprint[KW_HASH_BYTES]; /* of a certificate; zero = none */
    char attestation[16], assurance_level[ATTEST_LEVEL_TEXT]; /* of a device; "" = no device */
};

/**
 * ret: up to max entries from `since` on, in order; *ret_next where to go on.
 * Errors: KW_E_STATE the log has not come so far (the consumer knows another log, or one that was
 * restored); KW_E_DENIED the consumer's name is another principal's; KW_E_INPUT.
 * Blocks up to wait_s where there is nothing, and some thread is left for others.
 */
kw_status feed_read(struct kw_op *op, struct service *service, const struct feed_request *request,
                    struct feed_item ret[FEED_MAX], unsigned *ret_n, uint64_t *ret_next);

#endif
