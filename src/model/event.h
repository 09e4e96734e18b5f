/* What is recorded: one event a change or refusal, with the fields of IoT-1006-1 5.6.1.1. */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include <stdint.h>

#include "base/limits.h"
#include "base/status.h"

/* type, category: append freely; texts are what auditors search for. */
#define EVENT_LIST(X)                                                                              \
    X(SYSTEM_INIT, "system.init", "system")                                                        \
    X(SYSTEM_START, "system.start", "system")                                                      \
    X(SYSTEM_STOP, "system.stop", "system")                                                        \
    X(KEY_GENERATE, "key.generate", "key")                                                         \
    X(KEY_ACTIVATE, "key.activate", "key")                                                         \
    X(KEY_SUSPEND, "key.suspend", "key")                                                           \
    X(KEY_DEACTIVATE, "key.deactivate", "key")                                                     \
    X(KEY_COMPROMISE, "key.compromise", "key")                                                     \
    X(KEY_DESTROY, "key.destroy", "key")                                                           \
    X(KEY_ROTATE, "key.rotate", "key")                                                             \
    X(KEY_ARCHIVE, "key.archive", "key")                                                           \
    X(KEY_UNACCOUNTED, "key.unaccounted", "key")                                                   \
    X(KEY_ACKNOWLEDGE, "key.acknowledge", "key")                                                   \
    X(CERT_ISSUE, "cert.issue", "certificate")                                                     \
    X(CERT_RENEW, "cert.renew", "certificate")                                                     \
    X(CERT_REVOKE, "cert.revoke", "certificate")                                                   \
    X(CERT_REFUSE, "cert.refuse", "certificate")                                                   \
    X(CRL_SIGN, "crl.sign", "certificate")                                                         \
    X(DEVICE_REGISTER, "device.register", "device")                                                \
    X(DEVICE_HELLO, "device.hello", "device")                                                      \
    X(DEVICE_RETIRE, "device.retire", "device")                                                    \
    X(DEVICE_RECEIPT, "device.receipt", "device")                                                  \
    X(APPROVAL_OPEN, "approval.open", "approval")                                                  \
    X(APPROVAL_SIGN, "approval.sign", "approval")                                                  \
    X(APPROVAL_REJECT, "approval.reject", "approval")                                              \
    X(APPROVAL_CONSUME, "approval.consume", "approval")                                            \
    X(APPROVAL_EXPIRE, "approval.expire", "approval")                                              \
    X(BACKUP_CREATE, "backup.create", "backup")                                                    \
    X(BACKUP_RESTORE, "backup.restore", "backup")                                                  \
    X(LOG_LOSS, "log.loss", "backup")                                                              \
    X(ACCESS_REFUSE, "access.refuse", "access")                                                    \
    X(KEEPER_REFUSE, "keeper.refuse", "keeper")                                                    \
    X(KEEPER_LOST, "keeper.lost", "keeper")                                                        \
    X(VAULT_OPEN, "vault.open", "vault")                                                           \
    X(VAULT_SEAL, "vault.seal", "vault")                                                           \
    X(VAULT_CLOCK, "vault.clock", "vault")                                                         \
    X(VAULT_REKEY, "vault.rekey", "vault")                                                         \
    X(DATA_CREATE, "data.create", "key")                                                           \
    X(DATA_UNWRAP, "data.unwrap", "key")                                                           \
    X(DATA_REWRAP, "data.rewrap", "key")                                                           \
    X(REQUEST_OPEN, "request.open", "registration")                                                \
    X(REQUEST_APPROVE, "request.approve", "registration")                                          \
    X(REQUEST_REFUSE, "request.refuse", "registration")                                            \
    X(REQUEST_ISSUE, "request.issue", "registration")                                              \
    X(DEVICE_SUSPEND, "device.suspend", "device")                                                  \
    X(DEVICE_RESUME, "device.resume", "device")                                                    \
    X(BATCH_OPEN, "batch.open", "registration")                                                    \
    X(BATCH_CLOSE, "batch.close", "registration")                                                  \
    X(BATCH_QUARANTINE, "batch.quarantine", "registration")                                        \
    X(BATCH_RELEASE, "batch.release", "registration")                                              \
    X(KEY_BLOCK, "key.block", "key")                                                               \
    X(REQUEST_LAPSE, "request.lapse", "registration")                                              \
    X(STATION_GRANT, "station.grant", "device")                                                    \
    X(STATION_END, "station.end", "device")                                                        \
    X(CERT_HOLD, "cert.hold", "certificate")                                                       \
    X(CERT_RELEASE, "cert.release", "certificate")                                                 \
    X(REVOKE_PLAN, "revoke.plan", "certificate")                                                   \
    X(REVOKE_RUN, "revoke.run", "certificate")                                                     \
    X(REVOKE_DONE, "revoke.done", "certificate")                                                   \
    X(REVOKE_CANCEL, "revoke.cancel", "certificate")                                               \
    X(REVOKE_PAUSE, "revoke.pause", "certificate")                                                 \
    X(REVOKE_RESUME, "revoke.resume", "certificate")                                               \
    X(ATTEST_ENROLLED, "attest.enrolled", "attestation")                                           \
    X(ATTEST_TRUSTED, "attest.trusted", "attestation")                                             \
    X(ATTEST_SUSPECT, "attest.suspect", "attestation")                                             \
    X(ATTEST_FAILED, "attest.failed", "attestation")                                               \
    X(ATTEST_RESET, "attest.reset", "attestation")                                                 \
    X(ATTEST_ROOTS, "attest.roots", "attestation")                                                 \
    X(ATTEST_POLICY, "attest.policy", "attestation")                                               \
    X(DEVICE_CLONE, "device.clone", "device")                                                      \
    X(DEVICE_HEARTBEAT, "device.heartbeat", "device")                                              \
    X(DEVICE_LOG_LOSS, "device.log_loss", "device")                                                \
    X(DEVICE_LOG_BREAK, "device.log_break", "device")                                              \
    X(ROOT_INSTALL, "root.install", "key")                                                         \
    X(ROOT_RETIRE, "root.retire", "key")                                                           \
    X(ROOT_CRL, "root.crl", "key")                                                                 \
    X(DEVICE_WIPE, "device.wipe", "device")                                                        \
    X(DEVICE_READMIT, "device.readmit", "device")

enum event_type {
#define X(name, text, category) EVENT_##name,
    EVENT_LIST(X)
#undef X
        EVENT_MAX
};
const char *event_type_text(enum event_type type);
const char *event_type_category(enum event_type type);

enum { EVENT_DETAIL_MAX = 640 };

/* No secret may ever be put into one: every member is published to operators and auditors. */
struct event {
    enum event_type type;
    int64_t unix_ms;          /* wall clock when it happened */
    char source[KW_NAME_MAX]; /* which program of which host: "keywrightd" */
    char actor[KW_NAME_MAX];  /* who caused it: "operator:admin", "device:DEV1", "system" */
    char object[KW_NAME_MAX]; /* what it happened to: "cert:4f1c…", "device:DEV1", "key:…" */
    char request_id[KW_REQUEST_ID];
    char
        result[24]; /* "success", "asked" (recorded before the keeper is) or a status code's text */
    char detail[EVENT_DETAIL_MAX]; /* one sentence for people */
    /* Where a key of the keeper signed or opened something: SHA-256 of exactly that, as the
     * keeper's journal has it, and the key's id. Zero and "" = nothing was. */
    uint8_t digest[KW_HASH_BYTES];
    char key[KW_NAME_MAX];
};

#endif
