/*
 * keywright: the operator's command line. Except for `init` and `log verify` it only talks to the
 * operators' listener, with the operator's own certificate and key.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/keywright/cli.h"
#include "os/clock.h"

enum { DEADLINE_MS = 120000 };

/* --- tables ----------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *name;
    bool flag;
    const char *value, *doc;
} options[] = {
    [OPT_JSON] = {"json",         true,  "",        "print what the server sent"                         },
    [OPT_ADMIN] = {"admin",        false, "DIR",
                  "operator's credential; else $KEYWRIGHT_ADMIN, else /var/lib/keywright/admin"          },
    [OPT_STATE] = {"state",        false, "DIR",     "state folder"                               },
    [OPT_ORGANIZATION] = {"organization", false, "NAME",
                  "O= of every name; the CAs may sign for no other"                                      },
    [OPT_SERVER_NAME] = {"server-name",  false, "NAME",
                  "DNS name or IP address that devices use (localhost)"                                  },
    [OPT_LISTEN] = {"listen",       false, "ADDRESS", "address of the three listeners (127.0.0.1)"         },
    [OPT_PORTS] = {"ports",        false, "D,O,R",
                  "their ports: devices, operators, relying parties (8443,9443,8080)"                    },
    [OPT_UNLOCK] =
        {"unlock",       false, "HOW",
                  "passphrase-file:PATH, passphrase:, shares:M,N, tpm2:... or pkcs11:...; else a random passphrase in the state folder"       },
    [OPT_OFFLINE] = {"offline",      false, "DIR",
                  "where the root key and its shares go; take it away afterwards"                        },
    [OPT_INTO] = {"into",         false, "DIR",     "where the next root's key and its shares go"        },
    [OPT_SHARES] = {"shares",       false, "M,N",     "M of N shares open the root key (2,3)"              },
    [OPT_PROFILES] = {"profiles",     false, "DIR",     "certificate profiles to begin with"                 },
    [OPT_KEEPER] = {"keeper",       false, "PROGRAM",
                  "keywright-keeper; beside this program where absent"                                   },
    [OPT_OPERATOR] = {"operator",     false, "NAME",    "first operator (admin)"                             },
    [OPT_USER] = {"user",         false, "NAME",    "user that keywrightd becomes where started as root" },
    [OPT_KEEPER_USER] = {"keeper-user",  false, "NAME",
                  "user of the keeper and its vault; else keywright-keeper where there is one, else as --user"},
    [OPT_PRODUCT] = {"product",      false, "NAME",    "product of the device, or of a firmware-signer"                              },
    [OPT_SERIAL] = {"serial",       false, "TEXT",    "manufacturer's serial number; else the id"          },
    [OPT_HW_TYPE] = {"hw-type",      false, "OID",     "hardware type, for hardwareModuleName"              },
    [OPT_HOURS] = {"hours",        false, "N",       "life of the registration secret (168)"              },
    [OPT_SECRET_FILE] = {"secret-file",  false, "FILE",
                  "write the secret there (0600) instead of printing it"                                 },
    [OPT_REASON] = {"reason",       false, "REASON",
                  "keyCompromise, superseded, cessationOfOperation, ..."                                 },
    [OPT_OWNER] = {"owner",        false, "OWNER",   "only of this owner: device:ID, operator:NAME, ..."  },
    [OPT_CA] = {"ca",           false, "CA",      "only of this CA"                                    },
    [OPT_PROFILE] = {"profile",      false, "NAME",    "only of this profile"                               },
    [OPT_STATE_IS] = {"in-state",     false, "STATE",
                  "only in this state: valid, superseded, held, revoked; of requests: waiting, ..."                                 },
    [OPT_EXPIRES] = {"expires-days", false, "N",       "only those that end within N days"                  },
    [OPT_MAX] = {"max",          false, "N",       "at most so many"                                    },
    [OPT_OUT] = {"out",          false, "PATH",    "where to write"                                     },
    [OPT_CLASS] = {"class",        false, "CLASS",   "class of the key: data-kek, firmware-signer, tuf-role, ..."},
    [OPT_ALG] = {"alg",          false, "ALG",     "algorithm; else the class's"},
    [OPT_TUF_ROLE] = {"tuf-role",     false, "ROLE",    "root, targets, snapshot or timestamp"},
    [OPT_VERSIONS] = {"versions",     false, "PATTERN",
                  "versions of a firmware-signer: # for digits, * at the end"                            },
    [OPT_LABELS] = {"labels",       false, "L,L",
                  "what labels of a kdf-master begin with"                                               },
    [OPT_ESCROW] = {"escrow",       true,  "",        "backups hold the secret of this key for data, sealed to the recovery shares"},
    [OPT_DAYS] = {"days",         false, "N",       "originator-usage period; else the class's"},
    [OPT_ALL] = {"all",          true,  "",        "all keys"},
    [OPT_FORMAT] = {"format",       false, "FORMAT",  "table, csv, json, svg or mermaid; pem, der or p7b"},
    [OPT_LANG] = {"lang",         false, "LANG",    "en or zh-TW"},
    [OPT_KEK] = {"kek",          false, "KEY",     "key-encrypting key (class data-kek) of the keeper"},
    [OPT_CONTEXT] = {"context",      false, "TEXT",    "what the data key is for; bound to it"},
    [OPT_BATCH] = {"batch",        false, "NAME",    "batch that the device was made in"},
    [OPT_CMP] = {"cmp",          true,  "",        "the one-time secret is for CMP too"},
    [OPT_REFERENCE] = {"reference", true, "", "it is a reference set, and means all devices that booted so"},
    [OPT_REVOKE] = {"revoke", false, "CERT", "certificate of a CA that the list takes back (PEM)"},
    [OPT_PCRS] = {"pcrs", false, "N,N,...", "PCRs whose events are judged (0,2,4,7)"},
    [OPT_SIMULATED] = {"simulated", true, "", "what it vouches for stands in for hardware"},
    [OPT_QUOTA] = {"quota",        false, "N",       "units of the batch at most"},
    [OPT_LIST] = {"list",         false, "NAME",    "name of the block list (local)"},
    [OPT_DEVICE] = {"device",       false, "ID",      "of this device"},
    [OPT_KEY_HASH] = {"key-hash",     false, "SHA256",  "for this public key: SHA-256 of its SubjectPublicKeyInfo"},
    [OPT_FIRMWARE] = {"firmware",     false, "PATTERN", "of devices that run such a version: # for digits, * at the end"},
    [OPT_FIRMWARE_FROM] = {"firmware-from", false, "VERSION", "of devices that run this version or a newer one"},
    [OPT_FIRMWARE_BELOW] = {"firmware-below", false, "VERSION", "of devices that run an older version"},
    [OPT_SUBJECT_IS] = {"subject",      false, "TEXT",    "whose common name begins so; '*TEXT': whose subject holds it anywhere"},
    [OPT_HOLD] = {"hold",         true,  "",        "put on hold instead (certificateHold)"},
    [OPT_REPLACE_FIRST] = {"replace-first", true, "",       "devices renew first; until --hours are over (168)"},
    [OPT_DRY_RUN] = {"dry-run",      true,  "",        "only tell; change nothing, keep no plan"},
    [OPT_EXPIRES_HOURS] = {"expires-hours", false, "N",     "only those in force that end within N hours"},
    [OPT_CHAIN] = {"chain",        true,  "",        "with the CAs' certificates up to the root"},
    [OPT_SECRETS] = {"secrets",      false, "FILE",    "append ids and one-time secrets there (0600); known devices that did not use theirs get new ones"},
    [OPT_SINCE] = {"since",        false, "N",       "log index to begin with"},
    [OPT_CONSUMER] = {"consumer",     false, "NAME",    "who follows; what it has taken is remembered"},
    [OPT_EXTERNAL] = {"external",     false, "FILE",    "another CA's index: OpenSSL's index.txt, or CSV"},
    [OPT_NAME] = {"name",         false, "NAME",    "whose it is: NAME of station:NAME, server:NAME, ..."},
    [OPT_CSR] = {"csr",          false, "FILE",    "certification request (PEM)"},
    [OPT_SAN] = {"san",          false, "NAME,...", "alternative names: dns:NAME, ip:ADDRESS"},
    [OPT_VERTICAL] = {"vertical",     false, "V,...",   "profiles and CAs of these trades besides: ami, evse, factory, iacs, iov, medical, semi, wearable"},
    [OPT_DOMAIN] = {"domain",       false, "NAME,...", "DNS names and addresses that servers' certificates may have besides --server-name"},
    [OPT_PORT] = {"port",         false, "N",       "port of the broker (8883)"},
    [OPT_TLS12] = {"tls12",        true,  "",        "let clients in that know no TLS 1.3: their certificates travel in clear"},
    [OPT_PLUGIN] = {"plugin",       false, "FILE",    "mosquitto_keywright.so; else where it was installed, or built"},
    [OPT_APPROVAL] = {"approval",     false, "N",       "number of the approval, where rules want one"},
    [OPT_YES] = {"yes",          true,  "",        "sign without asking"                                },
    [OPT_AS] = {"as",           false, "NAME",    "who signs; else the operator of the credential"     },
    [OPT_KEY] = {"key",          false, "KEY",
                  "PEM file or 'pkcs11:token=T;object=LABEL?...'; else the operator's own"               },
    [OPT_PUBLIC] = {"public",       false, "FILE",    "certificate or public key (PEM)"                    },
    [OPT_ROLES] = {"roles",        false, "R,R",
                  "security-officer (if absent), release-manager, operator, auditor"                     },
    [OPT_APPROVALS] = {"approvals",    false, "M",       "so many others must approve (1)"                    },
    [OPT_IN_VAULT] = {"in-vault",     false, "NAME",    "people and rules of this vault (main)"               },
    [OPT_APPROVER] = {"approver",     false, "WHO",
                  "NAME[=CERT|PUBKEY][:ROLE,...], repeatable; without a file a credential is made; restore accept-loss: NAME=KEY"       },
    [OPT_PASSPHRASE_FILE] = {"passphrase-file", false, "FILE", "passphrase of a vault; else it is asked for"},
    [OPT_NEW_SECRET] = {"new-secret",   true,  "",        "allow a new passphrase or new shares for ten minutes"},
    [OPT_VAULTS] = {"vaults",       false, "FILE",    "YAML list `vaults` of further vaults"},
    [OPT_VKEY] = {"vkey",         false, "TEXT",    "verifier key of the log; else the one in the export"},
    [OPT_LOG] = {"log",          false, "DIR",     "exported log (keywright log export)"                 },
    [OPT_SHARE_FILE] = {"share-file",   false, "FILE,...",
                  "shares, of the recovery key or of a vault, files separated by commas"                                },
    [OPT_FILTER] = {"filter",       false, "FILE",    "revocation filter, from http://HOST:8080/filter/CA.filter"},
    [OPT_ISSUER] = {"issuer",       false, "FILE",    "its issuer's certificate"},
    [OPT_VAULT] = {"vault",        false, "DIR",     "the vault that survived, or NAME=DIR,NAME=DIR; they are copied"},
    [OPT_CHECKPOINT] = {"checkpoint",   false, "FILE",
                  "newest checkpoint of the log that somebody kept"                                      },
};
/* clang-format on */
_Static_assert(KW_COUNT(options) == OPT_MAX_OPTION, "a row for each option");

#define INIT_OPTIONS                                                                               \
    (OPT(STATE) | OPT(ORGANIZATION) | OPT(SERVER_NAME) | OPT(LISTEN) | OPT(PORTS) | OPT(UNLOCK) |  \
     OPT(OFFLINE) | OPT(SHARES) | OPT(PROFILES) | OPT(VERTICAL) | OPT(DOMAIN) | OPT(KEEPER) |      \
     OPT(OPERATOR) | OPT(APPROVER) | OPT(APPROVALS) | OPT(USER) | OPT(KEEPER_USER) | OPT(VAULTS) | \
     OPT(PASSPHRASE_FILE))
#define REMOTE (OPT(ADMIN) | OPT(JSON))
/* Which certificates. */
#define SELECTION                                                                                  \
    (OPT(SERIAL) | OPT(DEVICE) | OPT(OWNER) | OPT(KEY_HASH) | OPT(CA) | OPT(PROFILE) |             \
     OPT(PRODUCT) | OPT(BATCH) | OPT(FIRMWARE) | OPT(FIRMWARE_FROM) | OPT(FIRMWARE_BELOW) |        \
     OPT(SUBJECT_IS))
#define SIGN (REMOTE | OPT(YES) | OPT(AS) | OPT(KEY))

/* clang-format off */
static const struct command {
    const char *noun, *verb, *arg; /* arg: NULL none; "[X]" optional */
    cli_options options;
    cli_fn run;
    const char *doc;
} commands[] = {
    {"init",   NULL,       NULL,         INIT_OPTIONS,                           cli_init,            "root ceremony: make a state folder, its CAs, keys and first operator"},
    {"doctor", "acknowledge", "DIGEST",  REMOTE | OPT(REASON),                   cli_doctor_acknowledge, "say in the log what an unaccounted signature was"},
    {"doctor", NULL,       NULL,         REMOTE,                                 cli_doctor,          "is everything as it should be, and each signature accounted for?"},
    {"ca",     "list",     NULL,         REMOTE,                                 cli_ca_list,         "CAs"},
    {"ca",     "create",   "CA",         REMOTE | OPT(REASON) | OPT(APPROVAL) | OPT(OUT), cli_ca_create, "make the keys of a planned CA and its request to the root"},
    {"ca",     "rotate",   "CA",         REMOTE | OPT(REASON) | OPT(APPROVAL) | OPT(OUT), cli_ca_rotate, "make a CA's next key and its request to the root"},
    {"ca",     "sign",     "REQUEST",    OPT(OFFLINE) | OPT(INTO) | OPT(SHARES) | OPT(OUT), cli_ca_sign, "sign a CA's request with the root (or the CA above it), offline; of the root itself: make the next one"},
    {"ca",     "crl",      "LAST",       OPT(OFFLINE) | OPT(REVOKE) | OPT(REASON) | OPT(OUT), cli_ca_crl, "make the root's next CRL from its last one, offline; with --revoke it takes a CA's certificate back"},
    {"ca",     "install",  "CERT",       REMOTE,                                 cli_ca_install,      "take a CA's next key, a further CA, the next root, or the root's next CRL, into use"},
    {"ca",     "retire",   "ROOT",       REMOTE | OPT(REASON),                   cli_ca_retire,       "trust a root that has a successor no more"},
    {"device", "register", "ID",         REMOTE | OPT(PRODUCT) | OPT(SERIAL) | OPT(HW_TYPE) | OPT(BATCH) | OPT(HOURS) | OPT(SECRET_FILE) | OPT(CMP), cli_device_register, "register a device; prints its one-time secret"},
    {"device", "list",     NULL,         REMOTE,                                 cli_device_list,     "devices"},
    {"device", "show",     "ID",         REMOTE,                                 cli_device_show,     "one device"},
    {"device", "events",   "ID",         REMOTE,                                 cli_device_events,   "the security events that it recorded"},
    {"device", "secret",   "ID",         REMOTE | OPT(HOURS) | OPT(SECRET_FILE) | OPT(CMP), cli_device_secret,   "a new one-time secret for a device"},
    {"device", "retire",   "ID",         REMOTE | OPT(REASON),                   cli_device_retire,   "end all trust in a device, for ever"},
    {"station", "list",    NULL,         REMOTE,                                 cli_station_list,    "stations, and whose devices they may enrol"},
    {"station", "grant",   "NAME",       REMOTE | OPT(PRODUCT),                  cli_station_grant,   "let a station enrol the devices of a product"},
    {"station", "revoke",  "NAME",       REMOTE | OPT(PRODUCT),                  cli_station_revoke,  "it enrols no further device of that product"},
    {"device", "import",   "FILE",       OPT(ADMIN) | OPT(DRY_RUN) | OPT(SECRETS) | OPT(PRODUCT) | OPT(BATCH) | OPT(HOURS), cli_device_import, "register the devices of a CSV file, or of one with a JSON object a line"},
    {"device", "wipe",     "ID",         REMOTE | OPT(REASON) | OPT(HOURS),      cli_device_wipe,     "order a device to destroy its keys; it obeys where its own policy says so"},
    {"device", "unwipe",   "ID",         REMOTE | OPT(REASON),                   cli_device_unwipe,   "take that order back"},
    {"device", "suspend",  "ID",         REMOTE | OPT(REASON),                   cli_device_suspend,  "take a device out of use for a while; its certificates are held"},
    {"device", "resume",   "ID",         REMOTE | OPT(REASON),                   cli_device_resume,   "take a device into use again"},
    {"device", "readmit",  "ID",         REMOTE | OPT(REASON),                   cli_device_readmit,  "let a device enrol anew whose certificate was revoked"},
    {"batch",  "list",     NULL,         REMOTE,                                 cli_batch_list,      "batches of units"},
    {"batch",  "show",     "NAME",       REMOTE,                                 cli_batch_show,      "one batch"},
    {"batch",  "open",     "NAME",       REMOTE | OPT(PRODUCT) | OPT(QUOTA),     cli_batch_open,      "open a batch; registering a device into it does so, too"},
    {"batch",  "close",    "NAME",       REMOTE,                                 cli_batch_close,     "close a batch, and look for RSA keys that share a factor"},
    {"batch",  "quarantine", "NAME",     REMOTE | OPT(REASON),                   cli_batch_quarantine, "suspend all units of a batch"},
    {"batch",  "release",  "NAME",       REMOTE | OPT(REASON),                   cli_batch_release,   "end a batch's quarantine"},
    {"feed",   "follow",   NULL,         REMOTE | OPT(SINCE) | OPT(CONSUMER) | OPT(MAX), cli_feed_follow, "print what happens, as it happens"},
    {"feed",   "consumers", NULL,        REMOTE,                                 cli_feed_consumers,  "who follows the feed, and how far each has come"},
    {"sync",   "check",    NULL,         REMOTE | OPT(EXTERNAL) | OPT(CA),       cli_sync_check,      "where registry, certificates, devices and another CA's index disagree"},
    {"attest", "roots",    NULL,         REMOTE,                                 cli_attest_roots,    "whose endorsement keys are believed"},
    {"attest", "trust",    "FILE",       REMOTE | OPT(SIMULATED),                cli_attest_trust,    "believe a TPM maker's CA (certificate), or one endorsement key (public key)"},
    {"attest", "crl",      "[FILE]",     REMOTE,                                 cli_attest_crl,      "CRLs of the CAs of endorsement keys; with a file (PEM or DER) add one"},
    {"attest", "reset",    "ID",         REMOTE,                                 cli_attest_reset,    "forget which TPM a device is bound to"},
    {"attest", "references", NULL,       REMOTE,                                 cli_attest_references, "reference sets of measured boots"},
    {"attest", "accept",   "FILE",       REMOTE | OPT(NAME) | OPT(PRODUCT) | OPT(PCRS), cli_attest_accept, "a reference set from the event log of a genuine unit"},
    {"attest", "close",    "NAME",       REMOTE,                                 cli_attest_close,    "devices that boot as this set says fail from now on"},
    {"attest", "open",     "NAME",       REMOTE,                                 cli_attest_open,     "they are taken again"},
    {"attest", "forget",   "NAME",       REMOTE,                                 cli_attest_forget,   "remove a reference set"},
    {"attest", "untrust",  "ID",         REMOTE | OPT(REASON) | OPT(REFERENCE), cli_attest_untrust, "take the trust in a device, or in all that booted as a reference set says, away at once"},
    {"attest", "retrust",  "ID",         REMOTE | OPT(REFERENCE),                cli_attest_retrust,  "give it back"},
    {"attest", "policy",   "[FILE]",     REMOTE,                                 cli_attest_policy,   "show the patience with failed rounds (no argument, or show), or set it by a YAML file"},
    {"attest", "drop-policy", "PRODUCT", REMOTE,                                 cli_attest_drop_policy, "a product has none of its own any more"},
    {"attest", "elements", NULL,         REMOTE,                                 cli_attest_elements, "products whose units have a secure element"},
    {"attest", "vouch",    "PRODUCT",    REMOTE,                                 cli_attest_vouch,    "the units of a product have a secure element: AL1"},
    {"attest", "unvouch",  "PRODUCT",    REMOTE,                                 cli_attest_unvouch,  "they have none"},
    {"blocklist", "list",  NULL,         REMOTE,                                 cli_blocklist_list,  "keys that nobody may use"},
    {"blocklist", "add",   "HASH",       REMOTE | OPT(LIST),                     cli_blocklist_add,   "block a key by its SHA-256; tells which certificates have it"},
    {"blocklist", "import", "FILE",      REMOTE | OPT(LIST),                     cli_blocklist_import, "block the keys of a file: our format, openssl-blacklist's, or badkeys' .dat"},
    {"blocklist", "hits",  NULL,         REMOTE,                                 cli_blocklist_hits,  "certificates whose key is blocked"},
    {"request", "list",    NULL,         REMOTE | OPT(OWNER) | OPT(STATE_IS),    cli_request_list,    "enrolments that wait for an officer"},
    {"request", "show",    "N",          REMOTE,                                 cli_request_show,    "one of them, with what was asked"},
    {"request", "approve", "N",          REMOTE | OPT(REASON),                   cli_request_approve, "let it be issued at its asker's next call"},
    {"request", "refuse",  "N",          REMOTE | OPT(REASON),                   cli_request_refuse,  "refuse it; --reason is told to who asked"},
    {"cert",   "list",     NULL,         REMOTE | SELECTION | OPT(STATE_IS) | OPT(EXPIRES) | OPT(EXPIRES_HOURS) | OPT(FORMAT) | OPT(OUT), cli_cert_list, "certificates"},
    {"cert",   "show",     "CERT",       REMOTE,                                 cli_cert_show,       "one certificate, by serial number or fingerprint"},
    {"cert",   "pem",      "CERT",       OPT(ADMIN) | OPT(OUT),                  cli_cert_pem,        "the certificate itself"},
    {"broker", "config",   "DIR",        REMOTE | OPT(NAME) | OPT(PORT) | OPT(LISTEN) | OPT(USER) | OPT(PLUGIN) | OPT(TLS12), cli_broker_config, "a folder with all that mosquitto needs: mosquitto -c DIR/mosquitto.conf"},
    {"broker", "renew",    "DIR",        REMOTE | OPT(NAME) | OPT(USER),         cli_broker_renew,    "new keys and certificates in such a folder; mosquitto takes them on SIGHUP"},
    {"profile", "check",   NULL,         REMOTE | OPT(PROFILE) | OPT(DEVICE) | OPT(NAME) | OPT(CSR) | OPT(SAN), cli_profile_check, "what a request would become, line by line, and why not; nothing is signed"},
    {"profile", "fields",  NULL,         OPT(OUT),                               cli_profile_fields,  "what a profile's and an authority's file may say, and must keep to"},
    {"cert",   "issue",    NULL,         REMOTE | OPT(PROFILE) | OPT(NAME) | OPT(CSR) | OPT(SAN) | OPT(OUT), cli_cert_issue, "a certificate for a server, station, gateway, person, signer or program"},
    {"cert",   "revoke",   "CERT",       REMOTE | OPT(REASON),                   cli_cert_revoke,     "revoke a certificate, for ever"},
    {"stats",  NULL,       NULL,         REMOTE,                                 cli_stats,           "figures: devices, certificates, what ends soon, by week"},
    {"cert",   "download", "CERT",       OPT(ADMIN) | OPT(FORMAT) | OPT(CHAIN) | OPT(OUT), cli_cert_download, "the certificate: --format pem, der or p7b"},
    {"cert",   "hold",     "CERT",       REMOTE,                                 cli_cert_hold,       "put a certificate on hold"},
    {"cert",   "release",  "CERT",       REMOTE,                                 cli_cert_release,    "end a certificate's hold"},
    {"revoke", "plan",     NULL,         REMOTE | SELECTION | OPT(REASON) | OPT(HOLD) | OPT(REPLACE_FIRST) | OPT(HOURS) | OPT(DRY_RUN), cli_revoke_plan, "plan the revocation of many certificates; revokes nothing"},
    {"revoke", "run",      "PLAN",       REMOTE | OPT(APPROVAL),                 cli_revoke_run,      "run a plan in the background"},
    {"revoke", "cancel",   "PLAN",       REMOTE | OPT(REASON),                   cli_revoke_cancel,   "end a plan that is not over; what it has revoked stays revoked"},
    {"revoke", "pause",    "PLAN",       REMOTE | OPT(REASON),                   cli_revoke_pause,    "stop a plan's run, or its waiting for devices; it may go on"},
    {"revoke", "resume",   "PLAN",       REMOTE | OPT(REASON),                   cli_revoke_resume,   "let a paused plan go on behind its last certificate"},
    {"revoke", "readmit",  "PLAN",       REMOTE | OPT(REASON) | OPT(DRY_RUN),    cli_revoke_readmit,  "let devices enrol anew that a plan barred; what it revoked stays revoked"},
    {"revoke", "show",     "PLAN",       REMOTE,                                 cli_revoke_show,     "how far a plan is, and who enforces it since when"},
    {"revoke", "list",     NULL,         REMOTE,                                 cli_revoke_list,     "plans of revocation"},
    {"key",    "list",     NULL,         REMOTE,                                 cli_key_list,        "keys: the keeper's, then the devices'"},
    {"key",    "show",     "KEY",        REMOTE,                                 cli_key_show,        "one key"},
    {"key",    "lifecycle", "[KEY]",     REMOTE | OPT(CLASS) | OPT(ALL) | OPT(FORMAT) | OPT(LANG) | OPT(OUT), cli_key_lifecycle, "a key's lifecycle table and diagram; empty cells are findings"},
    {"key",    "create",   "KEY",        REMOTE | OPT(CLASS) | OPT(ALG) | OPT(TUF_ROLE) | OPT(PRODUCT) | OPT(VERSIONS) | OPT(LABELS) | OPT(ESCROW) | OPT(DAYS) | OPT(APPROVAL), cli_key_create, "make a key in the keeper"},
    {"key",    "activate", "KEY",        REMOTE | OPT(REASON) | OPT(APPROVAL),   cli_key_activate,    "take a key into use, or into use again"},
    {"key",    "suspend",  "KEY",        REMOTE | OPT(REASON) | OPT(APPROVAL),   cli_key_suspend,     "take a key out of use for a while"},
    {"key",    "deactivate", "KEY",      REMOTE | OPT(REASON) | OPT(APPROVAL),   cli_key_deactivate,  "take a key out of use, for ever"},
    {"key",    "rotate",   "KEY",        REMOTE | OPT(REASON) | OPT(APPROVAL),   cli_key_rotate,      "make the key's successor and take it into use"},
    {"key",    "revoke",   "KEY",        REMOTE | OPT(REASON) | OPT(APPROVAL),   cli_key_revoke,      "mark a key as compromised and revoke its certificates, for ever"},
    {"key",    "archive",  "KEY",        REMOTE | OPT(REASON) | OPT(APPROVAL),   cli_key_archive,     "keep a key's record, destroy its private part"},
    {"key",    "destroy",  "KEY",        REMOTE | OPT(REASON) | OPT(APPROVAL) | OPT(OUT), cli_key_destroy, "destroy a key, for ever; prints the signed statement"},
    {"data",   "create",   "ID",         REMOTE | OPT(KEK) | OPT(CONTEXT) | OPT(SECRET_FILE), cli_data_create, "make a data key, wrapped in the keeper; --secret-file: and hand it out"},
    {"data",   "list",     NULL,         REMOTE,                                 cli_data_list,       "data keys, and what wraps them"},
    {"data",   "show",     "ID",         REMOTE,                                 cli_data_show,       "one data key"},
    {"data",   "unwrap",   "ID",         REMOTE | OPT(SECRET_FILE),              cli_data_unwrap,     "hand out a data key; the log says so"},
    {"data",   "rewrap",   "KEK",        REMOTE,                                 cli_data_rewrap,     "bring the data keys of a line under its newest key-encrypting key"},
    {"approval", "list",   NULL,         REMOTE,                                 cli_approval_list,   "requests for approval"},
    {"approval", "show",   "N",          REMOTE,                                 cli_approval_show,   "one request: what people sign, and who has"},
    {"approval", "sign",   "N",          SIGN,                                   cli_approval_sign,   "show a request, ask, and approve it"},
    {"approval", "reject", "N",          SIGN,                                   cli_approval_reject, "reject a request, for ever"},
    {"approval", "run",    "N",          REMOTE,                                 cli_approval_run,    "do what was approved and could not be done yet"},
    {"approval", "keygen", "URI",        OPT(OUT),                               cli_approval_keygen, "make an approver's key in a PKCS#11 token; prints its public half"},
    {"approval", "roster", NULL,         REMOTE | OPT(IN_VAULT),                                 cli_approval_roster, "who approves, and what needs approval"},
    {"approval", "enroll", "NAME",       SIGN | OPT(IN_VAULT) | OPT(PUBLIC) | OPT(ROLES),        cli_approval_enroll, "ask to enrol a person"},
    {"approval", "dismiss", "NAME",      SIGN | OPT(IN_VAULT),                                   cli_approval_dismiss, "ask to take a person off the roster"},
    {"approval", "rule",   "OPERATION",  SIGN | OPT(IN_VAULT) | OPT(CLASS) | OPT(APPROVALS) | OPT(ROLES) | OPT(HOURS), cli_approval_rule, "ask to change what an operation needs"},
    {"vault",  "status",   "[VAULT]",    REMOTE | OPT(STATE),                    cli_vault_status,    "vaults: open or sealed; --state DIR asks the keeper itself"},
    {"vault",  "open",     "[VAULT]",    OPT(STATE) | OPT(PASSPHRASE_FILE) | OPT(SHARE_FILE), cli_vault_open, "open a sealed vault, on the server's machine"},
    {"vault",  "seal",     "[VAULT]",    REMOTE | OPT(STATE),                    cli_vault_seal,      "forget a vault's keys until it is opened"},
    {"vault",  "clock",    "[VAULT]",    OPT(STATE),                             cli_vault_clock,     "confirm that this machine's clock is right, where a keeper doubts it"},
    {"vault",  "rekey",    "[VAULT]",    REMOTE | OPT(NEW_SECRET) | OPT(APPROVAL), cli_vault_rekey,   "seal a vault under a new key, or allow it a new secret"},
    {"vault",  "shares",   "[VAULT]",    OPT(STATE) | OPT(SHARES) | OPT(OUT) | OPT(PASSPHRASE_FILE), cli_vault_shares, "give a vault new shares, or a new passphrase, on the server's machine"},
    {"filter", "fetch",    "URL",        OPT(ISSUER) | OPT(OUT) | OPT(JSON),     cli_filter_fetch,    "take a CA's newest revocation filter; never one that is older than what is there"},
    {"filter", "check",    "CERT",       OPT(FILTER) | OPT(ISSUER) | OPT(JSON),  cli_filter_check,    "is it revoked, by a CA's revocation filter? Offline"},
    {"lint",   "cert",     "FILE",       OPT(JSON) | OPT(ISSUER),                cli_lint_cert,       "any certificate by the rules of RFC 5280 and its relatives, offline"},
    {"lint",   "rules",    NULL,         OPT(JSON),                              cli_lint_rules,      "these rules; every certificate must keep them before it is signed"},
    {"log",    "tail",     NULL,         OPT(ADMIN) | OPT(MAX),                  cli_log_tail,        "newest entries of the log"},
    {"log",    "export",   NULL,         OPT(ADMIN) | OPT(OUT),                  cli_log_export,      "the whole log as files, for auditors"},
    {"log",    "verify",   "[DIR]",      OPT(ADMIN) | OPT(JSON) | OPT(VKEY),     cli_log_verify,      "verify an exported log offline, or the server's"},
    {"log",    "prove",    "INDEX",      OPT(ADMIN) | OPT(JSON) | OPT(VKEY),     cli_log_prove,       "prove that an entry is in the log, and check the proof"},
    {"backup", "keys",     NULL,         OPT(STATE) | OPT(ADMIN) | OPT(SHARES) | OPT(OUT) | OPT(KEEPER) | OPT(APPROVAL), cli_backup_keys, "make the recovery key that backups are encrypted to, as shares"},
    {"backup", "create",   NULL,         OPT(ADMIN) | OPT(OUT) | OPT(APPROVAL),  cli_backup_create,   "an encrypted backup, while the server serves"},
    {"backup", "list",     NULL,         REMOTE | OPT(KEY),                      cli_backup_list,     "backups that were made, and whose secrets they hold; --key ID: those that hold this key's"},
    {"backup", "verify",   "FILE",       OPT(VKEY) | OPT(SHARE_FILE),            cli_backup_verify,   "is a backup whole and unaltered; with the shares also its content"},
    {"restore", "replay",  NULL,         OPT(STATE) | OPT(LOG) | OPT(KEEPER),    cli_restore_replay,  "let a restored store learn from an exported log what happened since"},
    {"restore", "accept-loss", NULL,     OPT(STATE) | OPT(REASON) | OPT(KEEPER) | OPT(AS) | OPT(KEY) | OPT(APPROVER), cli_restore_accept_loss, "where no export reaches the last signed head: go on as a new log, and say so in it"},
    {"restore", "operator", NULL,        OPT(STATE) | OPT(NAME) | OPT(CSR) | OPT(OUT) | OPT(KEEPER), cli_restore_operator, "where no operator's certificate is good any more: one, beside the stopped server"},
    {"restore", "secrets", "FILE",       OPT(STATE) | OPT(VKEY) | OPT(SHARE_FILE) | OPT(KEEPER), cli_restore_secrets, "bring escrowed keys for data back from a backup, by shares"},
    {"restore", NULL,      "FILE",       OPT(STATE) | OPT(VKEY) | OPT(SHARE_FILE) | OPT(VAULT) | OPT(UNLOCK) | OPT(CHECKPOINT), cli_restore, "a state folder from a backup"},
};
/* clang-format on */

static const struct {
    enum kw_code code;
    enum cli_exit exit;
} exits[] = {
    {KW_CODE_OK,     CLI_OK       },
    {KW_E_INPUT,     CLI_USAGE    },
    {KW_E_NOT_FOUND, CLI_NOT_FOUND},
    {KW_E_INTEGRITY, CLI_INTEGRITY},
    {KW_E_INTERNAL,  CLI_INTERNAL },
    {KW_E_APPROVAL,  CLI_APPROVAL },
};

int cli_exit_status(enum kw_code code)
{
    for (unsigned i = 0; i < KW_COUNT(exits); i++) {
        if (exits[i].code == code) {
            return exits[i].exit;
        }
    }
    return kw_code_may_retry(code) ? CLI_RETRY : CLI_REFUSED;
}

/* --- help
 * ------------------------------------------------------------------------------------- */

static void print_command(FILE *out, const struct command *command)
{
    char line[64];

    (void)snprintf(line, sizeof(line), "%s %s %s", command->noun,
                   command->verb ? command->verb : "", command->arg ? command->arg : "");
    (void)fprintf(out, "  %-24s %s\n", line, command->doc);
}

static void print_help(FILE *out)
{
    (void)fputs("usage: keywright NOUN VERB [ARGUMENT] [--option value ...]\n", out);
    for (unsigned i = 0; i < KW_COUNT(commands); i++) {
        print_command(out, &commands[i]);
    }
    (void)fputs("'keywright NOUN VERB --help' tells its options.\n", out);
}

/* What there is under a noun. False: there is no such noun. */
static bool print_noun(FILE *out, const char *noun)
{
    bool any = false;

    for (unsigned i = 0; i < KW_COUNT(commands); i++) {
        if (strcmp(commands[i].noun, noun) == 0) {
            print_command(out, &commands[i]);
            any = true;
        }
    }
    return any;
}

static void print_command_help(const struct command *command)
{
    print_command(stdout, command);
    for (unsigned i = 0; i < OPT_MAX_OPTION; i++) {
        if (command->options & ((cli_options)1 << i)) {
            (void)printf("    --%-14s %-9s %s\n", options[i].name, options[i].value,
                         options[i].doc);
        }
    }
}

/* --- reading the line
 * ---------------------------------------------------------------------------------------------
 */

static const struct command *find_command(int argc, char **argv, int *ret_next)
{
    for (unsigned i = 0; i < KW_COUNT(commands); i++) {
        const struct command *command = &commands[i];
        if (argc > 1 && strcmp(argv[1], command->noun) == 0 && !command->verb) {
            *ret_next = 2;
            return command;
        }
        if (argc > 2 && strcmp(argv[1], command->noun) == 0 &&
            strcmp(argv[2], command->verb) == 0) {
            *ret_next = 3;
            return command;
        }
    }
    return NULL;
}

static kw_status take_option(struct kw_op *op, const struct command *command, struct cli *cli,
                             char **argv, int *i)
{
    const char *given = argv[*i] + 2;
    size_t n = strcspn(given, "=");

    for (unsigned k = 0; k < OPT_MAX_OPTION; k++) {
        if (strlen(options[k].name) != n || strncmp(options[k].name, given, n) != 0 ||
            !(command->options & ((cli_options)1 << k))) {
            continue;
        }
        if (options[k].flag) {
            cli->options[k] = "";
            return KW_OK;
        }
        cli->options[k] = given[n] == '=' ? given + n + 1 : argv[++*i];
        ENSURE(op, cli->options[k], KW_E_INPUT, "--%s needs a value: %s", options[k].name,
               options[k].doc);
        if (k == OPT_APPROVER) {
            ENSURE(op, cli->n_approvers < CLI_APPROVERS_MAX, KW_E_INPUT, "too many --approver");
            cli->approvers[cli->n_approvers++] = cli->options[k];
        }
        return KW_OK;
    }
    return FAIL(op, KW_E_INPUT, "'%s' takes no option '%s'; see --help",
                command->verb ? command->verb : command->noun, argv[*i]);
}

static kw_status read_line(struct kw_op *op, const struct command *command, struct cli *cli,
                           int argc, char **argv, int first)
{
    unsigned wanted = command->arg ? 1 : 0;

    for (int i = first; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            TRY(op, take_option(op, command, cli, argv, &i));
            continue;
        }
        ENSURE(op, cli->n_args < wanted, KW_E_INPUT, "'%s' is too much; see --help", argv[i]);
        cli->args[cli->n_args++] = argv[i];
    }
    bool optional = command->arg && command->arg[0] == '[';
    ENSURE(op, optional || cli->n_args == wanted, KW_E_INPUT, "%s is missing; see --help",
           command->arg);
    return KW_OK;
}

kw_status cli_number(struct kw_op *op, const struct cli *cli, enum cli_option option,
                     unsigned default_, unsigned max, unsigned *ret)
{
    char *end = NULL;

    *ret = default_;
    if (!cli->options[option]) {
        return KW_OK;
    }
    errno = 0;
    unsigned long value = strtoul(cli->options[option], &end, 10);
    ENSURE(op, !errno && end != cli->options[option] && *end == 0 && value <= max, KW_E_INPUT,
           "--%s takes a whole number up to %u", options[option].name, max);
    *ret = (unsigned)value;
    return KW_OK;
}

static bool has_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return true;
        }
    }
    return false;
}

static int fail(const struct kw_op *op, const struct command *command)
{
    char why[1024];

    (void)fprintf(stderr, "keywright %s%s%s: %s\n", command->noun, command->verb ? " " : "",
                  command->verb ? command->verb : "", kw_op_message(op, why, sizeof(why)));
    return cli_exit_status(op->code);
}

static int run(const struct command *command, int argc, char **argv, int first)
{
    struct cli cli = {.program = argv[0]};
    struct kw_op op;

    kw_op_init(&op, "operator", os_clock_mono_ms() + DEADLINE_MS);
    kw_status status = read_line(&op, command, &cli, argc, argv, first);
    if (kw_ok(status)) {
        status = command->run(&op, &cli);
    }
    cli_disconnect(&cli);
    if (!kw_ok(status)) {
        return fail(&op, command);
    }
    return fflush(stdout) == 0 ? CLI_OK : CLI_REFUSED;
}

/* No command of ours: what was wrong, and what there is instead of it. */
static int explain(int argc, char **argv)
{
    bool help = has_help(argc, argv) || (argc > 1 && strcmp(argv[1], "help") == 0);
    bool of_noun = help && argc > 2 && print_noun(stdout, argv[1]);

    if (argc < 2 || help) {
        if (!of_noun) {
            print_help(stdout);
        }
        return help ? CLI_OK : CLI_USAGE;
    }
    if (print_noun(stderr, argv[1])) {
        (void)fprintf(stderr, "keywright %s: %s%.60s%s\n", argv[1],
                      argc > 2 ? "there is no '" : "a verb is missing", argc > 2 ? argv[2] : "",
                      argc > 2 ? "' here" : "");
    } else {
        (void)fprintf(stderr,
                      "keywright: there is no '%.60s'; 'keywright --help' lists all there is\n",
                      argv[1]);
    }
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    int first = 0;
    (void)crypto_wipe_freed(); /* first of all: init makes keys */
    (void)crypto_lock_keys();  /* where the lock limit forbids it: the process leaves no core
                                  dump */
    const struct command *command = find_command(argc, argv, &first);

    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)) {
        (void)puts("keywright " KW_VERSION);
        return CLI_OK;
    }
    if (!command) {
        return explain(argc, argv);
    }
    if (has_help(argc, argv)) {
        print_command_help(command);
        return CLI_OK;
    }
    return run(command, argc, argv, first);
}
