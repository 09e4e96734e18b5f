#include "service/authorities.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/dn.h"
#include "os/clock.h"
#include "service/authorities_internal.h"
#include "service/validation/ocsp_responder.h"

/* A line has gaps where a rotation was cut; certificates are looked for up to here. */
enum { GENERATIONS_MAX = 32 };

/* --- the set ---------------------------------------------------------------------------------- */

struct authorities *service_authorities(struct service *service)
{
    pthread_mutex_lock(&service->authorities_lock);
    struct authorities *all = service->authorities;
    if (all) {
        atomic_fetch_add(&all->refs, 1);
    }
    pthread_mutex_unlock(&service->authorities_lock);
    return all;
}

static void ca_done(struct ca *ca)
{
    cert_unref(ca->cert);
    cert_unref(ca->ocsp_cert);
    privkey_unref(ca->crl_key);
    privkey_unref(ca->ocsp_key);
}

void authorities_unref(struct authorities *all)
{
    if (!all || atomic_fetch_sub(&all->refs, 1) != 1) {
        return;
    }
    for (unsigned i = 0; i < SERVICE_PROFILES_MAX; i++) {
        for (unsigned ca = 0; ca < all->n; ca++) {
            privkey_unref(all->signs[i][ca]);
        }
    }
    for (unsigned i = 0; i < all->n; i++) {
        ca_done(&all->at[i]);
    }
    for (unsigned i = 0; i < all->n_cross; i++) {
        cert_unref(all->cross[i].cert);
    }
    privkey_unref(all->cmp_key);
    cert_unref(all->cmp_cert);
    for (unsigned i = 0; i < all->n_above; i++) {
        cert_unref(all->above[i].cert);
    }
    authorities_free_roots(all);
    free(all);
}

/* --- binding ---------------------------------------------------------------------------------- */

kw_status service_key_of(struct kw_op *op, struct service *service, enum key_class class_,
                         const struct pubkey *key, struct keeper_key_info *ret)
{
    struct kw_span spki = pubkey_spki(key);

    struct service_key_walk walk = {0};
    for (;;) {
        TRY(op, service_key_next(op, service, &walk, ret),
            "no key of class %s fits the certificate", key_class_text(class_));
        if (ret->class_ == class_ && kw_span_equal(KW_SPAN(ret->spki, ret->spki_len), spki)) {
            return KW_OK;
        }
    }
}

/* A delegated OCSP signer is optional: a ceremony issues it after the CA exists. */
static kw_status bind_ocsp(struct kw_op *op, struct service *service, struct ca *ca)
{
    char name[KW_NAME_MAX];
    struct keeper_key_info key;

    (void)snprintf(name, sizeof(name), "ocsp-%.80s", ca->id);
    kw_status status = service_cert_load(op, service, name, &ca->ocsp_cert);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    TRY(op, service_key_of(op, service, KEY_CLASS_OCSP_SIGNER, cert_public(ca->ocsp_cert), &key),
        "certs/%s.pem", name);
    KW_TEXT_SET(ca->ocsp_key_id, key.key_id);
    return keeper_privkey(op, service_keeper(service, ca->ocsp_key_id), ca->ocsp_key_id,
                          KEEPER_SIGN_OCSP, NULL, &ca->ocsp_key);
}

/* So is the signer of CMP answers. */
static kw_status bind_cmp(struct kw_op *op, struct service *service, struct authorities *all)
{
    struct keeper_key_info key;
    kw_status status = service_cert_load(op, service, "cmp-signer", &all->cmp_cert);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    TRY(op, service_key_of(op, service, KEY_CLASS_CMP, cert_public(all->cmp_cert), &key),
        "certs/cmp-signer.pem");
    return keeper_privkey(op, service_keeper(service, key.key_id), key.key_id, KEEPER_SIGN_CMP,
                          NULL, &all->cmp_key);
}

/* ca: named, with its certificate. */
static kw_status bind_ca(struct kw_op *op, struct service *service, struct ca *ca)
{
    AUTO(pubkey) *key = NULL;

    dn_text(cert_subject(ca->cert), ca->subject, sizeof(ca->subject));
    TRY(op, keeper_key_public(op, service_keeper(service, ca->key_id), ca->key_id, &key),
        "key of CA '%s'", ca->id);
    ENSURE(op, pubkey_equal(key, cert_public(ca->cert)), KW_E_INTEGRITY,
           "the certificate of CA '%s' is not for the keeper's key '%s'", ca->id, ca->key_id);
    TRY(op, keeper_privkey(op, service_keeper(service, ca->key_id), ca->key_id, KEEPER_SIGN_CRL,
                           NULL, &ca->crl_key));
    return bind_ocsp(op, service, ca);
}

static void name_ca(struct ca *ca, const char *base, unsigned generation)
{
    char suffix[16] = "";

    if (generation > 1) {
        (void)snprintf(suffix, sizeof(suffix), ".%u", generation);
    }
    KW_TEXT_SET(ca->base, base);
    ca->generation = generation;
    (void)snprintf(ca->id, sizeof(ca->id), "%.80s%s", base, suffix);
    (void)snprintf(ca->key_id, sizeof(ca->key_id), "ca-%.80s%s", base, suffix);
}

/* One generation into the set. KW_E_NOT_FOUND where it has no certificate. */
static kw_status add_ca(struct kw_op *op, struct service *service, struct authorities *all,
                        const char *base, unsigned generation)
{
    AUTO(cert) *cert = NULL;
    struct ca *ca = &all->at[all->n];

    ENSURE(op, all->n < SERVICE_CAS_MAX, KW_E_LIMIT, "more than %d keys of issuing CAs",
           SERVICE_CAS_MAX);
    name_ca(ca, base, generation);
    TRY(op, service_cert_load(op, service, ca->key_id, &cert));
    ca->cert = TAKE(cert);
    ca->index = all->n++;
    return bind_ca(op, service, ca);
}

static bool is_in(const struct authorities *all, const char *base, unsigned generation)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (all->at[i].generation == generation && strcmp(all->at[i].base, base) == 0) {
            return true;
        }
    }
    return false;
}

/* Those are there; a further one is planned until its certificate was installed. */
static bool of_ceremony(const struct service *service, const char *base)
{
    for (unsigned i = 0; i < service->config.n_cas; i++) {
        if (strcmp(service->config.cas[i], base) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_planned(const struct plan *plan, const char *base)
{
    const struct authority *authority = plan_find(plan, base);

    return authority && authority_kind_of(authority) == AUTHORITY_ISSUING;
}

static kw_status add_if_there(struct kw_op *op, struct service *service, struct authorities *all,
                              const char *base, unsigned generation)
{
    if (is_in(all, base, generation)) {
        return KW_OK;
    }
    kw_status status = add_ca(op, service, all, base, generation);
    if (status.code == KW_E_NOT_FOUND && (generation > 1 || !of_ceremony(service, base))) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status, "CA '%s'", base);
    return KW_OK;
}

static kw_status add_generations(struct kw_op *op, struct service *service, struct authorities *all,
                                 const char *base)
{
    for (unsigned generation = 1; generation <= GENERATIONS_MAX; generation++) {
        TRY(op, add_if_there(op, service, all, base, generation));
    }
    return KW_OK;
}

/* Those of the set before keep their places (CRLs and serial numbers are kept by place); new ones
 * come behind. */
static kw_status add_cas(struct kw_op *op, struct service *service, const struct authorities *old,
                         struct authorities *all)
{
    for (unsigned i = 0; old && i < old->n; i++) {
        TRY(op, add_ca(op, service, all, old->at[i].base, old->at[i].generation), "CA '%s'",
            old->at[i].id);
    }
    for (unsigned i = 0; i < service->config.n_cas; i++) {
        TRY(op, add_generations(op, service, all, service->config.cas[i]));
    }
    for (unsigned i = 0; i < service->plan.n; i++) {
        if (authority_kind_of(&service->plan.at[i]) == AUTHORITY_ISSUING) {
            TRY(op, add_generations(op, service, all, service->plan.at[i].name));
        }
    }
    return KW_OK;
}

/* --- offline authorities ---------------------------------------------------------------------- */

void authorities_above_file(const char *name, char file[KW_NAME_MAX])
{
    (void)snprintf(file, KW_NAME_MAX, strcmp(name, "root") == 0 ? "%.80s" : "above-%.80s", name);
}

static kw_status add_above(struct kw_op *op, struct service *service, struct authorities *all,
                           const char *name)
{
    struct above *above = &all->above[all->n_above];
    char file[KW_NAME_MAX];

    authorities_above_file(name, file);
    kw_status status = service_cert_load(op, service, file, &above->cert);
    if (status.code == KW_E_NOT_FOUND) { /* planned, not made yet */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    KW_TEXT_SET(above->name, name);
    dn_text(cert_subject(above->cert), above->subject, sizeof(above->subject));
    all->n_above++;
    return KW_OK;
}

static kw_status load_above(struct kw_op *op, struct service *service, struct authorities *all)
{
    all->plan = &service->plan;
    TRY(op, authorities_load_roots(op, service, all));
    for (unsigned i = 0; i < all->plan->n; i++) {
        const struct authority *one = &all->plan->at[i];
        if (authority_kind_of(one) != AUTHORITY_ISSUING && strcmp(one->name, "root") != 0) {
            TRY(op, add_above(op, service, all, one->name));
        }
    }
    return KW_OK;
}

const struct cert *authorities_above(const struct authorities *all, const char *name)
{
    const struct root *root = authorities_root_find(all, name);

    if (root) {
        return root->cert;
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        if (strcmp(all->above[i].name, name) == 0) {
            return all->above[i].cert;
        }
    }
    return NULL;
}

void authorities_tops(const struct authorities *all, struct authorities_tops *ret)
{
    *ret = (struct authorities_tops){0};
    ret->n_roots = authorities_trusted(all, ret->roots);
    for (unsigned i = 0; i < all->n_above; i++) {
        const struct authority *one = plan_find(all->plan, all->above[i].name);
        if (authority_kind_of(one) == AUTHORITY_ROOT) {
            ret->roots[ret->n_roots++] = all->above[i].cert;
        } else {
            ret->between[ret->n_between++] = all->above[i].cert;
        }
    }
}

kw_status authorities_verify(struct kw_op *op, const struct authorities *all,
                             const struct cert *cert)
{
    struct authorities_tops tops;

    authorities_tops(all, &tops);
    return cert_verify_path(op, cert, tops.between, tops.n_between, tops.roots, tops.n_roots, NULL,
                            os_clock_unix_s());
}

/* Of two keys of one CA: the later one, once it can tell what becomes of its certificates. */
static bool is_before(const struct ca *a, const struct ca *b)
{
    if (!a->ocsp_cert != !b->ocsp_cert) {
        return !a->ocsp_cert;
    }
    return a->generation < b->generation;
}

static void mark_issuing(struct authorities *all)
{
    for (unsigned i = 0; i < all->n; i++) {
        all->at[i].issues = true;
        for (unsigned k = 0; k < all->n; k++) {
            if (strcmp(all->at[k].base, all->at[i].base) == 0 &&
                is_before(&all->at[i], &all->at[k])) {
                all->at[i].issues = false;
            }
        }
    }
}

/* A profile for any CA ("*", the OCSP signer's) is bound to the older generations too: who answers
 * for a CA has its certificate from that very key (RFC 6960 section 4.2.2.2). */
static kw_status bind_profile(struct kw_op *op, struct service *service, struct authorities *all,
                              unsigned i)
{
    const struct profile *profile = &service->profiles[i].data;
    bool any = strcmp(profile->ca, "*") == 0, found = false;

    for (unsigned k = 0; k < all->n; k++) {
        const struct ca *ca = &all->at[k];
        if (!any && (!ca->issues || strcmp(profile->ca, ca->base) != 0)) {
            continue;
        }
        found = true;
        TRY(op, keeper_privkey(op, service_keeper(service, ca->key_id), ca->key_id,
                               KEEPER_SIGN_CERT, profile->name, &all->signs[i][k]));
    }
    ENSURE(op, found || is_planned(all->plan, profile->ca), KW_E_INPUT,
           "profile '%s' names CA '%s', which is not configured", profile->name, profile->ca);
    return KW_OK;
}

static kw_status load(struct kw_op *op, struct service *service, struct authorities *all)
{
    AUTO(authorities) *old = service_authorities(service);

    TRY(op, load_above(op, service, all));
    TRY(op, add_cas(op, service, old, all));
    TRY(op, authorities_load_lists(op, service, all));
    TRY(op, authorities_load_crosses(op, service, all));
    mark_issuing(all);
    TRY(op, bind_cmp(op, service, all));
    for (unsigned i = 0; i < service->n_profiles; i++) {
        TRY(op, bind_profile(op, service, all, i));
    }
    return KW_OK;
}

/* The server's own certificates end too: /metrics and the journal tell when, before devices notice.
 */
static kw_status note_own_end(struct kw_op *op, struct service *service,
                              const struct authorities *all)
{
    AUTO(cert) *tls = NULL;
    kw_status status = service_cert_load(op, service, "tls-server", &tls);

    if (status.code == KW_E_NOT_FOUND) { /* in a ceremony */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    int64_t end_s = cert_not_after(tls);
    for (unsigned i = 0; i < all->n; i++) {
        const struct cert *ocsp = all->at[i].ocsp_cert;
        end_s = ocsp && cert_not_after(ocsp) < end_s ? cert_not_after(ocsp) : end_s;
    }
    if (all->cmp_cert && cert_not_after(all->cmp_cert) < end_s) {
        end_s = cert_not_after(all->cmp_cert);
    }
    atomic_store(&service->own_certs_end_s, end_s);
    return KW_OK;
}

kw_status service_bind_cas(struct kw_op *op, struct service *service)
{
    AUTO(authorities) *all = calloc(1, sizeof(*all));

    ENSURE(op, all, KW_E_MEMORY, "no memory for the CAs");
    atomic_init(&all->refs, 1);
    TRY(op, load(op, service, all));
    TRY(op, note_own_end(op, service, all));
    pthread_mutex_lock(&service->authorities_lock);
    struct authorities *old = service->authorities;
    service->authorities = TAKE(all);
    pthread_mutex_unlock(&service->authorities_lock);
    authorities_unref(old);
    ocsp_cache_forget(service); /* a new signer signs anew */
    return KW_OK;
}

/* --- finding ---------------------------------------------------------------------------------- */

kw_status authorities_find(struct kw_op *op, const struct authorities *all, const char *id,
                           const struct ca **ret)
{
    for (unsigned i = 0; all && i < all->n; i++) {
        if (strcmp(all->at[i].id, id) == 0) {
            *ret = &all->at[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no CA '%s'", id);
}

kw_status authorities_issuing(struct kw_op *op, const struct authorities *all, const char *base,
                              const struct ca **ret)
{
    for (unsigned i = 0; all && i < all->n; i++) {
        if (all->at[i].issues && strcmp(all->at[i].base, base) == 0) {
            *ret = &all->at[i];
            return KW_OK;
        }
    }
    ENSURE(op, !all || !all->plan || !is_planned(all->plan, base), KW_E_NOT_FOUND,
           "CA '%s' is planned, not made yet; see 'keywright ca create'", base);
    return FAIL(op, KW_E_NOT_FOUND, "no CA '%s'", base);
}

const struct ca *authorities_issuer_of(const struct authorities *all, const struct cert *cert)
{
    struct kw_span name = cert_issuer(cert), key = cert_aki(cert);

    for (unsigned i = 0; all && i < all->n; i++) {
        const struct cert *ca = all->at[i].cert;
        if (kw_span_equal(cert_subject(ca), name) &&
            (key.len == 0 || kw_span_equal(cert_ski(ca), key))) {
            return &all->at[i];
        }
    }
    return NULL;
}

kw_status authorities_signer(struct kw_op *op, const struct service *service,
                             const struct authorities *all, const struct bound_profile *profile,
                             const struct ca *ca, struct privkey **ret)
{
    struct privkey *key = all->signs[profile - service->profiles][ca->index];

    ENSURE(op, key, KW_E_INTERNAL, "CA '%s' has no rule for profile '%s'", ca->id,
           profile->data.name);
    *ret = key;
    return KW_OK;
}
