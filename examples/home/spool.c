#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

/* "DROPPED WAITING MESSAGE": how many had been dropped by then, how many waited with this one. */
struct state {
    unsigned long dropped, waiting;
};

static bool take_line(struct queue *queue, char *line, struct state *state)
{
    struct state now;
    size_t n = strcspn(line, "\n");
    char *end = NULL;

    now.dropped = strtoul(line, &end, 10);
    now.waiting = strtoul(end, &end, 10);
    if (now.waiting == 0 || *end != ' ' || end[1] == '\n' || line[n] != '\n') {
        return false; /* half a line: the power went */
    }
    line[n] = '\0';
    if (!queue_push(queue, NULL, end + 1, strlen(end + 1))) {
        return false;
    }
    *state = now;
    return true;
}

/* Lines before the last that waited were sent or dropped, and counted, before. */
static void settle(struct queue *queue, const struct state *state)
{
    while (queue->n > state->waiting) {
        queue_pop(queue);
    }
    queue->dropped = state->dropped + (state->waiting > queue->n ? state->waiting - queue->n : 0);
}

static bool write_all(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, text, n);
        if (done < 0 && errno != EINTR) {
            return false;
        }
        text += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

/* The last n of the queue, on disk when this returns. */
static bool add(int fd, const struct queue *queue, unsigned n)
{
    char line[LINE_BYTES];

    for (unsigned i = queue->n - n; i < queue->n; i++) {
        const struct queued *one = &queue->at[(queue->head + i) % queue->cap];
        int len = snprintf(line, sizeof(line), "%lu %u %s\n", queue->dropped, i + 1, one->payload);
        if (len < 0 || (size_t)len >= sizeof(line)) {
            errno = EMSGSIZE;
            return false;
        }
        if (!write_all(fd, line, (size_t)len)) {
            return false;
        }
    }
    return fdatasync(fd) == 0;
}

/* All that waits and no more, in another file that takes this one's place. */
static bool rewrite(struct spool *spool, const struct queue *queue)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s.new", spool->path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || !add(fd, queue, queue->n) || rename(path, spool->path) != 0) {
        int why = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        errno = why;
        return false;
    }
    (void)close(spool->fd); /* the old one's */
    spool->fd = fd;
    spool->lines = queue->n;
    return true;
}

void spool_read(FILE *file, struct queue *queue)
{
    struct state state = {0};
    char line[LINE_BYTES];

    while (fgets(line, sizeof(line), file)) {
        (void)take_line(queue, line, &state); /* passed over */
    }
    settle(queue, &state);
}

bool spool_open(struct spool *spool, const char *path, struct queue *queue)
{
    *spool = (struct spool){.path = path, .fd = -1};
    if (!path) {
        return true;
    }
    spool->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int again = spool->fd < 0 ? -1 : dup(spool->fd);
    FILE *file = again < 0 ? NULL : fdopen(again, "r");
    if (!file) {
        return false;
    }
    spool_read(file, queue);
    (void)fclose(file); /* only read */
    spool->kept = queue->pushed;
    spool->lines = 2 * queue->cap; /* until it is written anew */
    return rewrite(spool, queue);
}

bool spool_follow(struct spool *spool, const struct queue *queue)
{
    unsigned long fresh = queue->pushed - spool->kept;
    bool good = true;

    if (spool->fd < 0) {
        return true;
    }
    if (queue->n == 0 && spool->lines > 0) {
        good = ftruncate(spool->fd, 0) == 0;
        spool->lines = 0;
    } else if (fresh > queue->n || spool->lines + fresh > 2UL * queue->cap) {
        good = rewrite(spool, queue);
    } else if (fresh > 0) {
        good = add(spool->fd, queue, (unsigned)fresh);
        spool->lines += (unsigned)fresh;
    }
    if (good) {
        spool->kept = queue->pushed;
    } else {
        spool->lines = 2 * queue->cap; /* it may end in half a line: written anew next time */
    }
    return good;
}

void spool_close(struct spool *spool)
{
    if (spool->fd >= 0) {
        (void)close(spool->fd); /* every line is on disk */
    }
    spool->fd = -1;
}
