/*
 * keywright-agent: a device's identity on the command line; all of it is libkeywright
 * (include/keywright/keywright.h).
 *
 * Promises of this process: it talks to one server and its OCSP responder, writes below its state
 * folder only, and never shows a secret.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <keywright/keywright.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/privkey.h"
#include "os/clock.h"
#include "os/rng.h"
#include "os/sandbox.h"

enum { SECRET_MAX = 128, FILE_MAX = 64 << 20, SIG_ROOM = 512, EXIT_USAGE_ = 2 };

struct options {
    struct keywright_config config;
    const char *secret_file, *out, *arg;
    enum keywright_identity with;
    double interval_s;
    bool force, json;
};

/* Exit statuses; documented in keywright-agent(1). */
static const int exits[] = {
    [KEYWRIGHT_OK] = 0,          [KEYWRIGHT_BAD_INPUT] = 2,   [KEYWRIGHT_REFUSED] = 1,
    [KEYWRIGHT_NOT_TRUSTED] = 3, [KEYWRIGHT_UNAVAILABLE] = 4, [KEYWRIGHT_NO_IDENTITY] = 5,
    [KEYWRIGHT_LOST] = 6,        [KEYWRIGHT_STORAGE] = 7,     [KEYWRIGHT_INTERNAL] = 8};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

static enum keywright_result complain(const char *verb, enum keywright_result result,
                                      const char *why)
{
    (void)fprintf(stderr, "keywright-agent %s: %s\n", verb, why);
    return result;
}

/* --- the secret: from a file that only we may read, never from the command line
 * ------------------------------------- */

static enum keywright_result read_secret(const char *path, char secret[SECRET_MAX])
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &info) != 0) {
        (void)fprintf(stderr, "keywright-agent enrol: secret file %s: %s\n", path, strerror(errno));
    } else if (info.st_mode & (S_IRWXG | S_IRWXO)) {
        (void)fprintf(stderr,
                      "keywright-agent enrol: secret file %s can be read by others; chmod 600 it\n",
                      path);
    } else {
        n = read(fd, secret, SECRET_MAX - 1);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n < 0) {
        return KEYWRIGHT_BAD_INPUT;
    }
    secret[n] = 0;
    secret[strcspn(secret, "\r\n")] = 0;
    return KEYWRIGHT_OK;
}

/* --- verbs ------------------------------------------------------------------------------------ */

static void print_time(const char *name, int64_t unix_s)
{
    char text[KW_TIME_TEXT];

    (void)printf("%-18s %s\n", name, unix_s ? kw_time_text(unix_s, text) : "-");
}

static enum keywright_result status(struct keywright *kw, const struct options *options)
{
    struct keywright_status s;
    enum keywright_result result = keywright_get_status(kw, &s);

    if (result != KEYWRIGHT_OK) {
        return complain("status", result, keywright_error(kw));
    }
    if (options->json) {
        char end[KW_TIME_TEXT], renew[KW_TIME_TEXT];
        (void)printf(
            "{\"device_id\":\"%s\",\"root_of_trust\":\"%s\",\"idevid\":\"%s\","
            "\"ldevid\":\"%s\",\"previous\":\"%s\",\"not_after\":\"%s\",\"renew_at\":\"%s\"}\n",
            s.device_id, s.root_of_trust, s.idevid_sha256, s.ldevid_sha256,
            s.ldevid_previous_sha256, kw_time_text(s.ldevid_not_after, end),
            kw_time_text(s.renew_at, renew));
        return KEYWRIGHT_OK;
    }
    (void)printf("%-18s %s\n%-18s %s\n%-18s %s\n%-18s %s\n%-18s %s\n", "device", s.device_id,
                 "root of trust", s.root_of_trust, "IDevID",
                 *s.idevid_sha256 ? s.idevid_sha256 : "-", "LDevID",
                 *s.ldevid_sha256 ? s.ldevid_sha256 : "-", "previous LDevID",
                 *s.ldevid_previous_sha256 ? s.ldevid_previous_sha256 : "-");
    print_time("LDevID ends", s.ldevid_not_after);
    print_time("renewal from", s.renew_at);
    return KEYWRIGHT_OK;
}

static enum keywright_result enrol(struct keywright *kw, const struct options *options)
{
    char secret[SECRET_MAX] = "";
    struct keywright_status s;
    enum keywright_result result =
        options->secret_file ? read_secret(options->secret_file, secret) : KEYWRIGHT_OK;

    if (result != KEYWRIGHT_OK) {
        return result;
    }
    result = keywright_enrol(kw, *secret ? secret : NULL);
    explicit_bzero(secret, sizeof(secret));
    if (result != KEYWRIGHT_OK) {
        return complain("enrol", result, keywright_error(kw));
    }
    if (keywright_get_status(kw, &s) == KEYWRIGHT_OK) {
        (void)printf("%s enrolled; keys in %s\nIDevID %s\nLDevID %s\n", s.device_id,
                     s.root_of_trust, s.idevid_sha256, s.ldevid_sha256);
    }
    return KEYWRIGHT_OK;
}

static enum keywright_result hello(struct keywright *kw, const struct options *options)
{
    enum keywright_result result = keywright_hello_as(kw, options->with);

    if (result != KEYWRIGHT_OK) {
        return complain("hello", result, keywright_error(kw));
    }
    (void)puts("hello: the server knows this device");
    return KEYWRIGHT_OK;
}

static enum keywright_result renew(struct keywright *kw, const struct options *options)
{
    struct keywright_status before = {0}, after = {0};

    (void)keywright_get_status(kw, &before); /* only to tell whether anything was done */
    enum keywright_result result = keywright_renew(kw, options->force);
    if (result != KEYWRIGHT_OK) {
        return complain("renew", result, keywright_error(kw));
    }
    (void)keywright_get_status(kw, &after);
    bool same = strcmp(before.ldevid_sha256, after.ldevid_sha256) == 0;
    (void)printf("%s\n", same ? "not due yet"
                              : "renewed with a new key; the old one stays good for the overlap");
    return KEYWRIGHT_OK;
}

static enum keywright_result wipe(struct keywright *kw, const struct options *options)
{
    enum keywright_result result = keywright_wipe(kw);

    (void)options;
    if (result != KEYWRIGHT_OK) {
        return complain("wipe", result, keywright_error(kw));
    }
    (void)puts("wiped: every key is destroyed and read back as gone; the server has the receipts");
    return KEYWRIGHT_OK;
}

static enum keywright_result sign_octets(struct keywright *kw, const struct options *options,
                                         const void *data, size_t n)
{
    unsigned char sig[SIG_ROOM];
    size_t sig_len = sizeof(sig);
    enum keywright_result result = keywright_sign(kw, data, n, sig, &sig_len);

    if (result != KEYWRIGHT_OK) {
        return complain("sign", result, keywright_error(kw));
    }
    FILE *out = options->out ? fopen(options->out, "wbe") : stdout;
    bool written = out && fwrite(sig, 1, sig_len, out) == sig_len;
    if (out && (options->out ? fclose(out) : fflush(out)) != 0) {
        written = false;
    }
    return written ? KEYWRIGHT_OK : complain("sign", KEYWRIGHT_STORAGE, strerror(errno));
}

static enum keywright_result sign(struct keywright *kw, const struct options *options)
{
    FILE *in = options->arg ? fopen(options->arg, "rbe") : NULL;
    struct stat info;

    if (!in || fstat(fileno(in), &info) != 0 || info.st_size > FILE_MAX) {
        if (in) {
            (void)fclose(in);
        }
        return complain("sign", KEYWRIGHT_BAD_INPUT,
                        options->arg ? strerror(in ? EFBIG : errno) : "FILE is missing");
    }
    size_t n = (size_t)info.st_size;
    char *data = malloc(n + 1);
    bool read_all = data && fread(data, 1, n, in) == n;
    (void)fclose(in);
    enum keywright_result result =
        read_all ? sign_octets(kw, options, data, n)
                 : complain("sign", KEYWRIGHT_BAD_INPUT, "the file cannot be read");
    free(data);
    return result;
}

/* --- run: alive until stopped
 * ------------------------------------------------------------------------------------- */

static void sleep_s(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

    (void)nanosleep(&t, NULL); /* a signal ends it early, as it should */
}

/* Up to a quarter more or less, so that a fleet does not come all at once. */
static double jitter(double seconds)
{
    uint16_t random = 0;
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    (void)kw_ok(
        os_random(&op, &random, sizeof(random))); /* without it there is no jitter, that is all */
    return seconds * (0.75 + (double)random / 131072);
}

static void tell(const char *what, const char *why)
{
    char when[KW_TIME_TEXT];

    (void)printf("%s %s%s%s\n", kw_time_text_ms(os_clock_unix_ms(), when), what, why ? ": " : "",
                 why ? why : "");
    (void)fflush(stdout);
}

static bool hopeless(enum keywright_result result)
{
    return result == KEYWRIGHT_NO_IDENTITY || result == KEYWRIGHT_LOST;
}

static enum keywright_result once(struct keywright *kw)
{
    enum keywright_result result = keywright_renew(kw, /* force= */ 0);

    if (result != KEYWRIGHT_OK) {
        tell("renewal refused", keywright_error(kw));
    }
    result = keywright_hello(kw);
    tell(result == KEYWRIGHT_OK ? "hello" : "hello refused",
         result == KEYWRIGHT_OK ? NULL : keywright_error(kw));
    return result;
}

static enum keywright_result run(struct keywright *kw, const struct options *options)
{
    enum { BACK_OFF_MAX_S = 3600 };
    double wait_s = options->interval_s;

    (void)signal(SIGTERM, stop);
    (void)signal(SIGINT, stop);
    while (!stopping) {
        enum keywright_result result = once(kw);
        if (hopeless(result)) {
            return result;
        }
        wait_s = result == KEYWRIGHT_OK ? options->interval_s : wait_s * 2;
        wait_s = wait_s > BACK_OFF_MAX_S ? BACK_OFF_MAX_S : wait_s;
        sleep_s(result == KEYWRIGHT_OK ? options->interval_s : jitter(wait_s));
    }
    return KEYWRIGHT_OK;
}

/* --- the command line
 * --------------------------------------------------------------------------------------------- */

static const struct verb {
    const char *name;
    enum keywright_result (*run)(struct keywright *kw, const struct options *options);
    const char *doc;
} verbs[] = {
    {"enrol",  enrol,
     "get both identities; the first time with --server --id --trust --rot --secret-file"         },
    {"hello",  hello,  "tell the server that this device is alive; --with current|previous|idevid"},
    {"renew",  renew,  "a new LDevID with a new key, when due or with --force"                    },
    {"sign",   sign,   "sign FILE with the LDevID's key; --out FILE"                              },
    {"status", status, "what this device is; --json"                                              },
    {"run",    run,    "hello every --interval seconds, renewal when due, until SIGTERM"          },
    {"wipe",   wipe,   "destroy every key, with receipts"                                         },
};

enum {
    O_STATE = 256,
    O_SERVER,
    O_ID,
    O_TRUST,
    O_ROT,
    O_FIRMWARE,
    O_SECRET,
    O_OUT,
    O_WITH,
    O_INTERVAL,
    O_FORCE,
    O_JSON,
    O_HELP
};
static const struct option long_options[] = {
    {"state", 1, NULL, O_STATE},
    {"server", 1, NULL, O_SERVER},
    {"id", 1, NULL, O_ID},
    {"trust", 1, NULL, O_TRUST},
    {"rot", 1, NULL, O_ROT},
    {"firmware", 1, NULL, O_FIRMWARE},
    {"secret-file", 1, NULL, O_SECRET},
    {"out", 1, NULL, O_OUT},
    {"with", 1, NULL, O_WITH},
    {"interval", 1, NULL, O_INTERVAL},
    {"force", 0, NULL, O_FORCE},
    {"json", 0, NULL, O_JSON},
    {"help", 0, NULL, O_HELP},
    {0},
};

static int usage(FILE *out, int exit_status)
{
    (void)fputs("usage: keywright-agent VERB --state DIR [options]\n", out);
    for (unsigned i = 0; i < KW_COUNT(verbs); i++) {
        (void)fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].doc);
    }
    (void)fputs("  --state DIR         state folder (/var/lib/keywright-agent)\n"
                "  --server URL        https://host:8443\n"
                "  --id ID             device id, as registered\n"
                "  --trust FILE        PEM of the root to trust\n"
                "  --rot URI           soft:dir=DIR, tpm2:dir=DIR,tcti=TCTI or pkcs11:...\n"
                "  --firmware VERSION  what runs on the device; told to the server, remembered\n"
                "  --secret-file FILE  one-time registration secret (mode 0600)\n",
                out);
    return exit_status;
}

static bool take_with(const char *text, enum keywright_identity *ret)
{
    static const char *const names[] = {[KEYWRIGHT_CURRENT] = "current",
                                        [KEYWRIGHT_PREVIOUS] = "previous",
                                        [KEYWRIGHT_BIRTH] = "idevid"};

    for (unsigned i = 0; i < KW_COUNT(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *ret = (enum keywright_identity)i;
            return true;
        }
    }
    return false;
}

static bool take_interval(const char *text, double *ret)
{
    char *end = NULL;

    *ret = strtod(text, &end);
    return end != text && *end == 0 && *ret >= 0.01 && *ret <= 86400;
}

static bool take_option(int c, struct options *options)
{
    const struct {
        int c;
        const char **place;
    } texts[] = {
        {O_STATE,    &options->config.state_dir    },
        {O_SERVER,   &options->config.server       },
        {O_ID,       &options->config.device_id    },
        {O_TRUST,    &options->config.trust_file   },
        {O_ROT,      &options->config.root_of_trust},
        {O_FIRMWARE, &options->config.firmware     },
        {O_SECRET,   &options->secret_file         },
        {O_OUT,      &options->out                 },
    };

    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        if (texts[i].c == c) {
            *texts[i].place = optarg;
            return true;
        }
    }
    options->force |= c == O_FORCE;
    options->json |= c == O_JSON;
    return c == O_FORCE || c == O_JSON || (c == O_WITH && take_with(optarg, &options->with)) ||
           (c == O_INTERVAL && take_interval(optarg, &options->interval_s));
}

static const struct verb *find_verb(const char *name)
{
    for (unsigned i = 0; i < KW_COUNT(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int act(const struct verb *verb, const struct options *options)
{
    struct keywright *kw = NULL;
    enum keywright_result result = keywright_open(&options->config, &kw);

    if (result != KEYWRIGHT_OK) {
        return exits[complain(verb->name, result, keywright_error(NULL))];
    }
    result = verb->run(kw, options);
    keywright_close(kw);
    return exits[result];
}

int main(int argc, char **argv)
{
    struct options options = {.config.state_dir = "/var/lib/keywright-agent", .interval_s = 60};
    struct kw_op op;

    (void)crypto_wipe_freed(); /* first of all: too late is our bug, and costs only the wiping */
    (void)crypto_lock_keys(); /* where the lock limit forbids it: the process leaves no core dump */
    (void)signal(SIGPIPE, SIG_IGN);
    for (int c = 0; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == O_HELP) {
            return usage(stdout, EXIT_SUCCESS);
        }
        if (!take_option(c, &options)) {
            return usage(stderr, EXIT_USAGE_);
        }
    }
    const struct verb *verb = optind < argc ? find_verb(argv[optind]) : NULL;
    options.arg = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (optind < argc && strcmp(argv[optind], "version") == 0) {
        (void)printf("keywright-agent %s\n", keywright_version());
        return EXIT_SUCCESS;
    }
    if (!verb || optind + 2 < argc) {
        return usage(stderr, EXIT_USAGE_);
    }
    kw_op_init(&op, NULL, 0);
    if (!kw_ok(os_sandbox_harden(&op))) {
        return exits[complain(verb->name, KEYWRIGHT_INTERNAL, kw_op_cause(&op))];
    }
    return act(verb, &options);
}
