/* Enrolment of devices: what EST, CMP and the registration authority ask of the registry and the
 * authority. */
#ifndef SERVICE_REGISTRATION_ENROL_H
#define SERVICE_REGISTRATION_ENROL_H

#include "crypto/csr.h"
#include "service/authority/terms.h"
#include "service/service.h"

/*
 * What is asked for, whatever the protocol. Possession of the key is the protocol's to prove BEFORE
 * it asks here: nothing below looks at a signature again. All borrowed for the call.
 */
struct enrol_request {
    const struct pubkey *key;
    struct kw_span subject; /* DER Name as asked; may be empty: the registry names the device */
    /* of what is asked for (CSR, CertReqMsg), without what binds it to a connection: replays find
     * their answer */
    const uint8_t *sha256;
    const char *challenge; /* challengePassword; NULL: none */
    struct kw_span csr;    /* DER, kept for a request that waits; empty where there is none (CMP) */
};

/* How the asker proved who it is. */
struct enrol_asker {
    const char *device_id;      /* NULL: the request names the device (a station asks) */
    const char *secret;         /* one-time registration secret; NULL: proven by certificate */
    const uint8_t *fingerprint; /* of the mTLS connection's certificate, SHA-256; NULL = none */
    const char *cert_profile;   /* its profile; "" where none */
    const char *via;        /* NULL or "": the device itself; "station:NAME": an RA that vouches */
    const char *through;    /* NULL: nobody; "station:NAME": handed it on, and has no say in it */
    const char *protocol;   /* "est", "cmp", "rest": the profile must take it; NULL: any */
    struct kw_span binding; /* of the connection (RFC 9266); empty: none */
};

/**
 * Read a PKCS#10 request and verify its proof of possession.
 * keep: what ret borrows from; the caller frees it after the enrolment.
 * Errors: KW_E_INPUT whatever is wrong with it: the fault is the asker's, who is told the cause.
 */
kw_status enrol_request_from_csr(struct kw_op *op, struct kw_span der, struct csr **keep,
                                 struct enrol_request *ret);

/**
 * What the request of such an asker should look like: CsrAttrs (RFC 9908), of the label's profile,
 * else of the one that the proof leads to (nobody proven: as with a secret; a certificate that
 * renews itself: its own). ret: DER. Errors: KW_E_NOT_FOUND no such profile.
 */
kw_status enrol_attributes(struct kw_op *op, struct service *service,
                           const struct enrol_asker *asker, const char *label,
                           struct kw_bytes **ret);

/**
 * First certificate of a profile ("" = what the proof leads to: a secret to idevid, an IDevID to
 * ldevid). The subject comes from the registry; the request's own subject may be empty or must name
 * this device. The same request again (same sha256, same device) gets the same certificate again.
 * ret: the issued certificate (its chain is for /cacerts). Errors: KW_E_INPUT bad request,
 * KW_E_DENIED another device's name, wrong, used or expired secret (KW_E_AUTH), key used before
 * (KW_E_CONFLICT), KW_E_NOT_FOUND profile, KW_E_STATE retired or suspended device.
 */
kw_status enrol_first(struct kw_op *op, struct service *service, const struct enrol_asker *asker,
                      const char *profile, const struct enrol_request *request,
                      struct store_cert *ret);
/* A key that was made for the asker, and its certificate. */
struct enrol_made {
    struct store_cert cert;
    struct kw_bytes *key; /* the private half, encrypted (crypto/cms_key.h); the caller frees */
};
/**
 * The same with a key that the keeper makes (RFC 7030 section 4.4). It is encrypted to the key that
 * csr's AsymmetricDecryptKeyIdentifier names: the request's own (by SHA-1 of its BIT STRING), or
 * that of the connection's certificate, where its key usage lets it decrypt. It is made anew each
 * time: nobody could give it out twice.
 * peer: certificate of the connection, or NULL. Further errors: KW_E_DENIED the profile's keys are
 * not made here; KW_E_INPUT no key is named that we know: nothing leaves unencrypted.
 */
kw_status enrol_first_made(struct kw_op *op, struct service *service,
                           const struct enrol_asker *asker, const char *profile,
                           const struct csr *csr, const struct cert *peer, struct enrol_made *ret);

/**
 * What the first certificate of a profile would be for this device, proven as the profile wants it:
 * the same checks, in the same order, each a line of terms; nothing is signed or recorded.
 * Errors: KW_E_NOT_FOUND device or profile; KW_E_DENIED a profile of others than devices.
 */
kw_status enrol_explain(struct kw_op *op, struct service *service, const char *device_id,
                        const struct profile *profile, const struct csr *csr, struct terms *terms);
/**
 * Renewal of the very certificate of the connection (RFC 7030 section 4.2.2). A new key unless the
 * profile allows the old one. The old certificate goes to superseded and stays valid for the
 * profile's overlap.
 */
kw_status enrol_again(struct kw_op *op, struct service *service, const struct enrol_asker *asker,
                      const char *profile, const struct enrol_request *request,
                      struct store_cert *ret);

/* The profile that such an asker would get a certificate of (templates, attributes).
 * KW_E_NOT_FOUND.
 */
kw_status enrol_profile_for(struct kw_op *op, struct service *service,
                            const struct enrol_asker *asker, const char *label,
                            const struct profile **ret);

#endif
