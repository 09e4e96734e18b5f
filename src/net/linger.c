#include "net/linger.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LINGER_MAX = 256,        /* a loop's; beyond it, connections are just closed */
    LINGER_MS = 1000,        /* a peer that is silent for so long has read its alert, or will not */
    LINGER_TOTAL_MS = 5000,  /* one that talks on will not listen */
    LINGER_BYTES = 16 << 20, /* what a peer may still send to deaf ears: clients that send a body
                                whole before they read the answer to its beginning */
    LINGER_READ = 16384,
};

struct lingering {
    struct linger_list *list;
    struct lingering *next, *prev;
    struct event *event; /* reading and silence */
    struct event *limit;
    int fd;
    size_t n_read;
};

static void linger_end(struct lingering *l)
{
    struct linger_list *list = l->list;

    if (l->prev) {
        l->prev->next = l->next;
    } else {
        list->first = l->next;
    }
    if (l->next) {
        l->next->prev = l->prev;
    }
    list->n--;
    if (l->event) {
        event_free(l->event);
    }
    if (l->limit) {
        event_free(l->limit);
    }
    close(l->fd);
    free(l);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct lingering *l = arg;
    char deaf[LINGER_READ];

    ssize_t n = what & EV_READ ? read(fd, deaf, sizeof(deaf)) : 0;
    l->n_read += n > 0 ? (size_t)n : 0;
    if (n <= 0 || l->n_read > LINGER_BYTES) {
        linger_end(l);
    }
}

void linger_start(struct linger_list *list, struct event_base *base, int fd)
{
    static const struct timeval silence = {LINGER_MS / 1000, LINGER_MS % 1000 * 1000};
    static const struct timeval limit = {LINGER_TOTAL_MS / 1000, LINGER_TOTAL_MS % 1000 * 1000};

    if (list->n >= LINGER_MAX) {
        return;
    }
    struct lingering *l = calloc(1, sizeof(*l));
    if (!l) {
        return;
    }
    *l = (struct lingering){.list = list, .next = list->first, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (l->fd < 0) {
        free(l);
        return;
    }
    if (list->first) {
        list->first->prev = l;
    }
    list->first = l;
    list->n++;
    l->event = event_new(base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
    l->limit = event_new(base, -1, EV_TIMEOUT, on_readable, l);
    if (!l->event || !l->limit || event_add(l->event, &silence) != 0 ||
        event_add(l->limit, &limit) != 0) {
        linger_end(l);
    }
}

void linger_end_all(struct linger_list *list)
{
    while (list->first) {
        linger_end(list->first);
    }
}
