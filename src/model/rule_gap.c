#include "model/rule_gap.h"

#include <stdio.h>

#include "model/profile.h"
#include "model/x509_bits.h"

enum { SECONDS_PER_HOUR = 3600 };

/* --- what is refused -------------------------------------------------------------------------- */

static bool lasts_longer(const struct policy_rule *sealed, const struct policy_rule *now,
                         uint32_t bit)
{
    (void)bit;
    if (sealed->max_validity_s == 0 || now->max_validity_s == 0) {
        return sealed->max_validity_s != now->max_validity_s; /* without an end, or with one */
    }
    return now->max_validity_s > sealed->max_validity_s;
}

static bool more_algs(const struct policy_rule *sealed, const struct policy_rule *now, uint32_t bit)
{
    (void)bit;
    return (now->key_algs & ~sealed->key_algs) != 0;
}

static bool other_usage(const struct policy_rule *sealed, const struct policy_rule *now,
                        uint32_t bit)
{
    (void)bit;
    return now->key_usage != sealed->key_usage;
}

static bool has_eku(const struct policy_rule *rule, const char *oid)
{
    for (uint32_t i = 0; i < rule->n_eku; i++) {
        if (strcmp(rule->eku[i], oid) == 0) {
            return true;
        }
    }
    return false;
}

static bool other_eku(const struct policy_rule *sealed, const struct policy_rule *now, uint32_t bit)
{
    (void)bit;
    for (uint32_t i = 0; i < now->n_eku; i++) {
        if (!has_eku(sealed, now->eku[i])) {
            return true;
        }
    }
    return now->n_eku != sealed->n_eku;
}

static bool more_names(const struct policy_rule *sealed, const struct policy_rule *now,
                       uint32_t bit)
{
    return (now->san_kinds & ~sealed->san_kinds & bit) != 0;
}

static bool more_births(const struct policy_rule *sealed, const struct policy_rule *now,
                        uint32_t bit)
{
    (void)bit;
    return now->key_birth > sealed->key_birth;
}

/* It comes along always, and may not; or must, and does not always. */
static bool other_ext(const struct policy_rule *sealed, const struct policy_rule *now, uint32_t bit)
{
    return (now->ext_required & ~sealed->ext_allowed & bit) != 0 ||
           (sealed->ext_required & ~now->ext_required & bit) != 0;
}

/* --- words ------------------------------------------------------------------------------------ */

static void join(char text[RULE_GAP_TEXT], const char *word)
{
    size_t n = strlen(text);

    (void)snprintf(text + n, RULE_GAP_TEXT - n, "%s%s", n ? ", " : "", word);
}

static void tell_validity(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT])
{
    (void)bit;
    if (rule->max_validity_s == 0) {
        join(text, "no end");
        return;
    }
    (void)snprintf(text, RULE_GAP_TEXT, "%lld",
                   (long long)(rule->max_validity_s / SECONDS_PER_HOUR));
}

/* first: the bit of the vocabulary's first word; those of the others follow. */
static void join_words(const char *field, uint32_t first, uint32_t bits, char text[RULE_GAP_TEXT])
{
    const char *word = NULL;

    for (size_t i = 0; (word = profile_word(field, i)) != NULL; i++) {
        if (bits & (first << i)) {
            join(text, word);
        }
    }
}

static void tell_algs(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT])
{
    join_words("key_algs", bit, rule->key_algs, text);
}

static void tell_usage(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT])
{
    join_words("key_usage", bit, rule->key_usage, text);
}

static void tell_eku(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT])
{
    (void)bit;
    for (uint32_t i = 0; i < rule->n_eku; i++) {
        join(text, rule->eku[i]);
    }
    if (rule->n_eku == 0) {
        join(text, "none");
    }
}

static void tell_names(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT])
{
    join(text, rule->san_kinds & bit ? "true" : "false");
}

static void tell_birth(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT])
{
    (void)bit;
    join(text, rule->key_birth ? "true" : "false");
}

static void tell_ext(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT])
{
    join(text, rule->ext_required & bit ? "yes" : "no");
}

/* --- the fields ------------------------------------------------------------------------------- */

static const struct {
    const char *field;
    bool (*refused)(const struct policy_rule *sealed, const struct policy_rule *now, uint32_t bit);
    void (*tell)(const struct policy_rule *rule, uint32_t bit, char text[RULE_GAP_TEXT]);
    uint32_t bit;
} rows[] = {
    {"validity_hours",           lasts_longer, tell_validity, 0                         },
    {"key_algs",                 more_algs,    tell_algs,     MODEL_KEY_ALG_EC_P256     },
    {"key_usage",                other_usage,  tell_usage,    MODEL_KU_DIGITAL_SIGNATURE},
    {"eku",                      other_eku,    tell_eku,      0                         },
    {"hardware_module_name",     more_names,   tell_names,    POLICY_SAN_HW             },
    {"san_from_request",         more_names,   tell_names,    POLICY_SAN_DNS            },
    {"server_keygen",            more_births,  tell_birth,    0                         },
    {"san_required",             other_ext,    tell_ext,      MODEL_EXT_SAN             },
    {"crl_url",                  other_ext,    tell_ext,      MODEL_EXT_CRL_DP          },
    {"ocsp_url, ca_issuers_url", other_ext,    tell_ext,      MODEL_EXT_AIA             },
    {"policies",                 other_ext,    tell_ext,      MODEL_EXT_POLICIES        },
    {"ocsp_nocheck",             other_ext,    tell_ext,      MODEL_EXT_OCSP_NOCHECK    },
};

bool rule_gap_next(const struct policy_rule *sealed, const struct policy_rule *now, unsigned *at,
                   struct rule_gap *ret)
{
    while (*at < KW_COUNT(rows)) {
        unsigned i = (*at)++;
        if (rows[i].refused(sealed, now, rows[i].bit)) {
            memset(ret, 0, sizeof(*ret));
            ret->field = rows[i].field;
            rows[i].tell(now, rows[i].bit, ret->now);
            rows[i].tell(sealed, rows[i].bit, ret->sealed);
            return true;
        }
    }
    return false;
}
