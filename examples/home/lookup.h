/* Does a name server tell what a name is? Asked beside the program: one that swallows packets holds
 * nothing else up, where libmosquitto would wait for as long as resolv.conf says. */
#ifndef HOME_LOOKUP_H
#define HOME_LOOKUP_H

#include <netdb.h>

struct lookup;

/* host is copied. NULL: no memory, or no thread. */
struct lookup *lookup_start(const char *host);
/* Waits for ms at most. 0: there are addresses; EAI_INPROGRESS: not yet; else EAI_…,
 * gai_strerror(). */
int lookup_wait(struct lookup *lookup, unsigned ms);
/* Also while it goes on: what is still under way is left behind, and a thread with it until the
 * name server, or resolv.conf, ends it. NULL is fine. */
void lookup_end(struct lookup *lookup);

#endif
