#include "cmd/keywright-keeper/purposes.h"

_Static_assert(KEEPER_PURPOSE_MAX <= 32, "a bit a purpose");

enum {
    ALG_P256 = KEY_ALG_BIT(KEY_ALG_EC_P256),
    ALG_ECDSA = ALG_P256 | KEY_ALG_BIT(KEY_ALG_EC_P384),
    ALG_ED25519 = KEY_ALG_BIT(KEY_ALG_ED25519),
    /* only what reads: SP 800-57 part 1 section 7.4 */
    AFTER = 1 << KEY_DEACTIVATED,
    ALG_ALL = ALG_ECDSA | ALG_ED25519 | KEY_ALG_BIT(KEY_ALG_RSA_3072),
};

/* clang-format off */
#define BIT PURPOSE_BIT
static const struct class_row classes[] = {
    {KEY_CLASS_ISSUING_CA,   ALG_ALL,
     BIT(KEEPER_SIGN_CERT) | BIT(KEEPER_SIGN_CRL) | BIT(KEEPER_SIGN_CERT_REQUEST) |
         BIT(KEEPER_SIGN_CROSS) | BIT(KEEPER_KEY_BIRTH)},
    {KEY_CLASS_OCSP_SIGNER,  ALG_ALL,
     BIT(KEEPER_SIGN_OCSP) | BIT(KEEPER_SIGN_TIME) | BIT(KEEPER_SIGN_WIPE)},
    /* RSA would need PSS in TLS 1.3, which the keeper does not make. */
    {KEY_CLASS_TLS_SERVER,   ALG_ECDSA | ALG_ED25519, BIT(KEEPER_SIGN_TLS)},
    {KEY_CLASS_LOG_SIGNER,   ALG_ED25519,
     BIT(KEEPER_SIGN_CHECKPOINT) | BIT(KEEPER_SIGN_CROSS)},
    {KEY_CLASS_KEK,          0,
     BIT(KEEPER_DATA_WRAP) | BIT(KEEPER_DATA_UNWRAP) | BIT(KEEPER_DATA_SEAL) |
         BIT(KEEPER_DATA_OPEN)},
    {KEY_CLASS_MAC,          0,
     BIT(KEEPER_DATA_MAC) | BIT(KEEPER_DATA_MAC_VERIFY)},
    {KEY_CLASS_KDF,          0,                       BIT(KEEPER_DATA_DERIVE)},
    /* What MCUboot verifies over a SHA-256. */
    {KEY_CLASS_FIRMWARE,     ALG_P256 | ALG_ED25519,  BIT(KEEPER_SIGN_FIRMWARE)},
    {KEY_CLASS_TUF,          ALG_ECDSA | ALG_ED25519, BIT(KEEPER_SIGN_TUF)},
    {KEY_CLASS_PROVISIONING, ALG_ECDSA | ALG_ED25519, BIT(KEEPER_SIGN_STATEMENT)},
    {KEY_CLASS_EVIDENCE,     ALG_ECDSA | ALG_ED25519, BIT(KEEPER_SIGN_STATEMENT)},
    {KEY_CLASS_CMP,          ALG_ALL,                 BIT(KEEPER_SIGN_CMP)},
};
/* clang-format on */

const struct class_row *class_row_of(enum key_class class_)
{
    for (size_t i = 0; i < KW_COUNT(classes); i++) {
        if (classes[i].class_ == class_) {
            return &classes[i];
        }
    }
    return NULL;
}

bool class_takes_alg(enum key_class class_, uint32_t alg)
{
    const struct class_row *row = class_row_of(class_);

    if (!row || key_class_symmetric(class_)) {
        return row && alg == KEY_ALG_SECRET_256;
    }
    return alg < KEY_ALG_MAX && (row->algs & KEY_ALG_BIT(alg));
}

/* clang-format off */
static const struct purpose_row {
    const char *text;
    uint32_t states_after;
    bool bulk;
} purposes[KEEPER_PURPOSE_MAX] = {
    [KEEPER_SIGN_CERT]         = {"certificates",         0,     false},
    [KEEPER_SIGN_CRL]          = {"CRLs",                 AFTER, false},
    [KEEPER_SIGN_OCSP]         = {"OCSP answers",         0,     true },
    [KEEPER_SIGN_TLS]          = {"TLS handshakes",       0,     true },
    [KEEPER_SIGN_CHECKPOINT]   = {"checkpoints",          0,     false},
    [KEEPER_SIGN_CERT_REQUEST] = {"requests",             0,     false},
    [KEEPER_SIGN_CROSS]        = {"cross certificates",   AFTER, false},
    [KEEPER_SIGN_STATEMENT]    = {"statements",           0,     false},
    [KEEPER_SIGN_FIRMWARE]     = {"firmware",             0,     false},
    [KEEPER_SIGN_TUF]          = {"TUF metadata",         0,     false},
    [KEEPER_DATA_WRAP]         = {"wrapped keys",         0,     true },
    [KEEPER_DATA_UNWRAP]       = {"unwrapped keys",       AFTER, false},
    [KEEPER_DATA_DERIVE]       = {"derived keys",         0,     true },
    [KEEPER_DATA_MAC]          = {"authentication codes", 0,     true },
    [KEEPER_DATA_MAC_VERIFY]   = {"verifications",        AFTER, true },
    [KEEPER_DATA_SEAL]         = {"sealed data",          0,     true },
    [KEEPER_DATA_OPEN]         = {"opened data",          AFTER, true },
    [KEEPER_SIGN_CMP]          = {"CMP answers",          0,     true },
    [KEEPER_KEY_BIRTH]         = {"keys for others",      0,     true },
    [KEEPER_SIGN_TIME]         = {"times",                0,     true },
    [KEEPER_SIGN_WIPE]         = {"orders to wipe",       0,     false},
};
/* clang-format on */

/* A number from elsewhere may be no purpose at all. */
static const struct purpose_row *purpose_row(enum keeper_purpose purpose)
{
    static const struct purpose_row none = {"nothing", 0, false};

    return (size_t)purpose < KW_COUNT(purposes) && purposes[purpose].text ? &purposes[purpose]
                                                                          : &none;
}

const char *purpose_text(enum keeper_purpose purpose)
{
    return purpose_row(purpose)->text;
}

uint32_t purpose_states_after(enum keeper_purpose purpose)
{
    return purpose_row(purpose)->states_after;
}

bool purpose_is_bulk(enum keeper_purpose purpose)
{
    return purpose_row(purpose)->bulk;
}

bool purpose_allowed(enum key_class class_, enum keeper_purpose purpose)
{
    const struct class_row *row = class_row_of(class_);

    return row && (row->purposes & PURPOSE_BIT(purpose)) != 0;
}
