/* What the device is: its certificates and its root of trust. */
#ifndef KEYWRIGHT_IDENTITY_H
#define KEYWRIGHT_IDENTITY_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/* Which certificate: during the overlap after a renewal the previous LDevID is still good. */
enum keywright_identity { KEYWRIGHT_CURRENT = 0, KEYWRIGHT_PREVIOUS = 1, KEYWRIGHT_BIRTH = 2 };

/* Where in its life the device is. Append only. */
enum keywright_state {
    KEYWRIGHT_STATE_NEW = 0,         /* no certificate yet */
    KEYWRIGHT_STATE_BORN = 1,        /* the birth certificate only */
    KEYWRIGHT_STATE_OPERATIONAL = 2, /* an LDevID in force */
    KEYWRIGHT_STATE_DUE = 3,         /* the same, from renew_at on or because the server asks */
    KEYWRIGHT_STATE_EXPIRED = 4,     /* the LDevID has ended: keywright_enrol() gets another */
    KEYWRIGHT_STATE_WIPED = 5
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
    uint32_t assurance_level; /* 0 software, 1 secure element, 2 DICE/PUF, 3 TPM */
    enum keywright_state state;
    char idevid_serial[41]; /* serial numbers of the certificates, hex; "" where there is none */
    char ldevid_serial[41];
    uint32_t reserved_[16];
};

/**
 * Who this device is, without a line: its root of trust and level, certificates and their serial
 * numbers, and where in its life it is. A device that has no identity yet is no failure.
 *
 * Errors  BAD_INPUT a certificate in state_dir is damaged
 */
KEYWRIGHT_API enum keywright_result keywright_get_status(struct keywright *kw,
                                                         struct keywright_status *ret);
/**
 * PEM chain of the current LDevID (leaf first).
 *
 * pem_len  in room, out length with NUL. 16 KiB suffice.
 *
 * Errors  NO_IDENTITY; BAD_INPUT too little room, or the certificate in state_dir is damaged
 */
KEYWRIGHT_API enum keywright_result keywright_certificate(struct keywright *kw, char *pem,
                                                          size_t *pem_len);

KEYWRIGHT_C_END

#endif
