#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cmd/keywright-agent/agent.h"

/* --- how a value is read ---------------------------------------------------------------------- */

typedef bool (*reader)(const char *text, void *place);

static bool take_text(const char *text, void *place)
{
    *(const char **)place = text;
    return true;
}

static bool take_flag(const char *text, void *place)
{
    (void)text;
    *(bool *)place = true;
    return true;
}

static bool take_with(const char *text, void *place)
{
    static const char *const names[] = {[KEYWRIGHT_CURRENT] = "current",
                                        [KEYWRIGHT_PREVIOUS] = "previous",
                                        [KEYWRIGHT_BIRTH] = "idevid"};

    for (unsigned i = 0; i < KW_COUNT(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *(enum keywright_identity *)place = (enum keywright_identity)i;
            return true;
        }
    }
    return false;
}

static bool take_seconds(const char *text, void *place)
{
    double *ret = place;
    char *end = NULL;

    *ret = strtod(text, &end);
    return end != text && *end == 0 && *ret >= 0.01 && *ret <= 86400;
}

/* --- the options ------------------------------------------------------------------------------ */

#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct row {
    const char *name;
    reader take;
    size_t at;
    const char *value; /* NULL = a flag */
    const char *doc;   /* NULL = told by the verb */
} rows[] = {
    {"state",       take_text,    AT(config.state_dir),     "DIR",     "state folder (/var/lib/keywright-agent)"},
    {"server",      take_text,    AT(config.server),        "URL",     "https://host:8443"},
    {"id",          take_text,    AT(config.device_id),     "ID",      "device id, as registered"},
    {"trust",       take_text,    AT(config.trust_file),    "FILE",    "PEM of the root to trust; a second one is spare"},
    {"rot",         take_text,    AT(config.root_of_trust), "URI",     "soft:dir=DIR, tpm2:dir=DIR,tcti=TCTI or pkcs11:..."},
    {"firmware",    take_text,    AT(config.firmware),      "VERSION", "what runs on the device; told to the server, remembered"},
    {"secret-file", take_text,    AT(secret_file),          "FILE",    "one-time registration secret (mode 0600)"},
    {"reader",      take_text,    AT(reader),               "FILE",    "PEM of the certificate that a file is for, chain behind it"},
    {"out",         take_text,    AT(out),                  "FILE",    NULL},
    {"type",        take_text,    AT(type),                 "TYPE",    "what signed data is (data)"},
    {"to",          take_text,    AT(audience),             "ID",      "for whom signed data is"},
    {"signer",      take_text,    AT(signer),               "ID",      "who must have signed it"},
    {"name",        take_text,    AT(name),                 "NAME",    "of what is sealed (data)"},
    {"with",        take_with,    AT(with),                 "WHICH",   NULL},
    {"interval",    take_seconds, AT(interval_s),           "SECONDS", NULL},
    {"force",       take_flag,    AT(force),                NULL,      NULL},
    {"json",        take_flag,    AT(json),                 NULL,      NULL},
    {"help",        take_flag,    AT(help),                 NULL,      NULL},
};
/* clang-format on */

enum { FIRST = 256 }; /* no character is such an option */

static void fill(struct option long_options[KW_COUNT(rows) + 1])
{
    for (unsigned i = 0; i < KW_COUNT(rows); i++) {
        long_options[i] = (struct option){
            .name = rows[i].name, .has_arg = rows[i].value != NULL, .val = (int)(FIRST + i)};
    }
    long_options[KW_COUNT(rows)] = (struct option){0};
}

static bool take_option(int c, struct options *options)
{
    unsigned i = (unsigned)c - FIRST;

    if (i >= KW_COUNT(rows)) {
        return false; /* getopt has told it */
    }
    bool taken = rows[i].take(optarg, (char *)options + rows[i].at);
    if (!taken) {
        (void)fprintf(stderr, "keywright-agent: --%s: '%s' is no such value\n", rows[i].name,
                      optarg);
    }
    return taken;
}

bool options_read(int argc, char **argv, struct options *ret, const char **ret_verb)
{
    struct option long_options[KW_COUNT(rows) + 1];

    fill(long_options);
    for (int c = 0; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (!take_option(c, ret)) {
            return false;
        }
    }
    *ret_verb = optind < argc ? argv[optind] : NULL;
    ret->arg = optind + 1 < argc ? argv[optind + 1] : NULL;
    return optind + 2 >= argc;
}

void options_print(FILE *out)
{
    (void)fputs("usage: keywright-agent VERB --state DIR [options]\n", out);
    for (unsigned i = 0; i < n_verbs; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s%s%s", verbs[i].name, verbs[i].arg ? " " : "",
                       verbs[i].arg ? verbs[i].arg : "");
        (void)fprintf(out, "  %-14s %s\n", name, verbs[i].doc);
    }
    for (unsigned i = 0; i < KW_COUNT(rows); i++) {
        if (rows[i].doc) {
            (void)fprintf(out, "  --%s %-*s %s\n", rows[i].name, 18 - (int)strlen(rows[i].name),
                          rows[i].value, rows[i].doc);
        }
    }
}
