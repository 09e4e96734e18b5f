/* Enrolment of devices: what EST (and later CMP) ask of the registry and the authority. */
#ifndef SERVICE_REGISTRATION_ENROL_H
#define SERVICE_REGISTRATION_ENROL_H

#include "service/service.h"

/* How the asker proved who it is. */
struct enrol_asker {
    const char *device_id;
    const char *secret;         /* one-time registration secret; NULL: proven by certificate */
    const uint8_t *fingerprint; /* of the mTLS connection's certificate, SHA-256; NULL = none */
    const char *cert_profile;   /* its profile; "" where none */
};

/**
 * First certificate of a profile ("" = what the proof leads to: a secret to idevid, an IDevID to
 * ldevid). The subject comes from the registry; the request's own subject may be empty or must name
 * this device. The same request again (same CSR, same device) gets the same certificate again. ret:
 * the issued certificate (its chain is for /cacerts). Errors: KW_E_INPUT bad request, KW_E_DENIED
 * no proof of possession, another device's name, wrong, used or expired secret (KW_E_AUTH), key
 * used before (KW_E_CONFLICT), KW_E_NOT_FOUND profile, KW_E_STATE retired or suspended device.
 */
kw_status enrol_first(struct kw_op *op, struct service *service, const struct enrol_asker *asker,
                      const char *profile, struct kw_span csr_der, struct store_cert *ret);
/**
 * Renewal of the very certificate of the connection (RFC 7030 section 4.2.2). A new key unless the
 * profile allows the old one. The old certificate goes to superseded and stays valid for the
 * profile's overlap.
 */
kw_status enrol_again(struct kw_op *op, struct service *service, const struct enrol_asker *asker,
                      const char *profile, struct kw_span csr_der, struct store_cert *ret);

#endif
