/* `keywright init`: the keys of the keepers, under policies for ever. */
#include "cmd/keywright/init.h"

#include <stdio.h>

#include "crypto/alg.h"
#include "os/clock.h"
#include "service/authority/subject.h"
#include "service/keys/own.h"
#include "service/keys/policies.h"
#include "service/registration/secret.h"

enum { DAY_S = 86400, CRL_MAX_S = 8 * DAY_S, OCSP_MAX_S = 8 * DAY_S };

static kw_status begin_policy(struct kw_op *op, struct key_policy *policy, const char *prefix,
                              const char *id, enum key_class class_)
{
    char key_id[KW_NAME_MAX];

    (void)snprintf(key_id, sizeof(key_id), "%.12s%.80s", prefix, id);
    return policy_begin(op, key_id, class_, /* alg= */ 0, os_clock_unix_s(), policy);
}

static kw_status put_issuer(struct kw_op *op, struct init *it, const struct authority *ca,
                            struct key_policy *policy)
{
    struct kw_out name = {policy->issuer_dn, sizeof(policy->issuer_dn), 0};

    const struct subject_facts facts = {.organization = it->config.organization};

    TRY(op, subject_fill(op, ca->subject_dn, ca->n_subject_dn, &facts, &name));
    policy->issuer_dn_len = (uint32_t)name.len;
    return KW_OK;
}

static kw_status put_rule(struct kw_op *op, const struct init *it, const struct profile *profile,
                          struct policy_rule *rule)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out same = KW_OUT_ARRAY(room);

    TRY(op, subject_fixed(op, profile->subject_dn, profile->n_subject_dn, it->config.organization,
                          &same));
    return profile_rule(profile, kw_out_span(&same), rule);
}

/* A rule for every profile that this CA may sign: nothing else will ever get its signature. */
static kw_status put_rules(struct kw_op *op, struct init *it, const struct authority *ca,
                           struct key_policy *policy)
{
    for (unsigned i = 0; i < it->service->n_profiles; i++) {
        const struct profile *profile = &it->service->profiles[i].data;
        if (strcmp(profile->ca, ca->name) != 0 && strcmp(profile->ca, "*") != 0) {
            continue;
        }
        ENSURE(op, policy->n_rules < POLICY_RULES_MAX, KW_E_LIMIT,
               "more than %d profiles for one CA", POLICY_RULES_MAX);
        TRY(op, put_rule(op, it, profile, &policy->rules[policy->n_rules++]), "profile '%s'",
            profile->name);
    }
    return KW_OK;
}

static kw_status record_key(struct kw_op *op, struct init *it, const char *key_id,
                            const char *detail)
{
    struct event event = {.type = EVENT_KEY_GENERATE, .source = "keywright init"};

    (void)snprintf(event.object, sizeof(event.object), "key:%.80s", key_id);
    (void)snprintf(event.detail, sizeof(event.detail), "%s", detail);
    return service_record_alone(op, it->service, &event);
}

static kw_status create(struct kw_op *op, struct init *it, const struct key_policy *policy,
                        struct pubkey **ret)
{
    TRY(op, keeper_key_create(op, service_keeper(it->service, policy->key_id), policy, ret),
        "key '%s'", policy->key_id);
    (void)printf("key            %-18s %-12s made in the keeper, soft-sealed\n", policy->key_id,
                 key_class_text(policy->class_));
    return record_key(op, it, policy->key_id, key_class_text(policy->class_));
}

/* Where lists of a part of its certificates may say that they lie: /crl/devices.7.crl, … */
static kw_status put_crl_place(struct kw_op *op, const struct init *it, const struct authority *ca,
                               struct key_policy *policy)
{
    int n = snprintf(policy->scopes[0], sizeof(policy->scopes[0]), "%s/crl/%s.",
                     it->config.public_url, ca->name);

    ENSURE(op, n > 0 && n < (int)sizeof(policy->scopes[0]), KW_E_INPUT,
           "public_url is too long for the places of CRLs: '%s'", it->config.public_url);
    policy->n_scopes = 1;
    return KW_OK;
}

struct ceremony_place init_place(const struct init *it, const struct authority *authority)
{
    return (struct ceremony_place){.authority = authority,
                                   .organization = it->config.organization,
                                   .public_url = it->config.public_url,
                                   .server_name = it->config.server_name,
                                   .domains = it->cli->options[OPT_DOMAIN]};
}

/* NULL: a root. The plan has it before those that it signs. */
const struct ceremony_root *init_issuer(const struct init *it, const struct authority *authority)
{
    const struct authority *issuer = plan_find(&it->plan, authority->issuer);

    return issuer ? &it->offline_cas[issuer - it->plan.at] : NULL;
}

static kw_status make_ca(struct kw_op *op, struct init *it, const struct authority *ca)
{
    struct key_policy policy;
    char name[KW_NAME_MAX];
    AUTO(pubkey) *key = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, begin_policy(op, &policy, "ca-", ca->name, KEY_CLASS_ISSUING_CA));
    policy.alg = key_alg_from_text(ca->key_alg);
    policy.crl_max_s = CRL_MAX_S;
    TRY(op, put_crl_place(op, it, ca, &policy));
    TRY(op, put_issuer(op, it, ca, &policy));
    TRY(op, put_rules(op, it, ca, &policy));
    TRY(op, create(op, it, &policy, &key));
    const struct ceremony_place place = init_place(it, ca);
    TRY(op, ceremony_sign_ca(op, init_issuer(it, ca), &place, key, &der));
    (void)snprintf(name, sizeof(name), "ca-%.80s", ca->name);
    return service_cert_save(op, it->service, name, kw_bytes_span(der));
}

static kw_status make_ocsp_key(struct kw_op *op, struct init *it, const struct authority *ca)
{
    struct key_policy policy;
    char ca_key[KW_NAME_MAX];
    AUTO(pubkey) *ca_public = NULL;
    AUTO(pubkey) *key = NULL;

    (void)snprintf(ca_key, sizeof(ca_key), "ca-%.80s", ca->name);
    TRY(op, keeper_key_public(op, service_keeper(it->service, ca_key), ca_key, &ca_public));
    TRY(op, begin_policy(op, &policy, "ocsp-", ca->name, KEY_CLASS_OCSP_SIGNER));
    policy.ocsp_max_s = OCSP_MAX_S;
    memcpy(policy.ca_key_sha1, pubkey_sha1(ca_public), sizeof(policy.ca_key_sha1));
    memcpy(policy.ca_key_sha256, pubkey_bits_sha256(ca_public), sizeof(policy.ca_key_sha256));
    TRY(op, put_issuer(op, it, ca, &policy));
    return create(op, it, &policy, &key);
}

/* Signs the answers of the certificate management protocol, in a name that is sealed with it. */
static kw_status make_cmp_key(struct kw_op *op, struct init *it)
{
    struct key_policy policy;
    AUTO(pubkey) *key = NULL;

    TRY(op, begin_policy(op, &policy, "", "cmp-signer", KEY_CLASS_CMP));
    struct kw_out name = {policy.issuer_dn, sizeof(policy.issuer_dn), 0};
    TRY(op, own_cmp_name(op, &it->config, &name));
    policy.issuer_dn_len = (uint32_t)name.len;
    return create(op, it, &policy, &key);
}

/* Registration secrets that CMP verifies are derived from it, and stored nowhere. */
static kw_status make_secrets_key(struct kw_op *op, struct init *it)
{
    struct key_policy policy;
    struct pubkey *none = NULL;

    TRY(op, begin_policy(op, &policy, "", SECRET_KEY, KEY_CLASS_KDF));
    KW_TEXT_SET(policy.scopes[0], SECRET_LABEL);
    policy.n_scopes = 1;
    return create(op, it, &policy, &none);
}

static kw_status make_other_keys(struct kw_op *op, struct init *it)
{
    struct key_policy policy;
    AUTO(pubkey) *tls = NULL;
    AUTO(pubkey) *log = NULL;

    TRY(op, make_cmp_key(op, it));
    TRY(op, make_secrets_key(op, it));

    TRY(op, begin_policy(op, &policy, "", "tls-server", KEY_CLASS_TLS_SERVER));
    TRY(op, create(op, it, &policy, &tls));
    TRY(op, begin_policy(op, &policy, "", "log", KEY_CLASS_LOG_SIGNER));
    KW_TEXT_SET(policy.log_origin, it->config.log_origin);
    return create(op, it, &policy, &log);
}

kw_status init_keys(struct kw_op *op, struct init *it)
{
    for (unsigned i = 0; i < it->plan.n; i++) {
        const struct authority *one = &it->plan.at[i];
        if (authority_kind_of(one) == AUTHORITY_ISSUING) {
            TRY(op, make_ca(op, it, one));
            TRY(op, make_ocsp_key(op, it, one));
        }
    }
    return make_other_keys(op, it);
}
