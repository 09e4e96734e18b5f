#include "service/keys/root_crl.h"

#include <stdio.h>

#include "base/pem.h"
#include "base/time.h"
#include "crypto/crl.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/keys/own.h"

enum { CRL_PEM_MAX = 1 << 16, SKEW_S = 300, BLOB_NAME_MAX = KW_NAME_MAX + 16 };

/* --- served ----------------------------------------------------------------------------------- */

static void floor_name(const char *id, char name[BLOB_NAME_MAX])
{
    (void)snprintf(name, BLOB_NAME_MAX, "crl-floor:%.80s", id);
}

/* The highest number that was ever served; 0: none but the ceremony's. */
static kw_status floor_of(struct kw_op *op, struct service *service, const char *id, uint64_t *ret)
{
    char name[BLOB_NAME_MAX];
    AUTO(kw_bytes) *nothing = NULL;

    *ret = 0;
    floor_name(id, name);
    kw_status status = store_blob_get(op, service->store, name, ret, &nothing);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

kw_status root_crl_told(struct kw_op *op, struct store_txn *txn, const char *id, uint64_t number)
{
    char name[BLOB_NAME_MAX];

    floor_name(id, name);
    return store_blob_put(op, txn, name, number, KW_SPAN("", 0));
}

kw_status root_crl_lend(struct kw_op *op, struct service *service, const char *id,
                        struct crl_doc **ret)
{
    AUTO(crl_doc) *doc = NULL;
    uint64_t least = 0;

    TRY(op, crl_doc_load(op, service, id, &doc));
    TRY(op, floor_of(op, service, id, &least));
    ENSURE(op, doc->number >= least, KW_E_UNAVAILABLE,
           "list %llu of '%s' was lost with a restore: keywright ca install it again",
           (unsigned long long)least, id);
    ENSURE(op, os_clock_unix_s() < doc->next_update, KW_E_UNAVAILABLE,
           "the newest list of '%s' has ended: see keywright ca crl", id);
    *ret = TAKE(doc);
    return KW_OK;
}

/* --- installed -------------------------------------------------------------------------------- */

struct installing {
    struct service *service;
    struct kw_bytes *der;
    struct crl *crl;
    struct root_crl told;
};

static void installing_done(struct installing *it)
{
    kw_bytes_free(it->der);
    crl_free(it->crl);
}

static bool is_by(const struct crl *crl, const struct cert *ca)
{
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return kw_span_equal(crl_issuer(crl), cert_subject(ca)) &&
           kw_ok(crl_verify_signature(&quiet, crl, cert_public(ca)));
}

static kw_status find_issuer(struct kw_op *op, struct installing *it)
{
    AUTO(authorities) *all = service_authorities(it->service);

    for (unsigned i = 0; i < all->n_roots; i++) {
        if (is_by(it->crl, all->roots[i].cert)) {
            KW_TEXT_SET(it->told.id, all->roots[i].id);
            return KW_OK;
        }
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        if (is_by(it->crl, all->above[i].cert)) {
            KW_TEXT_SET(it->told.id, all->above[i].name);
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_DENIED, "it is signed by none of our offline CAs");
}

static kw_status check_form(struct kw_op *op, struct installing *it)
{
    int64_t now_s = os_clock_unix_s();
    char when[KW_TIME_TEXT];

    ENSURE(op, crl_number(it->crl, &it->told.number), KW_E_INPUT, "it has no number");
    ENSURE(op,
           crl_base_number(it->crl) == 0 && !crl_scope_of(it->crl) && !crl_has_unknown_ext(it->crl),
           KW_E_INPUT, "it is not a complete list of everything");
    it->told.this_update = crl_this_update(it->crl);
    it->told.next_update = crl_next_update(it->crl);
    it->told.entries = crl_count(it->crl);
    ENSURE(op, it->told.this_update <= now_s + SKEW_S, KW_E_INPUT, "it was signed at %s, to come",
           kw_time_text(it->told.this_update, when));
    ENSURE(op, it->told.next_update > now_s, KW_E_INPUT, "it has ended at %s",
           kw_time_text(it->told.next_update, when));
    return KW_OK;
}

/* Nothing that was taken back comes to life again, and an older list does not come back. */
static kw_status check_goes_on(struct kw_op *op, const struct installing *it)
{
    AUTO(crl_doc) *before = NULL;
    AUTO(crl) *crl = NULL;
    uint64_t least = 0;
    struct crl_entry entry;
    int64_t when = 0;
    int why = 0;

    TRY(op, crl_doc_load(op, it->service, it->told.id, &before));
    TRY(op, crl_parse(op, kw_bytes_span(before->der), &crl), "the present list");
    TRY(op, floor_of(op, it->service, it->told.id, &least));
    ENSURE(op, it->told.number > before->number && it->told.number >= least, KW_E_CONFLICT,
           "its number is %llu, and list %llu of '%s' was served already",
           (unsigned long long)it->told.number,
           (unsigned long long)(least > before->number ? least : before->number), it->told.id);
    for (size_t i = 0; i < crl_count(crl); i++) {
        crl_entry_at(crl, i, &entry);
        ENSURE(op, kw_ok(crl_find(it->crl, entry.serial, &why, &when)), KW_E_CONFLICT,
               "it lacks a certificate that the present list has; make it from that one");
    }
    return KW_OK;
}

static kw_status put(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct installing *it = ctx;
    struct event event = {.type = EVENT_ROOT_CRL};
    char name[BLOB_NAME_MAX], until[KW_TIME_TEXT];

    (void)snprintf(name, sizeof(name), "crl:%.80s", it->told.id);
    TRY(op, store_blob_put(op, txn, name, it->told.number, kw_bytes_span(it->der)));
    TRY(op, root_crl_told(op, txn, it->told.id, it->told.number));
    object_write(OBJECT_CA, it->told.id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "CRL %llu with %llu entries, made offline, until %s",
                   (unsigned long long)it->told.number, (unsigned long long)it->told.entries,
                   kw_time_text(it->told.next_update, until));
    return service_record(op, it->service, txn, &event);
}

/* An install that was cut before the CAs were looked at again is ended by the same list. */
static bool is_in_store(struct installing *it)
{
    AUTO(crl_doc) *doc = NULL;
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(crl_doc_load(&quiet, it->service, it->told.id, &doc)) &&
           kw_span_equal(kw_bytes_span(doc->der), kw_bytes_span(it->der));
}

/* What it takes back issues nothing from here on. */
static kw_status install(struct kw_op *op, struct installing *it)
{
    TRY(op, find_issuer(op, it));
    TRY(op, check_form(op, it));
    if (!is_in_store(it)) {
        TRY(op, check_goes_on(op, it));
        TRY(op, store_change(op, it->service->store, put, it));
    }
    TRY(op, own_reload(op, it->service),
        "the list is in force, but CAs that it takes back still issue; install it again");
    return KW_OK;
}

kw_status root_crl_install(struct kw_op *op, struct service *service, struct kw_span pem,
                           struct root_crl *ret)
{
    __attribute__((cleanup(installing_done))) struct installing it = {.service = service};
    struct kw_span rest = pem;

    ENSURE(op, kw_ok(kw_pem_next(&rest, "X509 CRL", CRL_PEM_MAX, &it.der)), KW_E_INPUT,
           "there is no CRL in PEM");
    TRY(op, crl_parse(op, kw_bytes_span(it.der), &it.crl));
    pthread_mutex_lock(&service->rotation);
    kw_status status = install(op, &it);
    pthread_mutex_unlock(&service->rotation);
    TRY(op, status);
    *ret = it.told;
    return KW_OK;
}
