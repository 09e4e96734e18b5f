#include "lookup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct lookup {
    struct gaicb request;
    struct addrinfo hints;
    char host[]; /* NUL-terminated */
};

struct lookup *lookup_start(const char *host)
{
    size_t n = strlen(host) + 1;
    struct lookup *lookup = calloc(1, sizeof(*lookup) + n);

    if (!lookup) {
        return NULL;
    }
    memcpy(lookup->host, host, n);
    lookup->hints = (struct addrinfo){.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->request = (struct gaicb){.ar_name = lookup->host, .ar_request = &lookup->hints};
    struct gaicb *all[] = {&lookup->request};
    if (getaddrinfo_a(GAI_NOWAIT, all, 1, NULL) != 0) {
        free(lookup);
        return NULL;
    }
    return lookup;
}

int lookup_wait(struct lookup *lookup, unsigned ms)
{
    const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    const struct gaicb *const all[] = {&lookup->request};

    (void)gai_suspend(all, 1, &time); /* woken earlier is fine */
    return gai_error(&lookup->request);
}

void lookup_end(struct lookup *lookup)
{
    if (!lookup) {
        return;
    }
    if (gai_error(&lookup->request) == EAI_INPROGRESS &&
        gai_cancel(&lookup->request) == EAI_NOTCANCELED) {
        return; /* it is the thread's */
    }
    if (lookup->request.ar_result) {
        freeaddrinfo(lookup->request.ar_result);
    }
    free(lookup);
}
