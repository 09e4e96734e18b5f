#include "service/keys/ca_birth.h"

#include <stdio.h>

#include "base/pem.h"
#include "codec/json.h"
#include "crypto/csr.h"
#include "os/clock.h"
#include "service/authority/chain.h"
#include "service/keys/ca_policy.h"
#include "service/keys/line.h"
#include "service/keys/verbs.h"

enum { PEM_ROOM = 8192 };

const struct codec_field ca_place_fields[] = {
    FIELD_STRING("organization", struct ca_place, organization, CODEC_REQUIRED, ""),
    FIELD_STRING("public_url", struct ca_place, public_url, CODEC_REQUIRED, ""),
    FIELD_STRING("server_name", struct ca_place, server_name, CODEC_REQUIRED, ""),
    FIELD_STRING("issuer", struct ca_place, issuer, CODEC_REQUIRED, ""),
};
const size_t ca_place_fields_count = KW_COUNT(ca_place_fields);

/* --- what is planned -------------------------------------------------------------------------- */

static bool is_made(const struct authorities *all, const char *name)
{
    const struct ca *ca = NULL;

    return kw_ok(authorities_issuing(NULL, all, name, &ca));
}

static kw_status find_planned(struct kw_op *op, struct service *service,
                              const struct authorities *all, const char *name,
                              const struct authority **ret)
{
    const struct authority *authority = plan_find(&service->plan, name);

    ENSURE(op, authority && authority_kind_of(authority) == AUTHORITY_ISSUING, KW_E_NOT_FOUND,
           "no issuing authority '%s' in the state folder's authorities; put its file there, those "
           "of its profiles into profiles, and start keywrightd anew",
           name);
    ENSURE(op, !is_made(all, name), KW_E_CONFLICT,
           "it has its certificate already; 'ca rotate' makes its next key");
    ENSURE(op, authorities_issuer_now(all, authority->issuer), KW_E_STATE,
           "the authority above it, '%s', is not made", authority->issuer);
    *ret = authority;
    return KW_OK;
}

/* One name, one CA: relying parties find CRLs and keys by it. */
static kw_status check_name(struct kw_op *op, const struct authorities *all,
                            const struct key_policy *policy)
{
    struct kw_span name = KW_SPAN(policy->issuer_dn, policy->issuer_dn_len);

    for (unsigned i = 0; i < all->n; i++) {
        ENSURE(op, !kw_span_equal(cert_subject(all->at[i].cert), name), KW_E_CONFLICT,
               "CA '%s' has the same subject", all->at[i].id);
    }
    return KW_OK;
}

/* --- its keys --------------------------------------------------------------------------------- */

/* The key of this policy: as it was made before, or made now. */
static kw_status have_key(struct kw_op *op, struct service *service,
                          const struct key_policy *policy, uint64_t approval_id,
                          struct key_policy *ret_wanted, struct keeper_key_info *ret)
{
    struct keeper *keeper = service_keeper(service, policy->key_id);
    struct key_policy sealed;
    kw_status status = line_newest(op, service, policy->key_id, /* states= */ 0, ret);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        *ret_wanted = *policy;
        return key_create(op, service, policy, approval_id, ret);
    }
    TRY(op, status);
    TRY(op, keeper_key_policy(op, keeper, policy->key_id, &sealed));
    ENSURE(op, ret->state == KEY_ACTIVE && ca_policy_same(&sealed, policy), KW_E_CONFLICT,
           "key '%s' was made before and is %s, or the files of the authority and its profiles "
           "said something else then: it takes another name",
           policy->key_id, key_state_text(ret->state));
    return KW_OK;
}

static kw_status have_keys(struct kw_op *op, struct service *service, const struct authorities *all,
                           const struct authority *authority, uint64_t approval_id,
                           struct key_policy *ret_wanted, struct keeper_key_info *ret_ca)
{
    struct key_policy policy;
    struct keeper_key_info ocsp;
    AUTO(pubkey) *ca_key = NULL;

    TRY(op, ca_policy(op, service, authority, &policy), "CA '%s'", authority->name);
    TRY(op, check_name(op, all, &policy));
    TRY(op, have_key(op, service, &policy, approval_id, ret_wanted, ret_ca), "key of CA '%s'",
        authority->name);
    TRY(op, pubkey_parse(op, KW_SPAN(ret_ca->spki, ret_ca->spki_len), &ca_key), "key '%s'",
        ret_ca->key_id);
    TRY(op, ca_ocsp_policy(op, service, authority, ca_key, &policy));
    return have_key(op, service, &policy, approval_id, ret_wanted, &ocsp);
}

/* --- the request ------------------------------------------------------------------------------ */

static kw_status put_csr(struct kw_op *op, struct service *service,
                         const struct keeper_key_info *key, struct kw_bytes *into)
{
    struct key_policy policy;
    struct keeper *keeper = service_keeper(service, key->key_id);
    AUTO(privkey) *asker = NULL;
    AUTO(kw_bytes) *csr = NULL;

    TRY(op, keeper_key_policy(op, keeper, key->key_id, &policy));
    TRY(op, keeper_privkey(op, keeper, key->key_id, KEEPER_SIGN_CERT_REQUEST, NULL, &asker));
    TRY(op, csr_build(op, KW_SPAN(policy.issuer_dn, policy.issuer_dn_len), asker, &csr),
        "request of key '%s'", key->key_id);
    return kw_pem_encode("CERTIFICATE REQUEST", kw_bytes_span(csr), into);
}

kw_status ca_put_description(struct kw_op *op, const struct service *service,
                             const struct authority *authority, const char *issuer,
                             struct kw_bytes *into)
{
    struct ca_place place = {0};

    KW_TEXT_SET(place.organization, service->config.organization);
    KW_TEXT_SET(place.public_url, service->config.public_url);
    KW_TEXT_SET(place.server_name, service->config.server_name);
    KW_TEXT_SET(place.issuer, issuer);
    TRY(op, codec_json_encode(op, ca_place_fields, ca_place_fields_count, &place, into));
    TRY(op, kw_bytes_append_text(into, "\n"));
    TRY(op, codec_json_encode(op, authority_fields, authority_fields_count, authority, into));
    return kw_bytes_append_text(into, "\n");
}

kw_status ca_birth_request(struct kw_op *op, struct service *service, const char *name,
                           uint64_t approval_id, struct key_policy *ret_wanted,
                           struct kw_bytes **ret)
{
    AUTO(authorities) *all = service_authorities(service);
    const struct authority *authority = NULL;
    struct keeper_key_info key;
    AUTO(kw_bytes) *text = NULL;

    TRY(op, find_planned(op, service, all, name, &authority));
    TRY(op, chain_room_for_key(op, all, os_clock_unix_s(), /* first= */ true), "CA '%s'", name);
    TRY(op, have_keys(op, service, all, authority, approval_id, ret_wanted, &key));
    TRY(op, kw_bytes_new(PEM_ROOM, &text));
    TRY(op, put_csr(op, service, &key, text));
    bool by_root = strcmp(authority->issuer, "root") == 0;
    const char *issuer = by_root ? authorities_newest_root(all)->id : authority->issuer;
    TRY(op, ca_put_description(op, service, authority, issuer, text));
    *ret = TAKE(text);
    return KW_OK;
}

/* --- its certificate -------------------------------------------------------------------------- */

/* ret_key: of this planned CA, if it is the certificate's; unchanged otherwise. */
static kw_status fit_key(struct kw_op *op, struct service *service, const char *name,
                         const struct cert *cert, struct keeper_key_info *ret_key)
{
    char key_id[KW_NAME_MAX];
    struct keeper_key_info key;

    (void)snprintf(key_id, sizeof(key_id), "ca-%.80s", name);
    kw_status status = line_newest(op, service, key_id, 1u << KEY_ACTIVE, &key);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    if (kw_span_equal(pubkey_spki(cert_public(cert)), KW_SPAN(key.spki, key.spki_len))) {
        *ret_key = key;
    }
    return KW_OK;
}

/* NULL: the certificate is for none that is planned. */
static kw_status find_subject(struct kw_op *op, struct service *service,
                              const struct authorities *all, const struct cert *cert,
                              const struct authority **ret, struct keeper_key_info *ret_key)
{
    for (unsigned i = 0; i < service->plan.n && !*ret; i++) {
        const struct authority *one = &service->plan.at[i];
        if (authority_kind_of(one) != AUTHORITY_ISSUING || is_made(all, one->name)) {
            continue;
        }
        TRY(op, fit_key(op, service, one->name, cert, ret_key));
        *ret = ret_key->key_id[0] ? one : NULL;
    }
    return KW_OK;
}

static bool same_purposes(const struct authority *authority, const struct cert *cert)
{
    bool same = cert_eku_count(cert) == authority->n_purposes;

    for (unsigned i = 0; same && i < authority->n_purposes; i++) {
        same = strcmp(cert_eku(cert, i), authority->purposes[i]) == 0;
    }
    return same;
}

static kw_status check_bounds(struct kw_op *op, const struct authority *authority,
                              const struct cert *cert)
{
    enum { USAGE = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN };
    bool constrained = (cert_ext_critical(cert) & CERT_EXT_NAME_CONSTRAINTS) != 0;

    ENSURE(op,
           cert_is_ca(cert) && cert_path_len(cert) == authority_path_len(authority) &&
               cert_key_usage(cert) == USAGE,
           KW_E_INPUT, "the certificate is none of an issuing CA");
    ENSURE(op, constrained == (authority_names_of(authority) != AUTHORITY_NAMES_ANY), KW_E_INPUT,
           "its name constraints are not those of 'names: %s'", authority->names);
    ENSURE(op, same_purposes(authority, cert), KW_E_INPUT, "it is not for the purposes of CA '%s'",
           authority->name);
    return KW_OK;
}

kw_status ca_birth_check(struct kw_op *op, struct service *service, const struct authorities *all,
                         const struct cert *cert, struct keeper_key_info *ret_key)
{
    const struct authority *authority = NULL;
    struct key_policy policy;

    memset(ret_key, 0, sizeof(*ret_key));
    TRY(op, find_subject(op, service, all, cert, &authority, ret_key));
    if (!authority) {
        return KW_OK;
    }
    TRY(op,
        keeper_key_policy(op, service_keeper(service, ret_key->key_id), ret_key->key_id, &policy));
    ENSURE(op, kw_span_equal(cert_subject(cert), KW_SPAN(policy.issuer_dn, policy.issuer_dn_len)),
           KW_E_INPUT, "the certificate has another name than CA '%s'", authority->name);
    TRY(op, check_bounds(op, authority, cert));
    const struct cert *above = authorities_issuer_now(all, authority->issuer);
    ENSURE(op, above && kw_span_equal(cert_issuer(cert), cert_subject(above)), KW_E_DENIED,
           "the certificate is not by '%s'", authority->issuer);
    return authorities_verify(op, all, cert);
}
