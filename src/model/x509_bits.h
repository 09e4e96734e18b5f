/*
 * Bit numbers of the crypto layer that policies and profiles store. The model may include base/
 * only, so they stand here a second time; tests/unit/model/test_x509_bits.c fails to compile where
 * they disagree with crypto/.
 */
#ifndef MODEL_X509_BITS_H
#define MODEL_X509_BITS_H

/* crypto/alg.h: enum key_alg as KEY_ALG_BIT()s. */
enum model_key_alg {
    MODEL_KEY_ALG_EC_P256 = 1 << 1,
    MODEL_KEY_ALG_EC_P384 = 1 << 2,
    MODEL_KEY_ALG_ED25519 = 1 << 3,
    MODEL_KEY_ALG_RSA_3072 = 1 << 4,
    MODEL_KEY_ALG_ALL = (1 << 5) - (1 << 1),
};
enum { MODEL_KEY_ALG_NUMBER_MAX = 5 };  /* KEY_ALG_MAX: one above the last number */
enum { MODEL_KEY_ALG_SECRET_256 = 32 }; /* KEY_ALG_SECRET_256 */

/* crypto/cert.h: enum cert_key_usage, RFC 5280 section 4.2.1.3. */
enum model_key_usage {
    MODEL_KU_DIGITAL_SIGNATURE = 1 << 0,
    MODEL_KU_NON_REPUDIATION = 1 << 1,
    MODEL_KU_KEY_ENCIPHERMENT = 1 << 2,
    MODEL_KU_DATA_ENCIPHERMENT = 1 << 3,
    MODEL_KU_KEY_AGREEMENT = 1 << 4,
    MODEL_KU_KEY_CERT_SIGN = 1 << 5,
    MODEL_KU_CRL_SIGN = 1 << 6,
    MODEL_KU_ALL = (1 << 7) - 1,
};

/* crypto/cert.h: enum cert_ext. */
enum model_ext {
    MODEL_EXT_BASIC_CONSTRAINTS = 1 << 0,
    MODEL_EXT_KEY_USAGE = 1 << 1,
    MODEL_EXT_EKU = 1 << 2,
    MODEL_EXT_SKI = 1 << 3,
    MODEL_EXT_AKI = 1 << 4,
    MODEL_EXT_SAN = 1 << 5,
    MODEL_EXT_CRL_DP = 1 << 6,
    MODEL_EXT_AIA = 1 << 7,
    MODEL_EXT_NAME_CONSTRAINTS = 1 << 8,
    MODEL_EXT_POLICIES = 1 << 9,
    MODEL_EXT_OCSP_NOCHECK = 1 << 10,
    MODEL_EXT_ALL = (1 << 11) - 1, /* without "other": no policy may let unknown extensions in */
};

#endif
