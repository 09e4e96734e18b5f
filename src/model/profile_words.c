/* The words of profiles, and what they stand for. */
#include "model/profile.h"
#include "model/x509_bits.h"

struct word {
    const char *text;
    uint32_t value;
};

static const struct word key_algs[] = {
    {"ec-p256",  MODEL_KEY_ALG_EC_P256 },
    {"ec-p384",  MODEL_KEY_ALG_EC_P384 },
    {"ed25519",  MODEL_KEY_ALG_ED25519 },
    {"rsa-3072", MODEL_KEY_ALG_RSA_3072},
};

/* RFC 5280 section 4.2.1.3, its spelling. */
static const struct word key_usages[] = {
    {"digitalSignature", MODEL_KU_DIGITAL_SIGNATURE},
    {"nonRepudiation",   MODEL_KU_NON_REPUDIATION  },
    {"keyEncipherment",  MODEL_KU_KEY_ENCIPHERMENT },
    {"dataEncipherment", MODEL_KU_DATA_ENCIPHERMENT},
    {"keyAgreement",     MODEL_KU_KEY_AGREEMENT    },
    {"keyCertSign",      MODEL_KU_KEY_CERT_SIGN    },
    {"cRLSign",          MODEL_KU_CRL_SIGN         },
};

static const struct word subjects[] = {
    {"device",      PROFILE_SUBJECT_DEVICE  },
    {"server",      PROFILE_SUBJECT_SERVER  },
    {"operator",    PROFILE_SUBJECT_OPERATOR},
    {"ocsp-signer", PROFILE_SUBJECT_OCSP    },
    {"station",     PROFILE_SUBJECT_STATION },
    {"gateway",     PROFILE_SUBJECT_GATEWAY },
    {"user",        PROFILE_SUBJECT_USER    },
    {"signer",      PROFILE_SUBJECT_SIGNER  },
    {"service",     PROFILE_SUBJECT_SERVICE },
    {"cmp-signer",  PROFILE_SUBJECT_CMP     },
    {"broker",      PROFILE_SUBJECT_BROKER  },
};

/* Of these only the text counts. */
static const struct word enrols[] = {
    {"secret", 1},
    {"idevid", 2},
    {"none",   3},
};
static const struct word approvals[] = {
    {"none",    1},
    {"officer", 2},
};
static const struct word protocols[] = {
    {"est",  1},
    {"cmp",  2},
    {"rest", 4},
};
static const struct word bindings[] = {
    {"none",     1},
    {"required", 2},
};

static const struct word attests[] = {
    {"none",     1},
    {"required", 2},
    {"fresh",    3},
};

/* By the name of the field in the file. */
static const struct vocabulary {
    const char *field;
    const struct word *words;
    size_t n;
} vocabularies[] = {
    {"key_algs",        key_algs,   KW_COUNT(key_algs)  },
    {"key_usage",       key_usages, KW_COUNT(key_usages)},
    {"subject",         subjects,   KW_COUNT(subjects)  },
    {"enrol",           enrols,     KW_COUNT(enrols)    },
    {"approval",        approvals,  KW_COUNT(approvals) },
    {"protocols",       protocols,  KW_COUNT(protocols) },
    {"channel_binding", bindings,   KW_COUNT(bindings)  },
    {"attest",          attests,    KW_COUNT(attests)   },
};

const char *profile_word(const char *field, size_t i)
{
    for (size_t k = 0; k < KW_COUNT(vocabularies); k++) {
        const struct vocabulary *found = &vocabularies[k];
        if (strcmp(found->field, field) == 0) {
            return i < found->n ? found->words[i].text : NULL;
        }
    }
    return NULL;
}

/* 0 where the word is not in the table; no table has a 0 of its own. */
static uint32_t word_value(const struct word words[], size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i].text, text) == 0) {
            return words[i].value;
        }
    }
    return 0;
}

/* Add a word's bit; an unknown word and one that stands there twice are mistakes of the author. */
static bool add_bit(const struct word words[], size_t n, const char *text, uint32_t *bits)
{
    uint32_t bit = word_value(words, n, text);

    if (bit == 0 || (*bits & bit) != 0) {
        return false;
    }
    *bits |= bit;
    return true;
}

kw_status profile_key_algs(const struct profile *profile, uint32_t *ret)
{
    uint32_t bits = 0;

    if (profile->n_key_algs == 0 || profile->n_key_algs > PROFILE_LIST_MAX) {
        return KW_FAIL(KW_E_INPUT);
    }
    for (uint32_t i = 0; i < profile->n_key_algs; i++) {
        if (!add_bit(key_algs, KW_COUNT(key_algs), profile->key_algs[i], &bits)) {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    *ret = bits;
    return KW_OK;
}

kw_status profile_key_usage(const struct profile *profile, uint32_t *ret)
{
    uint32_t bits = 0;

    if (profile->n_key_usage == 0 || profile->n_key_usage > PROFILE_LIST_MAX) {
        return KW_FAIL(KW_E_INPUT);
    }
    for (uint32_t i = 0; i < profile->n_key_usage; i++) {
        if (!add_bit(key_usages, KW_COUNT(key_usages), profile->key_usage[i], &bits)) {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    *ret = bits;
    return KW_OK;
}

enum profile_subject profile_subject_of(const struct profile *profile)
{
    return (enum profile_subject)word_value(subjects, KW_COUNT(subjects), profile->subject);
}

bool profile_speaks(const struct profile *profile, const char *protocol)
{
    for (uint32_t i = 0; i < profile->n_protocols && i < PROFILE_PROTOCOLS_MAX; i++) {
        if (strcmp(profile->protocols[i], protocol) == 0) {
            return true;
        }
    }
    return false;
}
