#include "program.h"

#include <openssl/sha.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { PORT_DEFAULT = 8883 };

/* --- the end -----------------------------------------------------------------------------------
 */

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

bool program_catch(void)
{
    struct sigaction action = {.sa_handler = end};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    return sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGINT, &action, NULL) == 0 &&
           sigaction(SIGPIPE, &ignore, NULL) == 0;
}

bool program_ends(void)
{
    return ended != 0;
}

/* --- identity ----------------------------------------------------------------------------------
 */

struct keywright *program_open(const char *state, char id[ID_MAX])
{
    struct keywright_config config = {.state_dir = state};
    struct keywright_status status;
    struct keywright *kw = NULL;

    (void)setvbuf(stdout, NULL, _IOLBF,
                  0); /* to a log too; only before the first word (C17 7.21.5.6) */
    if (keywright_open(&config, &kw) == KEYWRIGHT_OK &&
        keywright_get_status(kw, &status) == KEYWRIGHT_OK && status.has_ldevid) {
        (void)snprintf(id, ID_MAX, "%s", status.device_id);
        (void)printf("identity: %s, keys in %s\n", id, status.root_of_trust);
        return kw;
    }
    (void)fprintf(stderr, "no identity in %s: %s\n", state,
                  kw && *keywright_error(kw) ? keywright_error(kw)
                                             : "enrol with keywright-agent first");
    keywright_close(kw);
    return NULL;
}

bool program_broker(const char *text, char host[HOST_MAX], unsigned *port)
{
    bool bracket = *text == '[';
    const char *from = text + bracket;
    const char *until = bracket ? strchr(from, ']') : strrchr(from, ':');
    const char *digits = !until ? NULL : bracket ? until + 2 : until + 1;
    char *end = NULL;

    until = until ? until : from + strlen(from);
    if (until == from || until - from >= HOST_MAX ||
        (bracket && (*until != ']' || until[1] != ':'))) {
        return false;
    }
    unsigned long number = digits ? strtoul(digits, &end, 10) : PORT_DEFAULT;
    (void)snprintf(host, HOST_MAX, "%.*s", (int)(until - from), from);
    *port = (unsigned)number;
    return number > 0 && number < 65536 && (!digits || (end != digits && !*end));
}

/* --- octets ------------------------------------------------------------------------------------
 */

static void to_hex(const unsigned char *octets, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", octets[i]);
    }
}

bool program_random(unsigned n, char *out)
{
    unsigned char octets[32];
    bool drawn = n <= sizeof(octets) && getrandom(octets, n, 0) == (ssize_t)n;

    if (drawn) {
        to_hex(octets, n, out);
    }
    return drawn;
}

void program_hash(const void *data, size_t len, char hex[MESSAGE_HASH + 1])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256(data, len, hash);
    to_hex(hash, sizeof(hash), hex);
}
