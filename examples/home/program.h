/* What hub and cloud share: identity, signals, renewal, hashes. */
#ifndef HOME_PROGRAM_H
#define HOME_PROGRAM_H

#include <keywright/keywright.h>
#include <stdbool.h>

#include "message.h"

enum { ID_MAX = 96, HOST_MAX = 256 };

/* The identity of a state folder that has one, with its id; NULL: told on stderr. Standard output
 * goes out line by line from here on. */
struct keywright *program_open(const char *state, char id[ID_MAX]);
/* "HOST:PORT", "HOST" (8883) or "[ADDRESS]:PORT". */
bool program_broker(const char *text, char host[HOST_MAX], unsigned *port);
/* True after SIGTERM or SIGINT; program_catch() first. */
bool program_catch(void);
bool program_ends(void);
/* Lower-case hex of so many random octets; out: 2 * n + 1. */
bool program_random(unsigned n, char *out);
void program_hash(const void *data, size_t len, char hex[MESSAGE_HASH + 1]);

#endif
