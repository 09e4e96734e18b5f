#include "service/keys/policies.h"

#include "crypto/alg.h"

enum { DAY_S = 86400 };

/* overlap: how long old and new key are both active. reads: for so long after its originator-usage
 * period a key still reads what it protected; a CA's signs CRLs, until its leaves are gone. */
/* clang-format off */
static const struct begin {
    enum key_class class_;
    uint32_t alg;
    unsigned overlap_days, reads_days;
} begins[] = {
    {KEY_CLASS_ISSUING_CA,   KEY_ALG_EC_P256,    30, 7300},
    {KEY_CLASS_OCSP_SIGNER,  KEY_ALG_EC_P256,     7, 0   },
    {KEY_CLASS_TLS_SERVER,   KEY_ALG_EC_P256,     3, 0   },
    {KEY_CLASS_LOG_SIGNER,   KEY_ALG_ED25519,    30, 0   },
    {KEY_CLASS_KEK,          KEY_ALG_SECRET_256, 30, 1095},
    {KEY_CLASS_MAC,          KEY_ALG_SECRET_256, 30, 1095},
    {KEY_CLASS_KDF,          KEY_ALG_SECRET_256, 30, 0   },
    {KEY_CLASS_FIRMWARE,     KEY_ALG_EC_P256,    90, 0   },
    {KEY_CLASS_TUF,          KEY_ALG_ED25519,    90, 0   },
    {KEY_CLASS_PROVISIONING, KEY_ALG_EC_P256,    30, 0   },
    {KEY_CLASS_EVIDENCE,     KEY_ALG_EC_P256,    30, 0   },
    {KEY_CLASS_CMP,          KEY_ALG_EC_P256,     3, 0   },
};
/* clang-format on */

static const struct begin *begin_of(enum key_class class_)
{
    for (size_t i = 0; i < KW_COUNT(begins); i++) {
        if (begins[i].class_ == class_) {
            return &begins[i];
        }
    }
    return NULL;
}

kw_status policy_begin(struct kw_op *op, const char *key_id, enum key_class class_, uint32_t alg,
                       int64_t now_s, struct key_policy *ret)
{
    const struct begin *begin = begin_of(class_);

    memset(ret, 0, sizeof(*ret));
    ENSURE(op, begin, KW_E_INPUT, "no keys of class '%s' are made here", key_class_text(class_));
    ENSURE(op, *key_id && KW_TEXT_SET(ret->key_id, key_id), KW_E_INPUT, "'%.60s' cannot name a key",
           key_id);
    ret->class_ = class_;
    ret->alg = alg ? alg : begin->alg;
    ret->not_before = now_s - KEY_BACKDATE_S;
    ret->not_after = now_s + (int64_t)key_class_oup_days(class_) * DAY_S;
    ret->overlap_s = begin->overlap_days * DAY_S;
    if (begin->reads_days) {
        ret->processing_until = ret->not_after + (int64_t)begin->reads_days * DAY_S;
    }
    return KW_OK;
}
