#include "service/authority/issue.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/time.h"
#include "crypto/alg.h"
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/authority/explain.h"
#include "service/authority/lint.h"
#include "service/authority/serials.h"
#include "service/log/gap.h"
#include "service/quality/quality.h"
#include "service/validation/shard.h"

enum {
    BACKDATE_S = 60
}; /* a device whose clock is a little slow can use its certificate at once */

/* All that one issuance gathers on its way. */
struct issuance {
    struct service *service;
    const struct issue_request *request;
    const struct bound_profile *profile;
    const struct authorities *all;
    const struct ca *ca;
    struct privkey *signer;  /* the CA's key, bound to the profile's rule */
    struct store_cert *cert; /* what will be recorded */
    struct store_pubkey key;
    uint8_t tbs_sha256[KW_HASH_BYTES]; /* of what is signed */
    bool explained;
};

static kw_status find_ca(struct kw_op *op, struct issuance *it)
{
    const char *base = it->profile->data.ca;

    if (strcmp(base, "*") != 0) {
        TRY(op, authorities_issuing(op, it->all, base, &it->ca));
    } else {
        ENSURE(op, it->request->ca, KW_E_INTERNAL, "profile '%s' needs a CA to be named",
               it->request->profile);
        TRY(op, authorities_find(op, it->all, it->request->ca, &it->ca));
    }
    TRY(op, ca_refuse_taken_back(op, it->ca));
    return authorities_signer(op, it->service, it->all, it->profile, it->ca, &it->signer);
}

static kw_status check_key(struct kw_op *op, const struct issuance *it)
{
    uint32_t allowed = 0;
    enum key_alg alg = pubkey_alg(it->request->key);

    TRY(op, profile_key_algs(&it->profile->data, &allowed), "profile '%s'", it->request->profile);
    ENSURE(op, allowed & KEY_ALG_BIT(alg), KW_E_INPUT, "profile '%s' takes no %s keys",
           it->request->profile, key_alg_text(alg));
    return KW_OK;
}

struct urls {
    char crl[SHARD_URL_MAX], ocsp[384], ca[384];
};

static void fill_urls(const struct issuance *it, struct urls *urls, struct cert_spec *spec)
{
    const struct profile *profile = &it->profile->data;
    const char *base = it->service->config.public_url;

    shard_url(it->service, it->ca->id, it->cert->shard, urls->crl);
    (void)snprintf(urls->ocsp, sizeof(urls->ocsp), "%s/ocsp/%s", base, it->ca->id);
    (void)snprintf(urls->ca, sizeof(urls->ca), "%s/ca/%s.cer", base, it->ca->id);
    spec->crl_url = profile->crl_url ? urls->crl : NULL;
    spec->ocsp_url = profile->ocsp_url ? urls->ocsp : NULL;
    spec->ca_issuers_url = profile->ca_issuers_url ? urls->ca : NULL;
}

static void fill_lists(const struct issuance *it, struct cert_spec *spec)
{
    const struct profile *profile = &it->profile->data;
    const struct issue_request *request = it->request;

    for (unsigned i = 0; i < profile->n_eku && i < CERT_EKU_MAX; i++) {
        spec->eku[i] = profile->eku[i];
    }
    for (unsigned i = 0; i < profile->n_policies && i < KW_COUNT(spec->policy_oid); i++) {
        spec->policy_oid[i] = profile->policies[i];
    }
    for (unsigned i = 0; profile->san_from_request && i < KW_COUNT(request->san_dns); i++) {
        spec->san_dns[i] = request->san_dns[i];
        spec->san_ip[i] = request->san_ip[i];
    }
    if (profile->hardware_module_name) {
        spec->hw_type = request->hw_type;
        spec->hw_serial = request->hw_serial;
    }
}

struct looked_at {
    struct lint_subject subject;
    struct issuance *it;
};

static const struct terms_place at_lint = {"lint",
                                           "each certificate is looked at before it is signed",
                                           "crypto/cert_lint.h"},
                                at_key_algs = {"key_algs", "the profile's key_algs", "SP 800-140C"},
                                at_quality = {"quality",
                                              "each key is looked at before it is certified",
                                              "SP 800-57 part 1 section 5.2"};

/* What may not leave is our bug, except where an operator's request brought it about (a name that
 * the CA's constraints do not permit): then it is the answer. */
static kw_status lint_as_refusal(struct kw_op *op, kw_status status)
{
    char why[KW_OP_TEXT_MAX];

    if (status.code != KW_E_INTERNAL) {
        return status;
    }
    KW_TEXT_SET(why, kw_op_cause(op));
    kw_op_clear(op);
    return FAIL(op, KW_E_INPUT, "%s", why);
}

/* The very octets that would be signed; then no signature is asked for. */
static kw_status explain_instead(struct kw_op *op, struct kw_span tbs, void *ctx)
{
    struct looked_at *looked = ctx;
    struct issuance *it = looked->it;
    const struct explain_case c = {
        .profile = &it->profile->data, .ca_key_id = it->ca->key_id, .asked = it->request->asked};

    TRY(op, terms_check(op, it->request->terms, &at_lint,
                        lint_as_refusal(op, lint_before_signing(op, tbs, &looked->subject))));
    TRY(op, explain_tbs(op, it->service, &c, tbs, it->request->terms));
    it->explained = true;
    return FAIL(op, KW_E_STATE, "explained, not signed");
}

static kw_status look_at(struct kw_op *op, struct kw_span tbs, void *ctx)
{
    struct looked_at *looked = ctx;

    digest_sha256(tbs, looked->it->tbs_sha256);
    kw_status status = lint_before_signing(op, tbs, &looked->subject);
    return looked->it->request->asked ? lint_as_refusal(op, status) : status;
}

static kw_status build(struct kw_op *op, struct issuance *it, struct kw_bytes **ret)
{
    struct store_cert *cert = it->cert;
    struct urls urls;
    struct looked_at looked = {
        .subject = {.profile = &it->profile->data, .issuer = it->ca->cert},
          .it = it
    };
    struct cert_spec spec = {
        .issuer_dn = cert_subject(it->ca->cert),
        .subject_dn = it->request->subject,
        .serial = KW_SPAN(cert->serial, cert->serial_len),
        .not_before = cert->not_before,
        .not_after = cert->not_after,
        .key = it->request->key,
        .issuer_key = cert_public(it->ca->cert),
        .path_len = -1,
        .ocsp_nocheck = it->profile->data.ocsp_nocheck,
        .check = it->request->terms ? explain_instead : look_at,
        .check_ctx = &looked,
    };

    TRY(op, profile_key_usage(&it->profile->data, &spec.key_usage), "profile '%s'",
        it->request->profile);
    fill_urls(it, &urls, &spec);
    fill_lists(it, &spec);
    return cert_build(op, &spec, it->signer, ret);
}

/* A certificate that names no list is on the whole one alone. */
static void choose_list(struct issuance *it)
{
    struct store_cert *cert = it->cert;
    struct kw_span serial = KW_SPAN(cert->serial, cert->serial_len);

    cert->shard = it->profile->data.crl_url
                      ? crl_shard_for(it->service, it->ca, serial, cert->not_after)
                      : SHARD_WHOLE;
}

static kw_status sign_once(struct kw_op *op, struct issuance *it, struct kw_bytes **ret)
{
    TRY(op, serials_take(op, it->service, it->ca, it->cert->serial));
    it->cert->serial_len = KW_SERIAL_BYTES;
    choose_list(it);
    return build(op, it, ret);
}

/* No serial number is taken: one of the same length stands for it. */
static kw_status explain(struct kw_op *op, struct issuance *it)
{
    AUTO(kw_bytes) *none = NULL;

    memset(it->cert->serial, 0x55, KW_SERIAL_BYTES);
    it->cert->serial_len = KW_SERIAL_BYTES;
    choose_list(it);
    kw_status status = build(op, it, &none);
    if (!it->explained) {
        return status;
    }
    kw_op_clear(op);
    return KW_OK;
}

/* A keeper that was restarted has forgotten the serials it had handed out: then once more with
 * fresh ones. */
static kw_status sign(struct kw_op *op, struct issuance *it, struct kw_bytes **ret)
{
    kw_status status = sign_once(op, it, ret);

    if (status.code != KW_E_DENIED) {
        return status;
    }
    kw_op_clear(op);
    serials_drop(it->service, it->ca);
    return sign_once(op, it, ret);
}

/* As the profile says, but never beyond the CA's own end. */
static int64_t end_of(const struct issuance *it, int64_t not_before)
{
    int64_t wanted = profile_not_after(&it->profile->data, not_before);
    int64_t last = cert_not_after(it->ca->cert);

    return wanted == KW_TIME_NEVER || wanted < last ? wanted : last;
}

static void describe_cert(struct issuance *it)
{
    struct store_cert *cert = it->cert;
    const struct issue_request *request = it->request;
    int64_t now_ms = os_clock_unix_ms();

    memset(cert, 0, offsetof(struct store_cert, der));
    KW_TEXT_SET(cert->ca, it->ca->id);
    KW_TEXT_SET(cert->owner, request->owner);
    KW_TEXT_SET(cert->profile, request->profile);
    memcpy(cert->pubkey, pubkey_id(request->key), KW_HASH_BYTES);
    if (request->csr_sha256) {
        memcpy(cert->csr, request->csr_sha256, KW_HASH_BYTES);
    }
    cert->not_before = now_ms / 1000 - BACKDATE_S;
    cert->not_after = end_of(it, cert->not_before);
    cert->state = CERT_STATE_VALID;
    cert->issued_ms = now_ms;
    dn_text(request->subject, cert->subject, sizeof(cert->subject));
}

static void describe_key(struct issuance *it)
{
    const struct issue_request *request = it->request;
    struct store_pubkey *key = &it->key;

    memcpy(key->id, it->cert->pubkey, KW_HASH_BYTES);
    KW_TEXT_SET(key->owner, request->owner);
    KW_TEXT_SET(key->profile, request->profile);
    key->class_ = key_class_from_text(it->profile->data.key_class);
    key->state = KEY_ACTIVE;
    KW_TEXT_SET(key->alg, key_alg_text(pubkey_alg(request->key)));
    KW_TEXT_SET(key->custody, request->custody ? request->custody : "unknown");
    key->created_ms = key->state_ms = it->cert->issued_ms;
}

static kw_status keep_der(struct kw_op *op, struct issuance *it, struct kw_span der)
{
    ENSURE(op, der.p && der.len <= sizeof(it->cert->der), KW_E_TOO_LARGE,
           "the certificate has %zu octets", der.len);
    memcpy(it->cert->der, der.p, der.len);
    it->cert->der_len = (uint32_t)der.len;
    digest_sha256(der, it->cert->fingerprint);
    return KW_OK;
}

static kw_status record_issue(struct kw_op *op, struct store_txn *txn, const struct issuance *it)
{
    const struct store_cert *cert = it->cert;
    char key[2 * KW_HASH_BYTES + 1], until[KW_TIME_TEXT];
    char fingerprint[2 * KW_HASH_BYTES + 1];
    struct event event = {.type = it->request->event};

    memcpy(event.digest, it->tbs_sha256, KW_HASH_BYTES);
    KW_TEXT_SET(event.key, it->ca->key_id);
    if (it->request->through) {
        (void)snprintf(event.source, sizeof(event.source), "keywrightd through %.70s",
                       it->request->through);
    }
    kw_hex(KW_SPAN_ARRAY(cert->pubkey), key, sizeof(key));
    kw_hex(KW_SPAN_ARRAY(cert->fingerprint), fingerprint, sizeof(fingerprint));
    object_write_cert(cert->ca, KW_SPAN(cert->serial, cert->serial_len), event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "%.80s for %.95s, key %.64s, until %s, certificate %.64s, list %u",
                   cert->profile, cert->owner, key, kw_time_text(cert->not_after, until),
                   fingerprint, cert->shard);
    return service_record(op, it->service, txn, &event);
}

static kw_status record(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct issuance *it = ctx;

    if (it->request->within) {
        TRY(op, it->request->within(op, txn, it->request->within_ctx));
    }
    if (!it->request->same_key) {
        TRY(op, store_pubkey_insert(op, txn, &it->key),
            "this public key was used before; make a new key");
    }
    TRY(op, store_cert_insert(op, txn, it->cert));
    return record_issue(op, txn, it);
}

kw_status authority_issue(struct kw_op *op, struct service *service,
                          const struct issue_request *request, struct store_cert *ret)
{
    AUTO(authorities) *all = service_authorities(service);
    struct issuance it = {.service = service, .request = request, .all = all, .cert = ret};
    AUTO(kw_bytes) *der = NULL;

    TRY(op, log_gap_refuse(op, service)); /* before anything is signed */
    TRY(op, service_profile(op, service, request->profile, &it.profile));
    TRY(op, find_ca(op, &it));
    TRY(op, terms_check(op, request->terms, &at_key_algs, check_key(op, &it)));
    TRY(op, terms_check(op, request->terms, &at_quality, quality_check(op, service, request->key)));
    describe_cert(&it);
    describe_key(&it);
    if (request->terms) {
        return explain(op, &it);
    }
    TRY(op, sign(op, &it, &der), "signing with CA '%s'", it.ca->id);
    TRY(op, keep_der(op, &it, kw_bytes_span(der)));
    TRY(op, store_change(op, service->store, record, &it), "recording the certificate");
    return KW_OK;
}
