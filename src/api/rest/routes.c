/* The REST API: every row is one thing that an operator can do. */
#include "api/rest/rest.h"

#define V1 "/api/v1"
#define JSON "application/json"
#define BODY KW_JSON_BODY_MAX
#define MS REST_DEADLINE_MS
#define ERR &http_errors_json

/* clang-format off */
const struct route rest_routes[] = {
    {HTTP_GET,  V1 "/about",                    AUTH_OPERATOR, NULL, 0,    MS, 0, rest_about,           ERR, "name and version"},
    {HTTP_GET,  V1 "/devices",                  AUTH_OPERATOR, NULL, 0,    MS, 0, rest_device_list,     ERR, "devices"},
    {HTTP_POST, V1 "/devices",                  AUTH_OPERATOR, JSON, BODY, MS, 0, rest_device_register, ERR, "register a device"},
    {HTTP_GET,  V1 "/devices/{id}",             AUTH_OPERATOR, NULL, 0,    MS, 0, rest_device_show,     ERR, "one device"},
    {HTTP_POST, V1 "/devices/{id}/secret",      AUTH_OPERATOR, JSON, BODY, MS, 0, rest_device_secret,   ERR, "new registration secret"},
    {HTTP_POST, V1 "/devices/{id}/retire",      AUTH_OPERATOR, JSON, BODY, MS, 0, rest_device_retire,   ERR, "end all trust in a device"},
    {HTTP_GET,  V1 "/stations",                 AUTH_OPERATOR, NULL, 0,    MS, 0, rest_station_list,    ERR, "stations, and whose devices they may enrol"},
    {HTTP_POST, V1 "/stations/{id}/grant",      AUTH_OPERATOR, JSON, BODY, MS, 0, rest_station_grant,   ERR, "let a station enrol devices of a product"},
    {HTTP_POST, V1 "/stations/{id}/revoke",     AUTH_OPERATOR, JSON, BODY, MS, 0, rest_station_end,     ERR, "it enrols no further device of that product"},
    {HTTP_GET,  V1 "/requests",                 AUTH_OPERATOR, NULL, 0,    MS, 0, rest_request_list,    ERR, "enrolments that wait for an officer; state, owner"},
    {HTTP_GET,  V1 "/requests/{id}",            AUTH_OPERATOR, NULL, 0,    MS, 0, rest_request_show,    ERR, "one of them"},
    {HTTP_POST, V1 "/requests/{id}/approve",    AUTH_OPERATOR, JSON, BODY, MS, 0, rest_request_approve, ERR, "let it be issued"},
    {HTTP_POST, V1 "/requests/{id}/refuse",     AUTH_OPERATOR, JSON, BODY, MS, 0, rest_request_refuse,  ERR, "refuse it, with a reason"},
    {HTTP_GET,  V1 "/certs",                    AUTH_OPERATOR, NULL, 0,    MS, 0, rest_cert_list,       ERR, "certificates; subject, serial, key, device, owner, ca, profile, state, product, batch, firmware, firmware_from, firmware_below, expires_days, expires_hours"},
    {HTTP_GET,  V1 "/certs/{id}",               AUTH_OPERATOR, NULL, 0,    MS, 0, rest_cert_show,       ERR, "one certificate by serial number or fingerprint"},
    {HTTP_GET,  V1 "/certs/{id}/pem",           AUTH_OPERATOR, NULL, 0,    MS, 0, rest_cert_pem,        ERR, "the certificate itself"},
    {HTTP_POST, V1 "/certs/{id}/revoke",        AUTH_OPERATOR, JSON, BODY, MS, 0, rest_cert_revoke,     ERR, "revoke a certificate"},
    {HTTP_GET,  V1 "/cas/{ca}/certs/{id}",      AUTH_OPERATOR, NULL, 0,    MS, 0, rest_cert_show,       ERR, "one certificate of a CA by serial number"},
    {HTTP_POST, V1 "/cas/{ca}/certs/{id}/revoke", AUTH_OPERATOR, JSON, BODY, MS, 0, rest_cert_revoke,   ERR, "revoke a certificate of a CA"},
    {HTTP_GET,  V1 "/cas",                      AUTH_OPERATOR, NULL, 0,    MS, 0, rest_ca_list,         ERR, "CAs"},
    {HTTP_POST, V1 "/cas/{ca}/rotate",          AUTH_OPERATOR, JSON, BODY, MS, 0, rest_ca_rotate,       ERR, "the CA's next key, and its request to the root"},
    {HTTP_POST, V1 "/cas",                      AUTH_OPERATOR, JSON, BODY, MS, 0, rest_ca_install,      ERR, "take the root's certificate for a CA's next key into use"},
    {HTTP_GET,  V1 "/profiles",                 AUTH_OPERATOR, NULL, 0,    MS, 0, rest_profile_list,    ERR, "certificate profiles"},
    {HTTP_GET,  V1 "/keys",                     AUTH_OPERATOR, NULL, 0,    MS, 0, rest_key_list,        ERR, "keys: the keeper's, then the devices'"},
    {HTTP_GET,  V1 "/keys/{id}",                AUTH_OPERATOR, NULL, 0,    MS, 0, rest_key_show,        ERR, "one key"},
    {HTTP_POST, V1 "/keys",                     AUTH_OPERATOR, JSON, BODY, MS, 0, rest_key_create,      ERR, "make a key in the keeper"},
    {HTTP_POST, V1 "/keys/{id}/{verb}",         AUTH_OPERATOR, JSON, BODY, MS, 0, rest_key_verb,        ERR, "activate, suspend, deactivate, rotate, revoke, archive, destroy"},
    {HTTP_GET,  V1 "/keys/{id}/lifecycle",      AUTH_OPERATOR, NULL, 0,    MS, 0, rest_key_lifecycle,   ERR, "the key's lifecycle table; empty cells are findings"},
    {HTTP_GET,  V1 "/keys/{id}/destruction",    AUTH_OPERATOR, NULL, 0,    MS, 0, rest_key_destruction, ERR, "signed statement that a key was destroyed"},
    {HTTP_GET,  V1 "/data-keys",                AUTH_OPERATOR, NULL, 0,    MS, 0, rest_data_list,       ERR, "keys for data, as wrapped"},
    {HTTP_POST, V1 "/data-keys",                AUTH_OPERATOR, JSON, BODY, MS, 0, rest_data_create,     ERR, "make a data key; give_key: and hand it out"},
    {HTTP_POST, V1 "/data-keys/rewrap",         AUTH_OPERATOR, JSON, BODY, MS, 0, rest_data_rewrap,     ERR, "bring a line's data keys under its newest key-encrypting key"},
    {HTTP_GET,  V1 "/data-keys/{id}",           AUTH_OPERATOR, NULL, 0,    MS, 0, rest_data_show,       ERR, "one data key"},
    {HTTP_POST, V1 "/data-keys/{id}/unwrap",    AUTH_OPERATOR, JSON, BODY, MS, 0, rest_data_unwrap,     ERR, "hand out a data key; recorded before"},
    {HTTP_GET,  V1 "/approvals",                AUTH_OPERATOR, NULL, 0,    MS, 0, rest_approval_list,   ERR, "requests for approval"},
    {HTTP_GET,  V1 "/approvals/{id}",           AUTH_OPERATOR, NULL, 0,    MS, 0, rest_approval_show,   ERR, "one request, with the text to sign"},
    {HTTP_POST, V1 "/approvals/{id}/signatures", AUTH_OPERATOR, JSON, BODY, MS, 0, rest_approval_sign,  ERR, "hand in a signature; the last one runs the operation"},
    {HTTP_POST, V1 "/approvals/{id}/run",       AUTH_OPERATOR, JSON, BODY, MS, 0, rest_approval_run,    ERR, "run an approved operation that was not run yet"},
    {HTTP_GET,  V1 "/roster",                   AUTH_OPERATOR, NULL, 0,    MS, 0, rest_roster_show,     ERR, "who approves, and what needs approval"},
    {HTTP_POST, V1 "/roster/people",            AUTH_OPERATOR, JSON, BODY, MS, 0, rest_roster_enroll,   ERR, "enrol a person"},
    {HTTP_POST, V1 "/roster/people/{name}/dismiss", AUTH_OPERATOR, JSON, BODY, MS, 0, rest_roster_dismiss, ERR, "take a person off the roster"},
    {HTTP_POST, V1 "/roster/rules",             AUTH_OPERATOR, JSON, BODY, MS, 0, rest_roster_rule,     ERR, "what an operation needs"},
    {HTTP_GET,  V1 "/vaults",                   AUTH_OPERATOR, NULL, 0,    MS, 0, rest_vault_list,      ERR, "vaults: open or sealed"},
    {HTTP_POST, V1 "/vaults/{vault}/seal",      AUTH_OPERATOR, JSON, BODY, MS, 0, rest_vault_seal,      ERR, "forget a vault's keys until somebody opens it at the machine"},
    {HTTP_POST, V1 "/vaults/{vault}/rekey",     AUTH_OPERATOR, JSON, BODY, MS, 0, rest_vault_rekey,     ERR, "seal a vault under a new key, or allow a new secret"},
    {HTTP_GET,  V1 "/log",                      AUTH_OPERATOR, NULL, 0,    MS, 0, rest_log_info,        ERR, "origin, verifier key and size of the log"},
    {HTTP_GET,  V1 "/log/checkpoint",           AUTH_OPERATOR, NULL, 0,    MS, 0, rest_log_checkpoint,  ERR, "signed head over everything up to now"},
    {HTTP_GET,  V1 "/log/successor/{n}",        AUTH_OPERATOR, NULL, 0,    MS, 0, rest_log_successor,   ERR, "announcement of the log's n-th key by the one before"},
    {HTTP_GET,  V1 "/log/tile/{path...}",       AUTH_OPERATOR, NULL, 0,    MS, 0, rest_log_tile,        ERR, "hashes and entries (C2SP tlog-tiles)"},
    {HTTP_GET,  V1 "/log/tail",                 AUTH_OPERATOR, NULL, 0,    MS, 0, rest_log_tail,        ERR, "newest entries; max, first"},
    {HTTP_GET,  V1 "/log/prove/{index}",        AUTH_OPERATOR, NULL, 0,    MS, 0, rest_log_prove,       ERR, "inclusion proof of an entry"},
    {HTTP_GET,  V1 "/doctor",                   AUTH_OPERATOR, NULL, 0,    60000, 0, rest_doctor,       ERR, "is everything as it should be, and each signature accounted for?"},
    {HTTP_GET,  V1 "/backup",                   AUTH_OPERATOR, NULL, 0,    MS, 0, rest_backup_show,     ERR, "the backup that is being made, or ready"},
    {HTTP_POST, V1 "/backup",                   AUTH_OPERATOR, JSON, BODY, MS, 0, rest_backup_create,   ERR, "make a backup; approval, where a rule wants one"},
    {HTTP_GET,  V1 "/backups",                  AUTH_OPERATOR, NULL, 0,    MS, 0, rest_backup_list,     ERR, "backups that were made, as the log tells; ?key=ID: those that hold its secret"},
    {HTTP_GET,  V1 "/backup/part",              AUTH_OPERATOR, NULL, 0,    MS, 0, rest_backup_part,     ERR, "its octets from offset on, at most 4 MiB"},
    {HTTP_POST, V1 "/backup/recovery",          AUTH_OPERATOR, JSON, BODY, MS, 0, rest_backup_recovery, ERR, "set the public half of the recovery key"},
    {HTTP_POST, V1 "/backup/discard",           AUTH_OPERATOR, JSON, BODY, MS, 0, rest_backup_discard,  ERR, "it was fetched: remove it from the server"},
    {HTTP_GET,  "/healthz",                     AUTH_NONE,     NULL, 0,    MS, 0, rest_health,          ERR, "are the parts there?"},
    {HTTP_GET,  "/metrics",                     AUTH_NONE,     NULL, 0,    MS, 0, rest_metrics,         ERR, "figures for Prometheus"},
};
/* clang-format on */
const unsigned rest_routes_n = KW_COUNT(rest_routes);
