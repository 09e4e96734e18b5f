/*
 * keywright-agent: a device's identity on the command line; all of it is libkeywright
 * (include/keywright/keywright.h).
 *
 * Promises of this process: it talks to one server and its OCSP responder, writes below its state
 * folder only, and never shows a secret.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/op.h"
#include "cmd/keywright-agent/agent.h"
#include "crypto/privkey.h"
#include "os/sandbox.h"

enum { EXIT_USAGE_ = 2 };

/* Exit statuses; documented in keywright-agent(1). */
static const int exits[] = {
    [KEYWRIGHT_OK] = 0,          [KEYWRIGHT_BAD_INPUT] = 2,   [KEYWRIGHT_REFUSED] = 1,
    [KEYWRIGHT_NOT_TRUSTED] = 3, [KEYWRIGHT_UNAVAILABLE] = 4, [KEYWRIGHT_NO_IDENTITY] = 5,
    [KEYWRIGHT_LOST] = 6,        [KEYWRIGHT_STORAGE] = 7,     [KEYWRIGHT_INTERNAL] = 8};

enum keywright_result complain(const char *verb, enum keywright_result result, const char *why)
{
    (void)fprintf(stderr, "keywright-agent %s: %s\n", verb, why);
    return result;
}

enum keywright_result conclude(const char *verb, struct keywright *kw, enum keywright_result result)
{
    return result == KEYWRIGHT_OK ? result : complain(verb, result, keywright_error(kw));
}

static int usage(FILE *out, int exit_status)
{
    options_print(out);
    return exit_status;
}

static int act(const struct verb *verb, const struct options *options)
{
    struct keywright *kw = NULL;
    enum keywright_result result = keywright_open(&options->config, &kw);

    result = conclude(verb->name, kw, result);
    result = result == KEYWRIGHT_OK ? verb->run(kw, options) : result;
    keywright_close(kw);
    return exits[result];
}

int main(int argc, char **argv)
{
    struct options options = {.config.state_dir = "/var/lib/keywright-agent",
                              .interval_s = 60,
                              .type = "data",
                              .name = "data"};
    const char *name = NULL;
    struct kw_op op;

    (void)crypto_wipe_freed(); /* first of all: too late is our bug, and costs only the wiping */
    (void)crypto_lock_keys(); /* where the lock limit forbids it: the process leaves no core dump */
    (void)signal(SIGPIPE, SIG_IGN);
    bool good = options_read(argc, argv, &options, &name);
    if (!good || options.help) {
        return good ? usage(stdout, EXIT_SUCCESS) : usage(stderr, EXIT_USAGE_);
    }
    if (name && strcmp(name, "version") == 0) {
        (void)printf("keywright-agent %s\n", keywright_version());
        return EXIT_SUCCESS;
    }
    const struct verb *verb = name ? verb_find(name) : NULL;
    if (!verb || !verb->arg != !options.arg) {
        return usage(stderr, EXIT_USAGE_);
    }
    kw_op_init(&op, NULL, 0);
    if (!kw_ok(os_sandbox_harden(&op))) {
        return exits[complain(verb->name, KEYWRIGHT_INTERNAL, kw_op_cause(&op))];
    }
    return act(verb, &options);
}
