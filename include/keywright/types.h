/*
 * What every header of libkeywright shares: the object, its configuration, results.
 *
 * One object a device, used by one thread at a time; any number of objects in any number of
 * threads. The library keeps no global state, never prints, never exits. Calls that talk to the
 * server or to the root of trust block, up to timeout_ms.
 */
#ifndef KEYWRIGHT_TYPES_H
#define KEYWRIGHT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define KEYWRIGHT_API __attribute__((visibility("default")))
#else
#define KEYWRIGHT_API
#endif

#ifdef __cplusplus
#define KEYWRIGHT_C_BEGIN extern "C" {
#define KEYWRIGHT_C_END }
#else
#define KEYWRIGHT_C_BEGIN
#define KEYWRIGHT_C_END
#endif

KEYWRIGHT_C_BEGIN

/* Of libkeywright.so.1. Functions and members are added only where nothing that was compiled before
 * notices: symbols are versioned, and structs have reserved members, which are to be zero. */
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

/* Zero-initialise. Texts are copied. */
struct keywright_config {
    const char *state_dir;  /* certificates and journals; made 0700 where absent */
    const char *server;     /* "https://host:8443"; may be NULL once enrolled (it is remembered) */
    const char *device_id;  /* as registered; may be NULL once enrolled */
    const char *trust_file; /* PEM of the root to trust, a second one is spare (break-glass);
                               copied into state_dir at the first open, NULL later */
    const char
        *root_of_trust;   /* "soft:dir=…", "tpm2:dir=…,tcti=…" or "pkcs11:…"; remembered likewise */
    const char *firmware; /* version that runs on the device, told to the server in each hello:
                             1 to 63 of letters, digits, "._+-"; NULL: as the last time */
    uint32_t timeout_ms;  /* of each call as a whole; 0 = 30000 */
    uint32_t reserved_[15];
};

/**
 * Open a device's state folder and its root of trust.
 *
 * ret  set whatever the result, NULL only without memory. After a failure the object serves for
 *      nothing but keywright_error(); close it too.
 *
 * Errors  BAD_INPUT the configuration is incomplete or wrong; REFUSED the folder holds another
 *         device's identity, or trusts another root; UNAVAILABLE root of trust absent or busy;
 *         LOST not the root of trust it was; STORAGE
 */
KEYWRIGHT_API enum keywright_result keywright_open(const struct keywright_config *config,
                                                   struct keywright **ret);
/* NULL is fine. Keys that were handed on (keywright_tls_context()) stay usable. */
KEYWRIGHT_API void keywright_close(struct keywright *kw);
/* Why the last call on this object failed, in one sentence without secrets; "" after success. Good
 * until the next call. NULL: there was no memory for an object. */
KEYWRIGHT_API const char *keywright_error(const struct keywright *kw);
/* Of the library, "0.1.0". */
KEYWRIGHT_API const char *keywright_version(void);

KEYWRIGHT_C_END

#endif
