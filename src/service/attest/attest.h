/* Attestation, the server's side: docs/protocol/attest.md. */
#ifndef SERVICE_ATTEST_ATTEST_H
#define SERVICE_ATTEST_ATTEST_H

#include "crypto/ek_issuer.h"
#include "service/service.h"
#include "store/attest.h"

enum { ATTEST_NONCE = 32, ATTEST_NONCE_S = 60, ATTEST_SESSION_S = 120 };

/* Who asks, and over which connection. All borrowed for the call. */
struct attest_peer {
    const char *device;
    const struct pubkey *key; /* of the connection's certificate */
    struct kw_span exporter;  /* of the connection; empty: none, then nothing verifies */
};

struct attest_enrolment {
    const char *root_of_trust;
    struct kw_span ek_cert, ek_public, ak_public; /* empty: absent */
};
struct attest_session {
    bool has_tpm; /* else nothing is to be activated */
    uint8_t session[ATTEST_NONCE];
    struct kw_bytes *blob, *seed;
};
/* The caller frees what is in *ret. KW_E_DENIED "REASON: …" and KW_E_CONFLICT as the page has it.
 */
kw_status attest_enrol(struct kw_op *op, struct service *service, const struct attest_peer *peer,
                       const struct attest_enrolment *asked, struct attest_session *ret);

/* That the AK holds the key of the connection to be in its TPM; empty: it was not said. */
struct attest_certified {
    struct kw_span key_public, certify, signature;
};
struct attest_activation {
    struct kw_span session, activated;
    struct attest_certified certified;
};
/* ret: how the device stands now. KW_E_STATE no such session; KW_E_CONFLICT the EK is another's. */
kw_status attest_activate(struct kw_op *op, struct service *service, const struct attest_peer *peer,
                          const struct attest_activation *said, struct store_attest *ret);

struct attest_challenge {
    uint8_t nonce[ATTEST_NONCE];
    uint8_t pcr_mask[3];
    const char *needs; /* "", "enrol", "certify" */
};
kw_status attest_challenge(struct kw_op *op, struct service *service,
                           const struct attest_peer *peer, struct attest_challenge *ret);

struct attest_evidence {
    struct kw_span nonce, quote, signature, pcrs, log;
    struct attest_certified certified, next; /* next: a key that is about to be asked for */
};
/* ret: how the device stands now, also where the evidence failed. */
kw_status attest_evidence(struct kw_op *op, struct service *service, const struct attest_peer *peer,
                          const struct attest_evidence *said, struct store_attest *ret);

/**
 * May this device have a certificate of this profile?
 *
 * profile  its `attest`: "none"; "required": the device is trusted, at `attest_level` or above;
 *          "fresh": besides, its last good round is just over, and where it has a TPM, that TPM's
 *          AK certified `key`
 * key      that the certificate is for; NULL: the server makes it, so that it lies in no TPM
 * KW_E_DENIED "attestation needed: …"
 */
kw_status attest_permit(struct kw_op *op, struct service *service, const char *device,
                        const struct profile *profile, const struct pubkey *key, int64_t now_ms);
/* Forget which keys a device is bound to; it stands as if it had never attested. */
kw_status attest_reset(struct kw_op *op, struct service *service, const char *device);

/* Believe an issuer of EK certificates (DER certificate of a CA), or one EK (DER
 * SubjectPublicKeyInfo). KW_E_INPUT, KW_E_CONFLICT. */
kw_status attest_root_add(struct kw_op *op, struct service *service, struct kw_span der,
                          bool simulated, struct store_attest_root *ret);
/* Take a CRL (DER) of a CA that attest_root_add() took, in the place of its last one: devices bound
 * to an EK that it names fail at once. KW_E_INPUT, KW_E_DENIED, KW_E_TOO_LARGE as ek_crl_read();
 * KW_E_CONFLICT it is no newer. ret_failed: how many devices. */
kw_status attest_crl_add(struct kw_op *op, struct service *service, struct kw_span der,
                         struct store_ek_crl *ret, unsigned *ret_failed);
/* How an EK is believed. reason: ATTEST_R_OK, UNKNOWN_EK, EK_MISMATCH or EK_REVOKED. */
struct attest_belief {
    enum attest_reason reason;
    enum store_ek_how how;
    bool simulated;
    struct ek_issuer issuer; /* of its certificate, where there is one */
};
kw_status attest_believe(struct kw_op *op, struct service *service, struct kw_span ek_cert,
                         struct kw_span spki, struct attest_belief *ret);

#endif
