#include "service/keys/ca.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/pem.h"
#include "base/time.h"
#include "crypto/csr.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authority/chain.h"
#include "service/keys/ca_birth.h"
#include "service/keys/line.h"
#include "service/keys/own.h"
#include "service/keys/rotate.h"
#include "service/validation/crl_maker.h"

enum { BACKDATE_S = 60, PEM_ROOM = 8192 };

static void line_of(const char *base, char line[KW_NAME_MAX])
{
    (void)snprintf(line, KW_NAME_MAX, "ca-%.80s", base);
}

/* --- the request ------------------------------------------------------------------------------ */

kw_status ca_newest_key(struct kw_op *op, struct service *service, const char *base,
                        struct keeper_key_info *ret)
{
    char line[KW_NAME_MAX];

    line_of(base, line);
    return line_newest(op, service, line, /* states= */ 0, ret);
}

static bool has_cert(const struct authorities *all, const struct keeper_key_info *key)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (strcmp(all->at[i].key_id, key->key_id) == 0) {
            return true;
        }
    }
    return false;
}

static kw_status put_request(struct kw_op *op, struct service *service, const struct ca *ca,
                             const struct keeper_key_info *key, struct kw_bytes *into)
{
    AUTO(privkey) *asker = NULL;
    AUTO(kw_bytes) *csr = NULL;

    TRY(op, keeper_privkey(op, service_keeper(service, key->key_id), key->key_id,
                           KEEPER_SIGN_CERT_REQUEST, NULL, &asker));
    TRY(op, csr_build(op, cert_subject(ca->cert), asker, &csr), "request of key '%s'", key->key_id);
    TRY(op, kw_pem_encode("CERTIFICATE REQUEST", kw_bytes_span(csr), into));
    return kw_pem_encode("CERTIFICATE", cert_der(ca->cert), into);
}

/* ISO 15118-2 gives a path a root and two CAs at most, so no link certificate fits into one; its
 * parties learn of a root by other ways. */
static kw_status refuse_offline(struct kw_op *op, const struct service *service, const char *name)
{
    const struct authority *one = plan_find(&service->plan, name);

    ENSURE(op, !one || authority_kind_of(one) == AUTHORITY_ISSUING, KW_E_STATE,
           "'%s' is a trade's %s: its next key is another tree, of a ceremony of its own; see "
           "docs/PROFILES.md, 'A trade's tree ends'",
           name, authority_kind_of(one) == AUTHORITY_ROOT ? "root" : "offline CA");
    return KW_OK;
}

kw_status ca_request(struct kw_op *op, struct service *service, const char *base,
                     const char *reason, uint64_t approval_id, struct kw_bytes **ret)
{
    AUTO(authorities) *all = service_authorities(service);
    struct keeper_key_info key, next;
    const struct ca *ca = NULL;
    AUTO(kw_bytes) *pem = NULL;

    (void)reason; /* the approval's, where there is one */
    TRY(op, refuse_offline(op, service, base));
    TRY(op, authorities_issuing(op, all, base, &ca));
    TRY(op, chain_room_for_key(op, all, os_clock_unix_s(), /* first= */ false), "CA '%s'", base);
    TRY(op, ca_newest_key(op, service, base, &key));
    if (has_cert(all, &key)) {
        TRY(op, key_rotate(op, service, key.key_id, approval_id, &next));
        key = next;
    }
    TRY(op, kw_bytes_new(PEM_ROOM, &pem));
    TRY(op, put_request(op, service, ca, &key, pem));
    *ret = TAKE(pem);
    return KW_OK;
}

/* --- cross certificates ----------------------------------------------------------------------- */

/* How long a key's word counts at all. */
static kw_status end_of(struct kw_op *op, struct service *service, const struct ca *ca,
                        int64_t *ret)
{
    struct key_policy policy;

    TRY(op, keeper_key_policy(op, service_keeper(service, ca->key_id), ca->key_id, &policy));
    *ret = policy.processing_until > policy.not_after ? policy.processing_until : policy.not_after;
    return KW_OK;
}

static kw_status record_cross(struct kw_op *op, struct service *service, const struct ca *signer,
                              const struct ca *subject, const uint8_t serial[KW_SERIAL_BYTES],
                              int64_t not_after, struct kw_span der)
{
    struct event event = {.type = EVENT_CERT_ISSUE};
    char until[KW_TIME_TEXT];

    TRY(op, cert_tbs_sha256(op, der, event.digest));
    KW_TEXT_SET(event.key, signer->key_id);
    object_write_cert(signer->id, KW_SPAN(serial, KW_SERIAL_BYTES), event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "cross certificate for key '%.80s' by key '%.80s', until %s", subject->key_id,
                   signer->key_id, kw_time_text(not_after, until));
    return service_record_alone(op, service, &event);
}

static kw_status make_cross(struct kw_op *op, struct service *service, const struct ca *signer,
                            const struct ca *subject)
{
    uint8_t serial[1][KW_SERIAL_BYTES];
    char name[KW_NAME_MAX];
    int64_t end_s = 0, other_s = 0;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, end_of(op, service, signer, &end_s));
    TRY(op, end_of(op, service, subject, &other_s));
    TRY(op, keeper_serials(op, service_keeper(service, signer->key_id), signer->key_id, 1, serial));
    TRY(op, keeper_privkey(op, service_keeper(service, signer->key_id), signer->key_id,
                           KEEPER_SIGN_CROSS, NULL, &key));
    struct cert_spec spec = {
        .issuer_dn = cert_subject(signer->cert),
        .subject_dn = cert_subject(subject->cert),
        .serial = KW_SPAN_ARRAY(serial[0]),
        .not_before = os_clock_unix_s() - BACKDATE_S,
        .not_after = end_s < other_s ? end_s : other_s,
        .key = cert_public(subject->cert),
        .issuer_key = cert_public(signer->cert),
        .is_ca = true,
        .path_len = 0,
        .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
    };
    TRY(op, cert_build(op, &spec, key, &der));
    TRY(op,
        record_cross(op, service, signer, subject, serial[0], spec.not_after, kw_bytes_span(der)));
    authorities_cross_name(signer, subject, name);
    return service_cert_save(op, service, name, kw_bytes_span(der));
}

/* A keeper that holds both lines made the new key itself; another is shown the old key's word. */
static kw_status tell_ocsp(struct kw_op *op, struct service *service, const struct ca *old,
                           const struct ca *new_)
{
    struct keeper_key_info signer;
    char line[KW_NAME_MAX], name[KW_NAME_MAX];
    AUTO(cert) *cross = NULL;

    (void)snprintf(line, sizeof(line), "ocsp-%.80s", new_->base);
    if (service_keeper(service, new_->key_id) == service_keeper(service, line)) {
        return KW_OK;
    }
    TRY(op, line_newest(op, service, line, 1u << KEY_ACTIVE, &signer));
    authorities_cross_name(old, new_, name);
    TRY(op, service_cert_load(op, service, name, &cross));
    return keeper_ocsp_issuer(op, service_keeper(service, signer.key_id), signer.key_id,
                              cert_public(old->cert), cert_der(cross));
}

/* The key before; NULL: it is the CA's first. */
static const struct ca *key_before(const struct authorities *all, const struct ca *new_)
{
    const struct ca *old = NULL;

    for (unsigned i = 0; i < all->n; i++) {
        const struct ca *ca = &all->at[i];
        if (strcmp(ca->base, new_->base) == 0 && ca->generation < new_->generation &&
            (!old || ca->generation > old->generation)) {
            old = ca;
        }
    }
    return old;
}

/* An old key that was taken back is vouched for by nobody; its own word for the new one is for OCSP
 * signers alone. */
static void last_cross_name(const struct ca *old, const struct ca *new_, char name[KW_NAME_MAX])
{
    if (ca_is_taken_back(old)) {
        authorities_cross_name(old, new_, name);
    } else {
        authorities_cross_name(new_, old, name);
    }
}

static kw_status has_crosses(struct kw_op *op, struct service *service,
                             const struct authorities *all, const struct ca *new_, bool *ret)
{
    const struct ca *old = key_before(all, new_);
    char name[KW_NAME_MAX];
    AUTO(cert) *last = NULL;

    *ret = true;
    if (!old) {
        return KW_OK;
    }
    last_cross_name(old, new_, name);
    kw_status status = service_cert_load(op, service, name, &last);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        *ret = false;
        return KW_OK;
    }
    return status;
}

/* A key that was revoked signs nothing, and nobody vouches for it. */
static kw_status is_hurt(struct kw_op *op, struct service *service, const struct ca *ca, bool *ret)
{
    struct keeper_key_life life;

    TRY(op, keeper_key_history(op, service_keeper(service, ca->key_id), ca->key_id, &life),
        "key '%s'", ca->key_id);
    *ret = life.state != KEY_ACTIVE && life.state != KEY_DEACTIVATED;
    return KW_OK;
}

/* Old with new and new with old (RFC 4210 section 4.4). */
static kw_status make_crosses(struct kw_op *op, struct service *service, const char *id)
{
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *new_ = NULL;

    TRY(op, authorities_find(op, all, id, &new_));
    const struct ca *old = key_before(all, new_);
    bool hurt = true;
    if (old) {
        TRY(op, is_hurt(op, service, old, &hurt));
    }
    if (hurt) {
        return KW_OK;
    }
    TRY(op, make_cross(op, service, old, new_), "cross certificate of '%s' by '%s'", new_->id,
        old->id);
    TRY(op, tell_ocsp(op, service, old, new_), "telling the OCSP signer of '%s'", new_->base);
    return ca_is_taken_back(old) ? KW_OK : make_cross(op, service, new_, old);
}

/* --- installing ------------------------------------------------------------------------------- */

/* Everything that bounds a CA must be as it was: the root decides that with the file in hand, and
 * here it is looked at again. */
static bool bounds_equal(const struct cert *a, const struct cert *b)
{
    return cert_is_ca(b) && cert_path_len(a) == cert_path_len(b) &&
           cert_key_usage(a) == cert_key_usage(b) && cert_ext_present(a) == cert_ext_present(b) &&
           cert_ext_critical(a) == cert_ext_critical(b);
}

/* The CA that issues under the certificate's name; NULL: none of ours. */
static const struct ca *find_base(const struct authorities *all, const struct cert *cert)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (all->at[i].issues && kw_span_equal(cert_subject(all->at[i].cert), cert_subject(cert))) {
            return &all->at[i];
        }
    }
    return NULL;
}

/* An install that was cut (or whose OCSP signers' vault was away) left the certificate and not what
 * belongs to it: the same again ends it. NULL: it is new. */
static kw_status find_cut(struct kw_op *op, struct service *service, const struct authorities *all,
                          const struct cert *cert, const struct ca **ret)
{
    bool whole = false;

    for (unsigned i = 0; i < all->n; i++) {
        if (kw_span_equal(cert_der(all->at[i].cert), cert_der(cert))) {
            TRY(op, has_crosses(op, service, all, &all->at[i], &whole));
            ENSURE(op, !whole, KW_E_CONFLICT, "this certificate of CA '%s' is in use already",
                   all->at[i].id);
            *ret = &all->at[i];
        }
    }
    return KW_OK;
}

static kw_status check(struct kw_op *op, struct service *service, const struct authorities *all,
                       const struct cert *cert, struct keeper_key_info *ret_key)
{
    TRY(op, ca_birth_check(op, service, all, cert, ret_key));
    if (ret_key->key_id[0]) { /* a further CA's first one */
        return chain_room_for_key(op, all, os_clock_unix_s(), /* first= */ true);
    }
    TRY(op, chain_room_for_key(op, all, os_clock_unix_s(), /* first= */ false));
    const struct ca *ca = find_base(all, cert);
    ENSURE(op, ca, KW_E_INPUT, "the certificate has the name of no CA of ours");
    TRY(op, ca_newest_key(op, service, ca->base, ret_key));
    ENSURE(
        op,
        kw_span_equal(pubkey_spki(cert_public(cert)), KW_SPAN(ret_key->spki, ret_key->spki_len)) &&
            !has_cert(all, ret_key),
        KW_E_INPUT, "the certificate is not for the next key of CA '%s'; see 'ca rotate'",
        ca->base);
    TRY(op, authorities_verify(op, all, cert), "the certificate is not by one of our roots");
    ENSURE(op, bounds_equal(ca->cert, cert), KW_E_INPUT,
           "the certificate is not bounded as the present one of CA '%s'", ca->base);
    return KW_OK;
}

static kw_status record_install(struct kw_op *op, struct service *service,
                                const struct keeper_key_info *key, const struct cert *cert)
{
    struct event event = {.type = EVENT_KEY_ACTIVATE};
    char hex[2 * KW_HASH_BYTES + 1], until[KW_TIME_TEXT];

    kw_hex(KW_SPAN(cert_sha256(cert), KW_HASH_BYTES), hex, sizeof(hex));
    object_write(OBJECT_KEY, key->key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "the CA issues by key '%.80s', certificate %s until %s", key->key_id, hex,
                   kw_time_text(cert_not_after(cert), until));
    return service_record_alone(op, service, &event);
}

/* Its certificate, whole and in the set. */
static kw_status put(struct kw_op *op, struct service *service, const struct authorities *all,
                     const struct cert *cert, char ret_id[KW_NAME_MAX])
{
    struct keeper_key_info key;

    TRY(op, check(op, service, all, cert, &key));
    (void)snprintf(ret_id, KW_NAME_MAX, "%.90s", key.key_id + strlen("ca-"));
    TRY(op, record_install(op, service, &key, cert));
    TRY(op, service_cert_save(op, service, key.key_id, cert_der(cert)));
    TRY(op, own_reload(op, service));
    crl_maker_wake(service, ret_id);
    return KW_OK;
}

/* With service->rotation held. The new key issues once its OCSP signer is delegated (keys_settle).
 */
static kw_status install(struct kw_op *op, struct service *service, const struct cert *cert,
                         char ret_id[KW_NAME_MAX])
{
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *cut = NULL;

    TRY(op, find_cut(op, service, all, cert, &cut));
    if (cut) {
        (void)snprintf(ret_id, KW_NAME_MAX, "%s", cut->id);
    } else {
        TRY(op, put(op, service, all, cert, ret_id));
    }
    TRY(op, make_crosses(op, service, ret_id));
    return own_reload(op, service);
}

kw_status ca_install(struct kw_op *op, struct service *service, struct kw_span pem,
                     char ret_id[KW_NAME_MAX])
{
    unsigned n = 0;
    AUTO(cert) *cert = NULL;

    kw_status read = cert_parse_pem(op, pem, &cert, 1, &n);
    ENSURE(op, read.code != KW_E_NOT_FOUND, KW_E_INPUT, "there is no certificate in PEM");
    TRY(op, read, "the CA's new certificate");
    pthread_mutex_lock(&service->rotation);
    kw_status status = install(op, service, cert, ret_id);
    pthread_mutex_unlock(&service->rotation);
    TRY(op, status);
    return keys_settle(op, service, os_clock_unix_s());
}
