/* Between the files of keywright-agent: options.c reads the command line, verbs_*.c act, verbs.c
 * lists them. */
#ifndef CMD_KEYWRIGHT_AGENT_AGENT_H
#define CMD_KEYWRIGHT_AGENT_AGENT_H

#include <keywright/keywright.h>
#include <stdbool.h>
#include <stdio.h>

/* What the command line said. A new option is a member here and a row in options.c. */
struct options {
    struct keywright_config config;
    const char *secret_file, *out, *reader;
    const char *type, *audience, *signer, *name; /* of data; texts, never NULL but the middle two */
    const char *arg; /* what the verb is about: FILE; NULL = not given */
    enum keywright_identity with;
    double interval_s;
    bool force, json, help;
};

/* One verb. A new one is a function in verbs_NOUN.c, its declaration here and a row in verbs.c. */
struct verb {
    const char *name;
    enum keywright_result (*run)(struct keywright *kw, const struct options *options);
    const char *arg; /* "FILE": it must be there; NULL = it takes none */
    const char *doc;
};

extern const struct verb verbs[];
extern const unsigned n_verbs;
/* NULL: no such verb. */
const struct verb *verb_find(const char *name);

/* False: wrong, and told on stderr. ret_verb: NULL where none was given. */
bool options_read(int argc, char **argv, struct options *ret, const char **ret_verb);
void options_print(FILE *out);

/* Tell why on stderr; gives `result` back. */
enum keywright_result complain(const char *verb, enum keywright_result result, const char *why);
/* The same of the last call on kw, where it failed. */
enum keywright_result conclude(const char *verb, struct keywright *kw,
                               enum keywright_result result);

/* verbs_identity.c */
enum keywright_result verb_enrol(struct keywright *kw, const struct options *options);
enum keywright_result verb_renew(struct keywright *kw, const struct options *options);
enum keywright_result verb_status(struct keywright *kw, const struct options *options);
enum keywright_result verb_wipe(struct keywright *kw, const struct options *options);
/* verbs_attest.c */
enum keywright_result verb_attest(struct keywright *kw, const struct options *options);
/* verbs_events.c */
enum keywright_result verb_events(struct keywright *kw, const struct options *options);
enum keywright_result verb_record(struct keywright *kw, const struct options *options);
/* verbs_run.c */
enum keywright_result verb_hello(struct keywright *kw, const struct options *options);
enum keywright_result verb_run(struct keywright *kw, const struct options *options);
/* verbs_data.c */
enum keywright_result verb_sign(struct keywright *kw, const struct options *options);
enum keywright_result verb_sign_data(struct keywright *kw, const struct options *options);
enum keywright_result verb_verify_data(struct keywright *kw, const struct options *options);
enum keywright_result verb_protect(struct keywright *kw, const struct options *options);
enum keywright_result verb_seal(struct keywright *kw, const struct options *options);
enum keywright_result verb_unseal(struct keywright *kw, const struct options *options);
enum keywright_result verb_request(struct keywright *kw, const struct options *options);
enum keywright_result verb_install(struct keywright *kw, const struct options *options);

#endif
