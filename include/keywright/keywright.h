/*
 * libkeywright: what a connected device does with its identity.
 *
 * One object a device, used by one thread at a time. Every call that talks to the server or the
 * root of trust blocks; none keeps global state, prints or exits. After a failure keywright_error()
 * says why, in one sentence without secrets.
 *
 *     struct keywright *kw = NULL;
 *     struct keywright_config config = { .state_dir = "/var/lib/keywright-agent", .server =
 * "https://gate.example:8443", .device_id = "DEV1", .trust_file = "/etc/keywright/root.pem",
 *                                        .root_of_trust =
 * "tpm2:dir=/var/lib/keywright-agent/tpm,tcti=device:/dev/tpmrm0" }; if (keywright_open(&config,
 * &kw) == KEYWRIGHT_OK && keywright_enrol(kw, secret) == KEYWRIGHT_OK) { … } keywright_close(kw);
 */
#ifndef KEYWRIGHT_KEYWRIGHT_H
#define KEYWRIGHT_KEYWRIGHT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define KEYWRIGHT_API __attribute__((visibility("default")))
#else
#define KEYWRIGHT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KEYWRIGHT_ABI 1

/* Append only. "again": the same call may succeed later unchanged. */
enum keywright_result {
    KEYWRIGHT_OK = 0,
    KEYWRIGHT_BAD_INPUT = 1,   /* an argument or a file is wrong */
    KEYWRIGHT_REFUSED = 2,     /* the server or the root of trust says no */
    KEYWRIGHT_NOT_TRUSTED = 3, /* the other end is not who it should be, or was revoked, or that
                                  could not be found out */
    KEYWRIGHT_UNAVAILABLE = 4, /* again: no line, server busy, TPM busy */
    KEYWRIGHT_NO_IDENTITY = 5, /* not enrolled yet, or wiped */
    KEYWRIGHT_LOST = 6,    /* the key is gone or the root of trust was replaced: provision anew */
    KEYWRIGHT_STORAGE = 7, /* again, after room was made: disk full or not writable */
    KEYWRIGHT_INTERNAL = 8
};

struct keywright; /* opaque */

struct keywright_config {
    const char *state_dir;  /* certificates and journals; made 0700 where absent */
    const char *server;     /* "https://host:8443"; may be NULL once enrolled (it is remembered) */
    const char *device_id;  /* as registered; may be NULL once enrolled */
    const char *trust_file; /* PEM of the root to trust; copied into state_dir at the first open,
                               NULL later */
    const char
        *root_of_trust;   /* "soft:dir=…", "tpm2:dir=…,tcti=…" or "pkcs11:…"; remembered likewise */
    const char *firmware; /* version that runs on the device, told to the server in each hello:
                             1 to 63 of letters, digits, "._+-"; NULL: as the last time */
    uint32_t timeout_ms;  /* of each call as a whole; 0 = 30000 */
};

/* What the device is, for people and programs. All texts NUL-terminated. */
struct keywright_status {
    char device_id[96];
    char root_of_trust[96]; /* with " SIMULATED" where it stands in for hardware */
    int has_idevid, has_ldevid;
    char idevid_sha256[65]; /* fingerprints, hex */
    char ldevid_sha256[65];
    char ldevid_previous_sha256[65];             /* during the overlap after a renewal, else "" */
    int64_t ldevid_not_before, ldevid_not_after; /* Unix seconds */
    int64_t renew_at;                            /* two thirds of the LDevID's life */
};

KEYWRIGHT_API enum keywright_result keywright_open(const struct keywright_config *config,
                                                   struct keywright **ret);
KEYWRIGHT_API void keywright_close(struct keywright *kw);
/* Why the last call on this object failed; "" after success. kw may be NULL after a failed open
 * (then: of this thread's last open). */
KEYWRIGHT_API const char *keywright_error(const struct keywright *kw);
KEYWRIGHT_API const char *keywright_version(void);

/**
 * Get the birth identity (IDevID) with a one-time registration secret, then the operational one
 * (LDevID) with the IDevID. May be cut at any point and called again: the same keys and requests
 * are used, so the server gives the same certificates. secret: NULL once the IDevID exists.
 */
KEYWRIGHT_API enum keywright_result keywright_enrol(struct keywright *kw, const char *secret);
/* Tell the server that this device is alive, over mTLS with the LDevID. */
KEYWRIGHT_API enum keywright_result keywright_hello(struct keywright *kw);
/* The same with another of its certificates: during the overlap after a renewal the previous one is
 * still good. */
enum keywright_identity { KEYWRIGHT_CURRENT = 0, KEYWRIGHT_PREVIOUS = 1, KEYWRIGHT_BIRTH = 2 };
KEYWRIGHT_API enum keywright_result keywright_hello_as(struct keywright *kw,
                                                       enum keywright_identity identity);
/* A new LDevID with a new key; the old one stays usable until the new one was proven by one
 * handshake. force: also before renew_at. */
KEYWRIGHT_API enum keywright_result keywright_renew(struct keywright *kw, int force);
/* Sign data with the LDevID's key (ECDSA P-256/SHA-256, DER). sig_len: in room, out length; 72
 * octets suffice for P-256. */
KEYWRIGHT_API enum keywright_result keywright_sign(struct keywright *kw, const void *data,
                                                   size_t len, void *sig, size_t *sig_len);
/**
 * Destroy all keys and forget the identity: journalled, resumable, each key read back as gone, a
 * receipt signed by each key as its last act and delivered to the server. Without a line the wipe
 * is done all the same and the receipts wait in state_dir (UNAVAILABLE); a further call delivers
 * them.
 */
KEYWRIGHT_API enum keywright_result keywright_wipe(struct keywright *kw);
KEYWRIGHT_API enum keywright_result keywright_get_status(struct keywright *kw,
                                                         struct keywright_status *ret);
/* PEM chain of the current LDevID (leaf first), e.g. for an MQTT library. pem_len: in room, out
 * length with NUL. */
KEYWRIGHT_API enum keywright_result keywright_certificate(struct keywright *kw, char *pem,
                                                          size_t *pem_len);

#ifdef __cplusplus
}
#endif
#endif
