#include <string.h>

#include "base/bytes.h"
#include "cmd/keywright-agent/agent.h"

/* clang-format off */
const struct verb verbs[] = {
    {"attest", verb_attest, NULL,   "prove to the server what this device is; --json"},
    {"enrol",  verb_enrol,  NULL,   "get both identities; the first time with --server --id --trust --rot --secret-file"},
    {"events", verb_events, NULL,   "the security events that this device recorded; --json"},
    {"hello",  verb_hello,  NULL,   "tell the server that this device is alive; --with current|previous|idevid"},
    {"record", verb_record, "TYPE", "a security event of the application's, app.…; --name says what happened"},
    {"renew",  verb_renew,  NULL,   "a new LDevID with a new key, when due or with --force"},
    {"sign",   verb_sign,   "FILE", "sign it with the LDevID's key; --out FILE"},
    {"sign-data",   verb_sign_data,   "FILE", "sign it with time, number, --type and --to, as a JWS; --out FILE"},
    {"verify-data", verb_verify_data, "FILE", "its data, once, where --type and --signer are as expected; --out FILE"},
    {"protect",     verb_protect,     "FILE", "sign it, then encrypt it for --reader, as CMS; --out FILE"},
    {"seal",        verb_seal,        "FILE", "so that only this device opens it; --name, --out FILE"},
    {"unseal",      verb_unseal,      "FILE", "--name, --out FILE"},
    {"request", verb_request, NULL,   "of a service: a request for an operator to sign; --out FILE"},
    {"install", verb_install, "FILE", "of a service: take the certificate into use that was issued"},
    {"status", verb_status, NULL,   "what this device is, and where in its life; --json"},
    {"identify", verb_status, NULL, "the same"},
    {"run",    verb_run,    NULL,   "hello every --interval seconds, renewal when due, until SIGTERM"},
    {"wipe",   verb_wipe,   NULL,   "destroy every key, with receipts"},
};
/* clang-format on */
const unsigned n_verbs = KW_COUNT(verbs);

const struct verb *verb_find(const char *name)
{
    for (unsigned i = 0; i < n_verbs; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}
