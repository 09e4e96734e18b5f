/*
 * A queue's file: what waits for the line outlives the program. One line a message, added as it
 * comes; emptied when all was sent. What was sent before a sudden end is sent again: the receiver
 * knows it by its number.
 */
#ifndef HOME_SPOOL_H
#define HOME_SPOOL_H

#include <stdio.h>

#include "queue.h"

struct spool {
    const char *path; /* borrowed; NULL: nothing is kept */
    int fd;
    unsigned lines;     /* in the file; at most twice what the queue holds */
    unsigned long kept; /* so many of all pushes of the queue are in it, or were */
};

/* Into the queue with what is there; lines that are none are passed over. False: errno. */
bool spool_open(struct spool *spool, const char *path, struct queue *queue);
void spool_read(FILE *file, struct queue *queue);
/* Put what was pushed since into the file; empty it where the queue is. False: disk full, errno;
 * the next call tries all of it again. */
bool spool_follow(struct spool *spool, const struct queue *queue);
void spool_close(struct spool *spool);

#endif
