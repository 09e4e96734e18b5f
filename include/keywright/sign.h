/* Signatures on data. */
#ifndef KEYWRIGHT_SIGN_H
#define KEYWRIGHT_SIGN_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/**
 * Sign octets with the LDevID's key (ECDSA P-256/SHA-256, DER), nothing else said.
 *
 * sig_len  in room, out length; 72 octets suffice
 *
 * Errors  BAD_INPUT also for data that begins as a receipt of ours or a TLS handshake does
 */
KEYWRIGHT_API enum keywright_result keywright_sign(struct keywright *kw, const void *data,
                                                   size_t len, void *sig, size_t *sig_len);

/* --- data that says by whom, when and in which order ---------------------------------------------
 *
 * A JSON Web Signature (RFC 7515, compact, ES256) whose header has the key's id, the certificates,
 * the time, a sequence number that only grows, what the data is and for whom:
 * docs/protocol/signed-data.md. Any JOSE library reads it.
 */

/* What to say of it, or what it must say. Zero-initialise. */
struct keywright_data {
    const char *type;      /* "home-command": what it is; never empty */
    const char *audience;  /* signing: for whom; NULL = for all */
    const char *signer;    /* verifying: by whom (the certificate's CN); NULL = by anybody that the
                              pinned root vouches for */
    int for_all;           /* verifying: also what is addressed to nobody */
    uint32_t max_age_s;    /* verifying: older, or so far in the future, is refused; 0 = 300 */
    uint32_t status_age_s; /* verifying: so long after it was given an answer "not revoked" about
                              the signer spares the next question: a revoked signer may count so
                              long; 0 = a day */
    uint32_t status_grace_s; /* and so much longer where no responder can be reached; looked at
                                where status_age_s is given, else the device's policy holds */
    uint32_t reserved_[12];
};

/* What it says. */
struct keywright_data_facts {
    char signer[96];
    char key_id[65]; /* SHA-256 of the SubjectPublicKeyInfo, hex */
    int64_t time;    /* Unix seconds */
    uint64_t sequence;
    uint32_t reserved_[16];
};

/**
 * Sign data for others to act upon: commands, receipts, readings that count. The sequence number is
 * on disk before the signature exists, so each call writes a file: not for streams.
 *
 * text_len  in room, out length with NUL. 8 KiB and 4/3 of len suffice. At most 64 KiB of data.
 *
 * Errors  BAD_INPUT, NO_IDENTITY, STORAGE
 */
KEYWRIGHT_API enum keywright_result keywright_sign_data(struct keywright *kw,
                                                        const struct keywright_data *what,
                                                        const void *data, size_t len, char *text,
                                                        size_t *text_len);
/**
 * The data of a signed text, once: it is what was expected, its signer leads to the pinned root and
 * is not revoked (hard fail), it is addressed to this device, fresh, and its number is greater than
 * all seen of this signer. That it was taken is on disk before the data is handed on.
 *
 * data_len  in room, out length. As long as the text always suffices.
 *
 * Errors  REFUSED another type, signer or audience, replayed, too old, or a wrong signature;
 *         NOT_TRUSTED the signer, or whether it is revoked cannot be found out; BAD_INPUT no such
 *         text, or too little room
 */
KEYWRIGHT_API enum keywright_result keywright_verify_data(struct keywright *kw,
                                                          const struct keywright_data *expect,
                                                          const char *text, size_t text_len,
                                                          void *data, size_t *data_len,
                                                          struct keywright_data_facts *ret);

/* Why a text was not taken. Append only. */
enum keywright_refusal {
    KEYWRIGHT_TAKEN = 0,
    KEYWRIGHT_MALFORMED = 1, /* no such text, or another algorithm */
    KEYWRIGHT_WRONG_SIGNATURE = 2,
    KEYWRIGHT_WRONG_TYPE = 3,
    KEYWRIGHT_WRONG_AUDIENCE = 4,
    KEYWRIGHT_TOO_OLD = 5,
    KEYWRIGHT_FROM_THE_FUTURE = 6,  /* by this device's clock: keywright_hello() may mend it */
    KEYWRIGHT_SIGNER_UNTRUSTED = 7, /* no path to the root, revoked, or that cannot be found out */
    KEYWRIGHT_WRONG_SIGNER = 8,
    KEYWRIGHT_REPLAYED = 9,
    KEYWRIGHT_NOT_KEPT = 10 /* that it was taken cannot be written down: disk full */
};

/* Of the last keywright_verify_data(). */
KEYWRIGHT_API enum keywright_refusal keywright_refused(const struct keywright *kw);
/* "taken", "malformed", "wrong-signature", …: docs/protocol/signed-data.md. */
KEYWRIGHT_API const char *keywright_refusal_name(enum keywright_refusal refusal);

KEYWRIGHT_C_END

#endif
