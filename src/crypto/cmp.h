/*
 * Certificate Management Protocol messages (RFC 9810, with the profile of RFC 9483), for a server:
 * reading requests, verifying their protection, building answers. No policy: what is right or
 * wrong of what was read is service/cmp's to say. OpenSSL's CRMF computes the password-based MAC;
 * its CMP server is not used (docs/CMP.md says why), its client judges ours in the tests.
 */
#ifndef CRYPTO_CMP_H
#define CRYPTO_CMP_H

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/privkey.h"
#include "crypto/pubkey.h"

/* PKIBody of RFC 9810 section 5.1.2: the number of its tag. */
enum cmp_type {
    CMP_IR = 0,
    CMP_IP = 1,
    CMP_CR = 2,
    CMP_CP = 3,
    CMP_P10CR = 4,
    CMP_KUR = 7,
    CMP_KUP = 8,
    CMP_RR = 11,
    CMP_RP = 12,
    CMP_PKICONF = 19,
    CMP_NESTED = 20,
    CMP_GENM = 21,
    CMP_GENP = 22,
    CMP_ERROR = 23,
    CMP_CERTCONF = 24,
    CMP_POLLREQ = 25,
    CMP_POLLREP = 26,
    CMP_TYPE_MAX
};
const char *cmp_type_text(enum cmp_type type); /* "ir", …; "?" for a number that is none */

/* PKIFailureInfo of section 5.2.3: the number of its bit. */
enum cmp_fail {
    CMP_BAD_ALG = 0,
    CMP_BAD_MESSAGE_CHECK,
    CMP_BAD_REQUEST,
    CMP_BAD_TIME,
    CMP_BAD_CERT_ID,
    CMP_BAD_DATA_FORMAT,
    CMP_WRONG_AUTHORITY,
    CMP_INCORRECT_DATA,
    CMP_MISSING_TIME_STAMP,
    CMP_BAD_POP,
    CMP_CERT_REVOKED,
    CMP_CERT_CONFIRMED,
    CMP_WRONG_INTEGRITY,
    CMP_BAD_RECIPIENT_NONCE,
    CMP_TIME_NOT_AVAILABLE,
    CMP_UNACCEPTED_POLICY,
    CMP_UNACCEPTED_EXTENSION,
    CMP_ADD_INFO_NOT_AVAILABLE,
    CMP_BAD_SENDER_NONCE,
    CMP_BAD_CERT_TEMPLATE,
    CMP_SIGNER_NOT_TRUSTED,
    CMP_TRANSACTION_ID_IN_USE,
    CMP_UNSUPPORTED_VERSION,
    CMP_NOT_AUTHORIZED,
    CMP_SYSTEM_UNAVAIL,
    CMP_SYSTEM_FAILURE,
    CMP_DUPLICATE_CERT_REQ,
    CMP_FAIL_MAX
};

/* PKIStatus of section 5.2.3. */
enum cmp_status { CMP_ACCEPTED = 0, CMP_GRANTED_WITH_MODS = 1, CMP_REJECTION = 2, CMP_WAITING = 3 };

enum {
    CMP_MESSAGE_MAX = KW_CMP_BODY_MAX,
    CMP_ID_MAX = 32,    /* transactionID: 128 bits are recommended */
    CMP_NONCE_MIN = 16, /* RFC 9483 section 3.1: at least 128 bits */
    CMP_NONCE_MAX = 64,
    CMP_KID_MAX = 128, /* senderKID: a key identifier, or the name of a shared secret */
    CMP_EXTRA_MAX = 16,
    CMP_ITERATIONS_MAX = 20000, /* of a password-based MAC: some 10 ms; anybody may ask */
    CMP_MAC_MAX = 64,
    CMP_NESTED_MAX = 8, /* messages in one: answers of four or five have room in the batch's own */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* One message; everything borrows from its octets. Empty spans: absent. */
struct cmp_message {
    struct kw_span header, body; /* whole elements, as protected */
    struct kw_span protection;   /* octets of the BIT STRING */
    unsigned n_extra;
    struct kw_span extra[CMP_EXTRA_MAX]; /* DER certificates */
    unsigned pvno;
    struct kw_span sender;      /* whole GeneralName */
    struct kw_span sender_name; /* DER Name, where it is a directoryName */
    struct kw_span recipient;   /* whole GeneralName */
    bool has_time;
    int64_t time;               /* messageTime, Unix seconds */
    struct kw_span protect_alg; /* DER AlgorithmIdentifier */
    struct kw_span sender_kid, recip_kid, transaction_id, sender_nonce, recip_nonce;
    bool implicit_confirm;       /* asked for, or granted, in generalInfo */
    struct kw_span cert_profile; /* id-it-certProfile: the first name, UTF-8 */
    enum cmp_type type;
    struct kw_span content; /* contents of the body's tag */
};

/**
 * Read header and outer form; of the body only which one it is. Strict DER.
 * Errors: KW_E_INPUT not a PKIMessage; KW_E_TOO_LARGE.
 */
kw_status cmp_read(struct kw_op *op, struct kw_span der, struct cmp_message *ret);
/* The same from a ProtectedPart (SEQUENCE of header and body, section 5.1.3): what the keeper is
 * asked to sign. No limit but the reader's. */
kw_status cmp_read_protected(struct kw_op *op, struct kw_span der, struct cmp_message *ret);

/* ir, cr, kur: the one CertReqMsg (RFC 4211). Borrows, but for the key. */
struct cmp_cert_request {
    int64_t id;                  /* certReqId */
    struct kw_span whole;        /* CertReqMsg */
    struct kw_span request;      /* CertRequest: what the proof of possession covers */
    struct kw_span issuer;       /* DER Name, as asked */
    struct kw_span subject;      /* DER Name, as asked */
    struct kw_span key_contents; /* of its SubjectPublicKeyInfo; empty: none */
    struct pubkey *key;          /* owned; NULL until cmp_cert_request_key() */
    bool other_fields;           /* the template has what only an issuer sets (serialNumber, …) */
    struct kw_span old_issuer, old_serial; /* control oldCertID: DER Name, magnitude */
    enum { CMP_POP_NONE, CMP_POP_RA, CMP_POP_SIGNATURE, CMP_POP_OTHER } pop;
    bool pop_input; /* poposkInput is there: it is not verified, so not taken */
    struct kw_span pop_alg, pop_signature;
};
/* KW_E_INPUT not one CertReqMsg. */
kw_status cmp_cert_request_read(struct kw_op *op, struct kw_span content,
                                struct cmp_cert_request *ret);
/* Its key. KW_E_INPUT none, or one that cannot be read; KW_E_UNSUPPORTED its algorithm. request: to
 * be done from here on. */
kw_status cmp_cert_request_key(struct kw_op *op, struct cmp_cert_request *request);
void cmp_cert_request_done(struct cmp_cert_request *request);
/* Did the owner of the key sign the request (RFC 4211 section 4.1, clause 3)? KW_E_DENIED. */
kw_status cmp_pop_verify(struct kw_op *op, const struct cmp_cert_request *request);

/* rr: the one RevDetails. */
struct cmp_revocation {
    struct kw_span issuer, serial; /* DER Name, magnitude */
    bool has_reason;
    int reason; /* RFC 5280 CRLReason */
};
kw_status cmp_revocation_read(struct kw_op *op, struct kw_span content, struct cmp_revocation *ret);

/* certConf: the one CertStatus; accepted where statusInfo is absent. */
struct cmp_confirmation {
    bool none; /* "an empty CertConfirmContent … rejection of all supplied certificates" */
    struct kw_span hash;
    int64_t id;
    int64_t status;          /* enum cmp_status */
    struct kw_span hash_alg; /* DER AlgorithmIdentifier (pvno 3) */
};
kw_status cmp_confirmation_read(struct kw_op *op, struct kw_span content,
                                struct cmp_confirmation *ret);
/**
 * certHash of a certificate: by hash_alg, or where that is empty by the hash of the certificate's
 * signature (section 5.3.18; SHA-512 for Ed25519, RFC 9481 section 2.2.1). KW_E_UNSUPPORTED.
 */
kw_status cmp_cert_hash(struct kw_op *op, struct kw_span cert_der, struct kw_span hash_alg,
                        struct kw_out *ret);
/* nested: the messages in it, each a whole element. KW_E_INPUT none; KW_E_TOO_LARGE too many. An
 * answer's content is made by cmp_list_value(). */
kw_status cmp_nested_read(struct kw_op *op, struct kw_span content,
                          struct kw_span ret[CMP_NESTED_MAX], unsigned *ret_n);
/* pollReq: the one certReqId. */
kw_status cmp_poll_read(struct kw_op *op, struct kw_span content, int64_t *ret_id);
/* genm: the one InfoTypeAndValue; value: whole element, empty where absent. oid: contents. */
kw_status cmp_info_read(struct kw_op *op, struct kw_span content, struct kw_span *ret_oid,
                        struct kw_span *ret_value);
/* error: what the peer complains of; for the log. Never fails: "" where it says nothing. */
void cmp_error_text(struct kw_span content, char *text, size_t cap);

/* --- protection ------------------------------------------------------------------------------- */

enum cmp_protection {
    CMP_PROTECT_NONE,
    CMP_PROTECT_SIGNATURE,
    CMP_PROTECT_MAC, /* PBM (section 5.1.3.1) or PBMAC1 (RFC 9481 section 6.1.2) */
    CMP_PROTECT_OTHER,
};
enum cmp_protection cmp_protection_of(const struct cmp_message *message);
/* KW_E_DENIED; KW_E_UNSUPPORTED an algorithm that does not belong to the key. */
kw_status cmp_verify_signature(struct kw_op *op, const struct cmp_message *message,
                               const struct pubkey *key);
/* Errors: KW_E_DENIED another secret or altered; KW_E_UNSUPPORTED parameters not taken here. */
kw_status cmp_verify_mac(struct kw_op *op, const struct cmp_message *message,
                         const struct kw_secret *secret);
/* Are its parameters among those that we take? Cheap. KW_E_UNSUPPORTED, KW_E_INPUT. */
kw_status cmp_check_mac(struct kw_op *op, const struct cmp_message *message);

/* --- answering -------------------------------------------------------------------------------- */

struct cmp_header {
    unsigned pvno;
    struct kw_span sender;    /* DER Name; empty: the NULL name */
    struct kw_span recipient; /* whole GeneralName; empty: the NULL name */
    int64_t now;
    struct kw_span sender_kid, recip_kid, transaction_id, sender_nonce, recip_nonce;
    bool implicit_confirm;
    int64_t confirm_by; /* confirmWaitTime; 0: none. Never with implicit_confirm */
};

/* How an answer is protected: a key of the signer, or the request's MAC again. */
struct cmp_protector {
    const struct privkey *key;  /* NULL: mac */
    struct kw_span protect_alg; /* MAC: as in the request */
    const struct kw_secret *secret;
    const struct kw_span *extra; /* extraCerts, DER */
    unsigned n_extra;
};

/* A whole PKIMessage. content: of the body's tag. Errors: those of the key. */
kw_status cmp_build(struct kw_op *op, const struct cmp_header *header, enum cmp_type type,
                    struct kw_span content, const struct cmp_protector *protector,
                    struct kw_bytes **ret);

/* PKIStatusInfo of a failure: fail is a bit's number, or CMP_FAIL_MAX for none; text may be "". */
struct cmp_status_info {
    enum cmp_status status;
    enum cmp_fail fail;
    const char *text;
};
/* ip, cp, kup: with the certificate where it is accepted; ca_pubs: DER, for MAC-protected ip. */
kw_status cmp_cert_reply(struct kw_op *op, int64_t request_id, const struct cmp_status_info *info,
                         struct kw_span cert, const struct kw_span ca_pubs[], unsigned n_ca_pubs,
                         struct kw_bytes **ret);
kw_status cmp_revocation_reply(struct kw_op *op, const struct cmp_status_info *info,
                               struct kw_span issuer, struct kw_span serial, struct kw_bytes **ret);
kw_status cmp_error_reply(struct kw_op *op, const struct cmp_status_info *info,
                          struct kw_bytes **ret);
kw_status cmp_poll_reply(struct kw_op *op, int64_t request_id, int64_t check_after_s,
                         struct kw_bytes **ret);
kw_status cmp_confirm_reply(struct kw_op *op, struct kw_bytes **ret);

/* --- general messages (RFC 9483 section 4.3) -------------------------------------------------- */

enum cmp_info {
    CMP_INFO_CA_CERTS,      /* get CA certificates */
    CMP_INFO_ROOT_UPDATE,   /* get root CA certificate update */
    CMP_INFO_CERT_TEMPLATE, /* get certificate request template */
    CMP_INFO_CRL_STATUS,    /* get new CRLs */
    CMP_INFO_CURRENT_CRL,   /* RFC 9810 section 5.3.19.6 */
    CMP_INFO_MAX
};
/* CMP_INFO_MAX: unknown. oid: contents. */
enum cmp_info cmp_info_of(struct kw_span oid);
/* genp: one InfoTypeAndValue; value: whole element, or empty. */
kw_status cmp_info_reply(struct kw_op *op, struct kw_span oid, struct kw_span value,
                         struct kw_bytes **ret);
/* SEQUENCE OF: caCerts, crls; the messages of a nested one. */
kw_status cmp_list_value(struct kw_op *op, const struct kw_span list[], unsigned n,
                         struct kw_bytes **ret);
/* RootCaKeyUpdateValue: the next root, and its links (may be empty) with the one before. */
kw_status cmp_root_update_value(struct kw_op *op, struct kw_span new_root,
                                struct kw_span new_with_old, struct kw_span old_with_new,
                                struct kw_bytes **ret);
/* CertReqTemplateValue: which algorithms and sizes of keys; the subject's name as known. */
kw_status cmp_template_value(struct kw_op *op, struct kw_span subject, uint32_t key_algs,
                             struct kw_bytes **ret);
/* The one CRLStatus of a request: whose CRL is wanted, and which one the asker has. */
struct cmp_crl_status {
    struct kw_span issuer, url; /* DER Name, or the address of a distribution point */
    bool has_time;
    int64_t this_update;
};
kw_status cmp_crl_status_read(struct kw_op *op, struct kw_span value, struct cmp_crl_status *ret);

#endif
