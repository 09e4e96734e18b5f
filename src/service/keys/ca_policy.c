#include "service/keys/ca_policy.h"

#include <stdio.h>

#include "crypto/alg.h"
#include "os/clock.h"
#include "service/authority/subject.h"
#include "service/keys/policies.h"

enum { DAY_S = 86400, CRL_MAX_S = 8 * DAY_S, OCSP_MAX_S = 8 * DAY_S };

static kw_status begin(struct kw_op *op, const char *prefix, const struct authority *authority,
                       enum key_class class_, struct key_policy *policy)
{
    char key_id[KW_NAME_MAX];

    (void)snprintf(key_id, sizeof(key_id), "%s%.80s", prefix, authority->name);
    return policy_begin(op, key_id, class_, /* alg= */ 0, os_clock_unix_s(), policy);
}

static kw_status put_issuer(struct kw_op *op, const struct service *service,
                            const struct authority *authority, struct key_policy *policy)
{
    const struct subject_facts facts = {.organization = service->config.organization};
    struct kw_out name = {policy->issuer_dn, sizeof(policy->issuer_dn), 0};

    TRY(op, subject_fill(op, authority->subject_dn, authority->n_subject_dn, &facts, &name));
    policy->issuer_dn_len = (uint32_t)name.len;
    return KW_OK;
}

static kw_status put_rule(struct kw_op *op, const struct service *service,
                          const struct profile *profile, struct policy_rule *rule)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out same = KW_OUT_ARRAY(room);

    TRY(op, subject_fixed(op, profile->subject_dn, profile->n_subject_dn,
                          service->config.organization, &same));
    return profile_rule(profile, kw_out_span(&same), rule);
}

/* A rule for every profile that this CA may sign: nothing else will ever get its signature. */
static kw_status put_rules(struct kw_op *op, const struct service *service,
                           const struct authority *authority, struct key_policy *policy)
{
    for (unsigned i = 0; i < service->n_profiles; i++) {
        const struct profile *profile = &service->profiles[i].data;
        if (strcmp(profile->ca, authority->name) != 0 && strcmp(profile->ca, "*") != 0) {
            continue;
        }
        ENSURE(op, policy->n_rules < POLICY_RULES_MAX, KW_E_LIMIT,
               "more than %d profiles for one CA", POLICY_RULES_MAX);
        TRY(op, put_rule(op, service, profile, &policy->rules[policy->n_rules++]), "profile '%s'",
            profile->name);
    }
    return KW_OK;
}

/* Where lists of a part of its certificates may say that they lie: /crl/devices.7.crl, … */
static kw_status put_crl_place(struct kw_op *op, const struct service *service,
                               const struct authority *authority, struct key_policy *policy)
{
    int n = snprintf(policy->scopes[0], sizeof(policy->scopes[0]), "%s/crl/%s.",
                     service->config.public_url, authority->name);

    ENSURE(op, n > 0 && n < (int)sizeof(policy->scopes[0]), KW_E_INPUT,
           "public_url is too long for the places of CRLs: '%s'", service->config.public_url);
    policy->n_scopes = 1;
    return KW_OK;
}

kw_status ca_policy(struct kw_op *op, const struct service *service,
                    const struct authority *authority, struct key_policy *ret)
{
    TRY(op, begin(op, "ca-", authority, KEY_CLASS_ISSUING_CA, ret));
    ret->alg = key_alg_from_text(authority->key_alg);
    ret->crl_max_s = CRL_MAX_S;
    TRY(op, put_crl_place(op, service, authority, ret));
    TRY(op, put_issuer(op, service, authority, ret));
    return put_rules(op, service, authority, ret);
}

kw_status ca_ocsp_policy(struct kw_op *op, const struct service *service,
                         const struct authority *authority, const struct pubkey *ca_key,
                         struct key_policy *ret)
{
    TRY(op, begin(op, "ocsp-", authority, KEY_CLASS_OCSP_SIGNER, ret));
    ret->ocsp_max_s = OCSP_MAX_S;
    memcpy(ret->ca_key_sha1, pubkey_sha1(ca_key), sizeof(ret->ca_key_sha1));
    memcpy(ret->ca_key_sha256, pubkey_bits_sha256(ca_key), sizeof(ret->ca_key_sha256));
    return put_issuer(op, service, authority, ret);
}

bool ca_policy_same(const struct key_policy *a, const struct key_policy *b)
{
    bool same = a->alg == b->alg && a->n_rules == b->n_rules && a->crl_max_s == b->crl_max_s &&
                a->n_scopes == b->n_scopes && strcmp(a->scopes[0], b->scopes[0]) == 0 &&
                kw_span_equal(KW_SPAN(a->issuer_dn, a->issuer_dn_len),
                              KW_SPAN(b->issuer_dn, b->issuer_dn_len));

    for (uint32_t i = 0; same && i < a->n_rules; i++) {
        same = policy_rule_equal(&a->rules[i], &b->rules[i]);
    }
    return same;
}
