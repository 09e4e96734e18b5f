/* Keys as the domain sees them: classes, SP 800-57 states, and the one transition table. */
#ifndef MODEL_KEY_H
#define MODEL_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/status.h"

/* name, text, private-key type of SP 800-57 part 1 section 5.1.1, default originator-usage period
 * in days (0: the device's life) */
#define KEY_CLASS_LIST(X)                                                                          \
    X(ROOT_CA, "root-ca", "private signature key", 7300)                                           \
    X(ISSUING_CA, "issuing-ca", "private signature key", 1095)                                     \
    X(OCSP_SIGNER, "ocsp-signer", "private signature key", 90)                                     \
    X(TLS_SERVER, "tls-server", "private authentication key", 90)                                  \
    X(LOG_SIGNER, "log-signer", "private signature key", 365)                                      \
    X(OPERATOR, "operator", "private authentication key", 365)                                     \
    X(DEVICE_IDEVID, "device-idevid", "private authentication key", 0)                             \
    X(DEVICE_LDEVID, "device-ldevid", "private authentication key", 90)                            \
    X(KEK, "data-kek", "symmetric key-wrapping key", 730)                                          \
    X(MAC, "data-mac", "symmetric authentication key", 365)                                        \
    X(KDF, "kdf-master", "symmetric master key", 730)                                              \
    X(FIRMWARE, "firmware-signer", "private signature key", 1095)                                  \
    X(TUF, "tuf-role", "private signature key", 365)                                               \
    X(PROVISIONING, "provisioning-signer", "private signature key", 365)                           \
    X(EVIDENCE, "evidence-signer", "private signature key", 365)                                   \
    X(STATION, "station", "private authentication key", 365)                                       \
    X(GATEWAY, "gateway", "private authentication key", 365)                                       \
    X(USER, "user", "private authentication key", 365)                                             \
    X(CODE_SIGNER, "code-signer", "private signature key", 1095)                                   \
    X(CRL_SIGNER, "crl-signer", "private signature key", 365)                                      \
    X(SERVICE, "service", "private authentication key", 365)                                       \
    X(DEVICE_SERVICE, "device-service", "private authentication key", 730)                         \
    X(CMP, "cmp-signer", "private signature key", 90)

/* Numbers are stored on disk and in sealed policies: append only. */
enum key_class {
    KEY_CLASS_NONE = 0,
#define X(name, text, type, oup_days) KEY_CLASS_##name,
    KEY_CLASS_LIST(X)
#undef X
        KEY_CLASS_MAX
};
const char *key_class_text(enum key_class c); /* "none" for a number that is no class */
enum key_class key_class_from_text(const char *text);
const char *key_class_type(enum key_class c);
unsigned key_class_oup_days(enum key_class c);
/* 32 secret octets rather than a key pair. */
bool key_class_symmetric(enum key_class c);
/* Its key makes signatures that others rely on: no backup ever holds its private part. */
bool key_class_signs(enum key_class c);

/* SP 800-57 part 1 section 7. Numbers are stored: append only. */
enum key_state {
    KEY_PRE_ACTIVE = 0,
    KEY_ACTIVE,
    KEY_SUSPENDED,
    KEY_DEACTIVATED,
    KEY_COMPROMISED,
    KEY_DESTROYED,
    KEY_STATE_MAX
};
enum key_event {
    KEY_EVENT_ACTIVATE = 0, /* also: resume from suspended */
    KEY_EVENT_SUSPEND,
    KEY_EVENT_DEACTIVATE,
    KEY_EVENT_COMPROMISE,
    KEY_EVENT_DESTROY,
    KEY_EVENT_MAX
};
const char *key_state_text(enum key_state s);         /* "pre-active", … */
enum key_state key_state_from_text(const char *text); /* KEY_STATE_MAX where unknown */
const char *key_event_text(enum key_event e);

/* The only way from one state to the next. KW_E_STATE where SP 800-57 has no such transition; *ret
 * unchanged. */
kw_status key_step(enum key_state from, enum key_event event, enum key_state *ret);
/* May a key in this state make new signatures? Only active ones. */
bool key_state_may_sign(enum key_state s);
/* The table as Mermaid text ("stateDiagram-v2 …"), printed from the table itself. Calls put() with
 * pieces. */
void key_states_mermaid(void (*put)(void *ctx, const char *text), void *ctx);

#endif
