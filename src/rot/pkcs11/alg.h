/* Key algorithms as PKCS#11 names them, and public keys as it tells them. */
#ifndef ROT_PKCS11_ALG_H
#define ROT_PKCS11_ALG_H

#include <p11-kit/pkcs11.h>

#include "crypto/pubkey.h"

struct p11_alg {
    enum key_alg alg;
    CK_KEY_TYPE type;
    CK_MECHANISM_TYPE make;
    CK_MECHANISM_TYPE sign;
    const char *group;        /* OpenSSL's; EC only */
    unsigned n_point;         /* octets of the public point; 0 for RSA */
    unsigned n_coordinate;    /* octets of r and of s; ECDSA only */
    unsigned n_curves;        /* names of the curve, the usual one first */
    struct kw_span curves[3]; /* CKA_EC_PARAMS, DER */
};
/* NULL for KEY_ALG_NONE and what does not exist. */
const struct p11_alg *p11_alg_of(enum key_alg alg);
/* By key type and curve; NULL where it is none of ours. RSA: look at the modulus. */
const struct p11_alg *p11_alg_find(CK_KEY_TYPE type, struct kw_span curve);

/**
 * The point of CKA_EC_POINT: a DER OCTET STRING as the standard says, a BIT STRING as some say for
 * Ed25519, or the point itself. False where it is none with n_point octets.
 */
bool p11_point(struct kw_span value, size_t n_point, struct kw_span *ret);
/* KW_E_DEVICE where the values make no key. */
kw_status p11_public_point(struct kw_op *op, const struct p11_alg *alg, struct kw_span value,
                           struct pubkey **ret);
kw_status p11_public_rsa(struct kw_op *op, struct kw_span modulus, struct kw_span exponent,
                         struct pubkey **ret);

enum { P11_INPUT_MAX = 64 };
/* What CKM_ECDSA or CKM_RSA_PKCS is given for a message: its hash, for RSA as DigestInfo. */
kw_status p11_sign_input(struct kw_op *op, const struct p11_alg *alg, struct kw_span message,
                         struct kw_out *out);
/* From the token's form (r || s for ECDSA) to ours. KW_E_DEVICE a length that it cannot have. */
kw_status p11_signature(struct kw_op *op, const struct p11_alg *alg, struct kw_span from,
                        struct kw_out *sig);

#endif
