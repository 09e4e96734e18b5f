/* `keywright init`: the keys of the keepers, under policies for ever. */
#include "cmd/keywright/init.h"

#include <stdio.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/keys/ca_policy.h"
#include "service/keys/own.h"
#include "service/keys/policies.h"
#include "service/registration/secret.h"

static kw_status begin_policy(struct kw_op *op, struct key_policy *policy, const char *id,
                              enum key_class class_)
{
    return policy_begin(op, id, class_, /* alg= */ 0, os_clock_unix_s(), policy);
}

static kw_status record_key(struct kw_op *op, struct init *it, const char *key_id,
                            const char *detail)
{
    struct event event = {.type = EVENT_KEY_GENERATE, .source = "keywright init"};

    object_write(OBJECT_KEY, key_id, event.object);
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

    TRY(op, ca_policy(op, it->service, ca, &policy));
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
    TRY(op, ca_ocsp_policy(op, it->service, ca, ca_public, &policy));
    return create(op, it, &policy, &key);
}

/* Signs the answers of the certificate management protocol, in a name that is sealed with it. */
static kw_status make_cmp_key(struct kw_op *op, struct init *it)
{
    struct key_policy policy;
    AUTO(pubkey) *key = NULL;

    TRY(op, begin_policy(op, &policy, "cmp-signer", KEY_CLASS_CMP));
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

    TRY(op, begin_policy(op, &policy, SECRET_KEY, KEY_CLASS_KDF));
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

    TRY(op, begin_policy(op, &policy, "tls-server", KEY_CLASS_TLS_SERVER));
    TRY(op, create(op, it, &policy, &tls));
    TRY(op, begin_policy(op, &policy, "log", KEY_CLASS_LOG_SIGNER));
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
