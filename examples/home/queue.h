/* Messages that wait for the line: bounded, oldest dropped first, and counted. */
#ifndef HOME_QUEUE_H
#define HOME_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue {
    const char *topic; /* all of it goes there; borrowed. NULL: each has its own */
    unsigned cap, head, n;
    unsigned long gone;    /* ever left it: the number of the head */
    unsigned long pushed;  /* ever came */
    unsigned long dropped; /* since it was last asked */
    struct queued {
        char *topic; /* NULL = the queue's */
        char *payload;
        size_t len;
    } *at;
};

bool queue_init(struct queue *queue, const char *topic, unsigned cap);
void queue_done(struct queue *queue);
/* Copies. False: no memory; it counts as dropped. topic: NULL = the queue's. */
bool queue_push(struct queue *queue, const char *topic, const void *payload, size_t len);
/* NULL: empty. Borrowed until the next push or pop. */
const struct queued *queue_head(const struct queue *queue);
void queue_pop(struct queue *queue);

#endif
