#include "service/keys/root.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/pem.h"
#include "crypto/crl.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authority/chain.h"
#include "service/keys/ca_birth.h"
#include "service/keys/own.h"

enum { PEM_ROOM = 16384, BUNDLE_MAX = 3 + SERVICE_CAS_MAX + PLAN_MAX };

/* --- what is below the root ------------------------------------------------------------------- */

/* A CA whose certificate the root signed, and its file. */
struct below {
    char file[KW_NAME_MAX];
    struct cert *cert; /* borrowed from the set */
};

static bool is_below(const struct cert *cert, const struct root *root)
{
    return kw_span_equal(cert_issuer(cert), cert_subject(root->cert)) &&
           !kw_span_equal(cert_subject(cert), cert_subject(root->cert));
}

static unsigned list_below(const struct authorities *all, const struct root *root,
                           struct below ret[SERVICE_CAS_MAX + PLAN_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < all->n; i++) {
        if (is_below(all->at[i].cert, root)) {
            ret[n].cert = all->at[i].cert;
            KW_TEXT_SET(ret[n].file, all->at[i].key_id);
            n++;
        }
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        if (is_below(all->above[i].cert, root)) {
            ret[n].cert = all->above[i].cert;
            authorities_above_file(all->above[i].name, ret[n].file);
            n++;
        }
    }
    return n;
}

/* --- the request ------------------------------------------------------------------------------ */

/* One step at a time: what devices have to follow stays short. */
static kw_status check_turn(struct kw_op *op, const struct authorities *all)
{
    ENSURE(op, all->n_roots < AUTHORITIES_ROOTS_MAX, KW_E_LIMIT, "the root had %d keys",
           AUTHORITIES_ROOTS_MAX);
    for (unsigned i = 0; i + 1 < all->n_roots; i++) {
        ENSURE(op, all->roots[i].retired, KW_E_STATE,
               "'%s' is not retired yet; see 'keywright ca retire'", all->roots[i].id);
    }
    return chain_room(op, all, os_clock_unix_s(), /* more: it, and two links= */ 3);
}

/* A name of its own: those who look certificates up by name find each of them. */
static kw_status name_next(struct kw_op *op, struct authority *authority, unsigned generation)
{
    char *last = authority->subject_dn[authority->n_subject_dn - 1];
    size_t len = strlen(last);
    int n = snprintf(last + len, SUBJECT_PART_MAX - len, " G%u", generation);

    ENSURE(op, n > 0 && len + (size_t)n < SUBJECT_PART_MAX, KW_E_INPUT,
           "the root's name is too long for another number");
    return KW_OK;
}

static kw_status put_request(struct kw_op *op, const struct service *service,
                             const struct authorities *all, struct kw_bytes *into)
{
    const struct root *newest = authorities_newest_root(all);
    const struct authority *planned = plan_find(&service->plan, "root");
    struct below below[SERVICE_CAS_MAX + PLAN_MAX];
    unsigned n = list_below(all, newest, below);
    char id[KW_NAME_MAX];

    ENSURE(op, planned, KW_E_NOT_FOUND, "no authority 'root' in the state folder's authorities");
    struct authority authority = *planned;
    TRY(op, name_next(op, &authority, newest->generation + 1));
    authorities_root_id(newest->generation + 1, id);
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(newest->cert), into));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", cert_der(below[i].cert), into));
    }
    return ca_put_description(op, service, &authority, id, into);
}

kw_status root_request(struct kw_op *op, struct service *service, struct kw_bytes **ret)
{
    AUTO(authorities) *all = service_authorities(service);
    AUTO(kw_bytes) *text = NULL;

    TRY(op, check_turn(op, all));
    TRY(op, kw_bytes_new(PEM_ROOM, &text));
    TRY(op, put_request(op, service, all, text));
    *ret = TAKE(text);
    return KW_OK;
}

/* --- installing ------------------------------------------------------------------------------- */

/* What the ceremony made. */
struct bundle {
    unsigned n;
    struct cert *certs[BUNDLE_MAX]; /* the root, new with old, old with new, CAs */
    struct kw_bytes *crl;
    char id[KW_NAME_MAX], old_id[KW_NAME_MAX];
    unsigned n_below;
    struct below below[SERVICE_CAS_MAX + PLAN_MAX]; /* cert: the new one, borrowed from certs */
};

static void bundle_done(struct bundle *it)
{
    for (unsigned i = 0; i < it->n; i++) {
        cert_unref(it->certs[i]);
    }
    kw_bytes_free(it->crl);
}

static kw_status read_bundle(struct kw_op *op, struct kw_span pem, struct bundle *it)
{
    struct kw_span rest = pem;

    kw_status status = cert_parse_pem(op, pem, it->certs, BUNDLE_MAX, &it->n);
    ENSURE(op, status.code != KW_E_NOT_FOUND, KW_E_INPUT, "there is no certificate in PEM");
    TRY(op, status);
    ENSURE(op, it->n >= 3, KW_E_INPUT, "a root and its two link certificates are expected");
    ENSURE(op, kw_ok(kw_pem_next(&rest, "X509 CRL", PEM_ROOM, &it->crl)), KW_E_INPUT,
           "there is no CRL of the root in PEM");
    return KW_OK;
}

static bool is_unlimited(const struct cert *cert)
{
    return cert_is_ca(cert) && cert_path_len(cert) < 0 &&
           !(cert_ext_present(cert) & CERT_EXT_NAME_CONSTRAINTS);
}

static bool is_of(const struct cert *link, const struct cert *root)
{
    return kw_span_equal(cert_subject(link), cert_subject(root)) &&
           pubkey_equal(cert_public(link), cert_public(root)) && is_unlimited(link);
}

static kw_status check_link(struct kw_op *op, const struct cert *link, const struct cert *root,
                            struct cert *by)
{
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    ENSURE(op, is_of(link, root), KW_E_INPUT, "a link certificate is not the root's");
    ENSURE(op, kw_ok(cert_verify_path(&quiet, link, NULL, 0, &by, 1, NULL, os_clock_unix_s())),
           KW_E_DENIED, "a link certificate is not by the other root");
    return KW_OK;
}

static kw_status check_root(struct kw_op *op, struct bundle *it, struct cert *old)
{
    struct cert *root = it->certs[0];
    AUTO(crl) *crl = NULL;

    ENSURE(op, is_of(root, root) && !kw_span_equal(cert_subject(root), cert_subject(old)),
           KW_E_INPUT, "the first certificate is not that of another root");
    TRY(op, cert_verify_path(op, root, NULL, 0, &root, 1, NULL, os_clock_unix_s()),
        "the next root");
    TRY(op, check_link(op, it->certs[1], root, old));
    TRY(op, check_link(op, it->certs[2], old, root));
    TRY(op, crl_parse(op, kw_bytes_span(it->crl), &crl), "the root's CRL");
    TRY(op, crl_verify_signature(op, crl, cert_public(root)), "the root's CRL");
    return KW_OK;
}

/* Everything that bounds a CA must be as it was. */
static bool is_same_ca(const struct cert *a, const struct cert *b)
{
    return kw_span_equal(cert_subject(a), cert_subject(b)) &&
           pubkey_equal(cert_public(a), cert_public(b)) && cert_is_ca(b) &&
           cert_path_len(a) == cert_path_len(b) && cert_key_usage(a) == cert_key_usage(b) &&
           cert_ext_present(a) == cert_ext_present(b) &&
           cert_ext_critical(a) == cert_ext_critical(b);
}

static kw_status find_again(struct kw_op *op, const struct bundle *it, const struct below *before,
                            struct cert **ret)
{
    for (unsigned i = 3; i < it->n; i++) {
        if (is_same_ca(before->cert, it->certs[i])) {
            TRY(op,
                cert_verify_path(op, it->certs[i], NULL, 0, &it->certs[0], 1, NULL,
                                 os_clock_unix_s()),
                "'%s' by the next root", before->file);
            *ret = it->certs[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "the next root has no certificate for '%s' as it is", before->file);
}

static kw_status check_below(struct kw_op *op, const struct authorities *all,
                             const struct root *old, struct bundle *it)
{
    it->n_below = list_below(all, old, it->below);
    for (unsigned i = 0; i < it->n_below; i++) {
        TRY(op, find_again(op, it, &it->below[i], &it->below[i].cert));
    }
    return KW_OK;
}

/* Which step is this? After a cut the new root may be there already. */
static kw_status find_step(struct kw_op *op, const struct authorities *all, struct bundle *it,
                           const struct root **ret_old)
{
    const struct root *newest = authorities_newest_root(all);

    if (newest->generation > 1 && kw_span_equal(cert_der(newest->cert), cert_der(it->certs[0]))) {
        *ret_old = newest - 1;
        ENSURE(op, !newest[-1].retired, KW_E_CONFLICT, "'%s' is in use already", newest->id);
        return KW_OK;
    }
    *ret_old = newest;
    return check_turn(op, all);
}

static kw_status check(struct kw_op *op, const struct authorities *all, struct bundle *it)
{
    const struct root *old = NULL;

    TRY(op, find_step(op, all, it, &old));
    KW_TEXT_SET(it->old_id, old->id);
    authorities_root_id(old->generation + 1, it->id);
    TRY(op, check_root(op, it, old->cert));
    return check_below(op, all, old, it);
}

static kw_status record(struct kw_op *op, struct service *service, enum event_type type,
                        const char *id, const struct cert *cert, const char *says)
{
    struct event event = {.type = type};
    char hex[2 * KW_HASH_BYTES + 1];

    kw_hex(KW_SPAN(cert_sha256(cert), KW_HASH_BYTES), hex, sizeof(hex));
    object_write(OBJECT_CA, id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "%s, certificate %s", says, hex);
    return service_record_alone(op, service, &event);
}

static kw_status put_crl(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct bundle *it = ctx;
    char name[KW_NAME_MAX + 8];

    (void)snprintf(name, sizeof(name), "crl:%.80s", it->id);
    return store_blob_put(op, txn, name, 1, kw_bytes_span(it->crl));
}

/* Whatever is cut here: each file is whole, both roots are trusted from the first of them on that
 * needs it, and the same bundle again ends it. */
static kw_status put_files(struct kw_op *op, struct service *service, struct bundle *it)
{
    char name[KW_NAME_MAX];

    TRY(op, store_change(op, service->store, put_crl, it));
    authorities_link_name(it->old_id, it->id, name);
    TRY(op, service_cert_save(op, service, name, cert_der(it->certs[1])));
    authorities_link_name(it->id, it->old_id, name);
    TRY(op, service_cert_save(op, service, name, cert_der(it->certs[2])));
    TRY(op, service_cert_save(op, service, it->id, cert_der(it->certs[0])));
    for (unsigned i = 0; i < it->n_below; i++) {
        TRY(op, service_cert_save(op, service, it->below[i].file, cert_der(it->below[i].cert)));
    }
    return KW_OK;
}

static kw_status install(struct kw_op *op, struct service *service, struct bundle *it)
{
    AUTO(authorities) *all = service_authorities(service);

    TRY(op, check(op, all, it));
    TRY(op, record(op, service, EVENT_ROOT_INSTALL, it->id, it->certs[0],
                   "the root that signs CAs from now on"));
    TRY(op, put_files(op, service, it));
    return own_reload(op, service);
}

kw_status root_install(struct kw_op *op, struct service *service, struct kw_span pem,
                       char ret_id[KW_NAME_MAX])
{
    __attribute__((cleanup(bundle_done))) struct bundle it = {0};

    TRY(op, read_bundle(op, pem, &it));
    pthread_mutex_lock(&service->rotation);
    kw_status status = install(op, service, &it);
    pthread_mutex_unlock(&service->rotation);
    TRY(op, status);
    memcpy(ret_id, it.id, sizeof(it.id));
    return KW_OK;
}

/* --- retiring --------------------------------------------------------------------------------- */

static kw_status check_unused(struct kw_op *op, const struct authorities *all,
                              const struct root *root)
{
    struct below below[SERVICE_CAS_MAX + PLAN_MAX];

    ENSURE(op, !root->retired, KW_E_STATE, "'%s' is retired already", root->id);
    ENSURE(op, root != authorities_newest_root(all), KW_E_STATE,
           "'%s' has no successor; see 'keywright ca rotate root'", root->id);
    ENSURE(op, list_below(all, root, below) == 0, KW_E_STATE,
           "'%s' has no certificate by the next root; install its bundle again", below[0].file);
    return KW_OK;
}

static kw_status retire(struct kw_op *op, struct service *service, const char *id)
{
    AUTO(authorities) *all = service_authorities(service);
    const struct root *root = authorities_root_find(all, id);
    char name[KW_NAME_MAX];

    ENSURE(op, root, KW_E_NOT_FOUND, "no root '%s'", id);
    TRY(op, check_unused(op, all, root));
    TRY(op, record(op, service, EVENT_ROOT_RETIRE, id, root->cert,
                   "the root is trusted and handed out no more"));
    authorities_retired_name(id, name);
    TRY(op, service_cert_save(op, service, name, cert_der(root->cert)));
    return own_reload(op, service);
}

kw_status root_retire(struct kw_op *op, struct service *service, const char *id)
{
    pthread_mutex_lock(&service->rotation);
    kw_status status = retire(op, service, id);
    pthread_mutex_unlock(&service->rotation);
    return status;
}
