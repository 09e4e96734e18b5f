#include "net/client_names.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Shared by who asks and the thread that answers; the last to let go frees it. */
struct lookup {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool is_answered, is_alone; /* is_alone: the other one is gone */
    int error;                  /* EAI_… */
    struct addrinfo *found;
    char port[8];
    char host[]; /* NUL-terminated */
};

static int find(const char *host, const char *port, int flags, struct addrinfo **ret)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};

    return getaddrinfo(host, port, &hints, ret);
}

static void let_go(struct lookup *lookup)
{
    (void)pthread_mutex_lock(&lookup->mutex); /* plain mutex of ours: none of this fails */
    bool last = lookup->is_alone;
    lookup->is_alone = true;
    (void)pthread_mutex_unlock(&lookup->mutex);
    if (!last) {
        return;
    }
    if (lookup->found) {
        freeaddrinfo(lookup->found);
    }
    (void)pthread_cond_destroy(&lookup->answered);
    (void)pthread_mutex_destroy(&lookup->mutex);
    free(lookup);
}

static void *answer(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo *found = NULL;

    int error = find(lookup->host, lookup->port, 0, &found);
    (void)pthread_mutex_lock(&lookup->mutex);
    lookup->error = error;
    lookup->found = error == 0 ? found : NULL;
    lookup->is_answered = true;
    (void)pthread_cond_signal(&lookup->answered);
    (void)pthread_mutex_unlock(&lookup->mutex);
    let_go(lookup);
    return NULL;
}

static kw_status lookup_new(struct kw_op *op, const char *host, const char *port,
                            struct lookup **ret)
{
    pthread_condattr_t attr;
    struct lookup *lookup = calloc(1, sizeof(*lookup) + strlen(host) + 1);

    ENSURE(op, lookup, KW_E_MEMORY, "looking up '%s'", host);
    memcpy(lookup->host, host, strlen(host) + 1);
    (void)snprintf(lookup->port, sizeof(lookup->port), "%s", port);
    /* With Linux' C libraries none of these can fail. */
    (void)pthread_mutex_init(&lookup->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lookup->answered, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret = lookup;
    return KW_OK;
}

/* No signal of the program's is handled in a thread that it does not know of. */
static bool start(struct lookup *lookup)
{
    pthread_t thread = 0;
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all); /* none fails with valid arguments */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, NULL, answer, lookup) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started) {
        (void)pthread_detach(thread);
    }
    return started;
}

static void wait_for(struct lookup *lookup, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int error = 0;

    while (!lookup->is_answered && error == 0) {
        error = pthread_cond_timedwait(&lookup->answered, &lookup->mutex, &until);
    }
}

static kw_status by_thread(struct kw_op *op, const char *host, const char *port, int64_t until_ms,
                           struct addrinfo **ret)
{
    struct lookup *lookup = NULL;

    TRY(op, lookup_new(op, host, port, &lookup));
    bool started = start(lookup);
    (void)pthread_mutex_lock(&lookup->mutex);
    if (started) {
        wait_for(lookup, until_ms);
    } else {
        lookup->is_alone = true;
    }
    bool answered = lookup->is_answered;
    int error = lookup->error;
    struct addrinfo *found = TAKE(lookup->found);
    (void)pthread_mutex_unlock(&lookup->mutex);
    let_go(lookup);
    ENSURE(op, started, KW_E_MEMORY, "looking up '%s'", host);
    ENSURE(op, answered, KW_E_TIMEOUT, "no name server told in time what '%s' is", host);
    ENSURE(op, error == 0 && found, KW_E_UNAVAILABLE, "no address of '%s' is known: %s", host,
           gai_strerror(error));
    *ret = found;
    return KW_OK;
}

kw_status client_find_addresses(struct kw_op *op, const char *host, unsigned port, int64_t until_ms,
                                struct addrinfo **ret)
{
    char text[8];

    (void)snprintf(text, sizeof(text), "%u", port);
    if (find(host, text, AI_NUMERICHOST, ret) == 0) {
        return KW_OK;
    }
    return by_thread(op, host, text, until_ms, ret);
}
