#include "service/keys/rotate.h"

#include <stdio.h>

#include "model/object.h"
#include "service/keys/line.h"
#include "service/keys/own.h"
#include "service/log/gap.h"
#include "service/log/lines.h"
#include "service/log/log.h"

/* --- the key ---------------------------------------------------------------------------------- */

static kw_status record_rotation(struct kw_op *op, struct service *service, const char *old_id,
                                 const struct keeper_key_info *key)
{
    struct event event = {.type = EVENT_KEY_ROTATE};

    object_write(OBJECT_KEY, key->key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "key '%.80s' (%s) follows '%.80s'",
                   key->key_id, key_class_text(key->class_), old_id);
    return service_record_alone(op, service, &event);
}

/* With service->rotation held. */
static kw_status make_successor(struct kw_op *op, struct service *service, const char *key_id,
                                uint64_t approval_id, struct keeper_key_info *ret)
{
    TRY(op, keeper_key_rotate(op, service_keeper(service, key_id), key_id, approval_id, ret),
        "rotating key '%s'", key_id);
    return record_rotation(op, service, key_id, ret);
}

/* --- what each class needs to be in use ------------------------------------------------------- */

/* One line of the server's own keys while it is looked after. */
struct line {
    const char *base; /* "tls-server", "ocsp-devices", "log" */
    const char *ca;   /* OCSP: the CA's base */
    struct keeper_key_info newest;
    int64_t now_s;
    bool changed; /* certificates: to be taken into use */
};

static bool cert_due(const struct cert *cert, int64_t now_s)
{
    return now_s >= own_renew_at(cert_not_before(cert), cert_not_after(cert));
}

static bool is_of(const struct cert *cert, const struct keeper_key_info *key)
{
    return kw_span_equal(pubkey_spki(cert_public(cert)), KW_SPAN(key->spki, key->spki_len));
}

static kw_status settle_tls(struct kw_op *op, struct service *service, struct line *line)
{
    AUTO(cert) *cert = NULL;

    TRY(op, service_cert_load(op, service, "tls-server", &cert));
    if (is_of(cert, &line->newest) && !cert_due(cert, line->now_s)) {
        return KW_OK;
    }
    TRY(op, own_tls_issue(op, service, line->newest.key_id, NULL), "TLS certificate");
    line->changed = true;
    return KW_OK;
}

static kw_status settle_cmp(struct kw_op *op, struct service *service, struct line *line)
{
    AUTO(authorities) *all = service_authorities(service);

    if (all->cmp_cert && is_of(all->cmp_cert, &line->newest) &&
        !cert_due(all->cmp_cert, line->now_s)) {
        return KW_OK;
    }
    TRY(op, own_cmp_issue(op, service, line->newest.key_id, NULL), "certificate of the CMP signer");
    line->changed = true;
    return KW_OK;
}

/* Each key of the CA has its delegation for the one signer (RFC 6960 section 4.2.2.2). */
static kw_status settle_ocsp(struct kw_op *op, struct service *service, struct line *line)
{
    AUTO(authorities) *all = service_authorities(service);

    for (unsigned i = 0; i < all->n; i++) {
        const struct ca *ca = &all->at[i];
        if (strcmp(ca->base, line->ca) != 0 || ca_is_taken_back(ca) ||
            (ca->ocsp_cert && is_of(ca->ocsp_cert, &line->newest) &&
             !cert_due(ca->ocsp_cert, line->now_s))) {
            continue;
        }
        TRY(op, own_ocsp_issue(op, service, ca, line->newest.key_id, NULL),
            "OCSP signer's certificate of CA '%s'", ca->id);
        line->changed = true;
    }
    return KW_OK;
}

static kw_status settle_log(struct kw_op *op, struct service *service, struct line *line)
{
    return log_takes_key(op, service, line->newest.key_id);
}

/* --- by time ---------------------------------------------------------------------------------- */

typedef kw_status (*settle_fn)(struct kw_op *op, struct service *service, struct line *line);

/* Its certificate was revoked or put on hold, by hand or by a plan: who looks, refuses what it
 * signs. (The key itself is revoked by `key revoke`.) */
static kw_status is_refused(struct kw_op *op, struct service *service,
                            const struct keeper_key_info *key, bool *ret)
{
    AUTO(pubkey) *public = NULL;
    struct store_pubkey known;

    *ret = false;
    if (key->spki_len == 0) { /* a secret */
        return KW_OK;
    }
    TRY(op, pubkey_parse(op, KW_SPAN(key->spki, key->spki_len), &public), "key '%s'", key->key_id);
    kw_status status = store_pubkey_get(op, service->store, pubkey_id(public), &known);
    if (status.code == KW_E_NOT_FOUND) { /* no certificate yet */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status, "key '%s'", key->key_id);
    *ret = known.state == KEY_SUSPENDED || known.state == KEY_DEACTIVATED ||
           known.state == KEY_COMPROMISED;
    return KW_OK;
}

static kw_status settle_line(struct kw_op *op, struct service *service, struct line *line,
                             settle_fn settle)
{
    const struct keeper_key_info *newest = &line->newest;
    bool refused = false;

    TRY(op, line_newest(op, service, line->base, /* states= */ 0, &line->newest));
    if (newest->state == KEY_SUSPENDED || newest->state == KEY_PRE_ACTIVE) {
        return KW_OK; /* somebody wants it so */
    }
    TRY(op, is_refused(op, service, newest, &refused));
    if (newest->state != KEY_ACTIVE || refused || /* revoked, or its period is over */
        line->now_s >= own_renew_at(newest->not_before, newest->not_after)) {
        char old_id[KW_NAME_MAX];
        KW_TEXT_SET(old_id, newest->key_id);
        TRY(op, make_successor(op, service, old_id, /* approval_id= */ 0, &line->newest));
    }
    return settle(op, service, line);
}

/* A line's own operation, so that one failure does not hide another's words. */
static void look_after(struct kw_op *op, struct service *service, struct line line,
                       settle_fn settle, bool *changed, kw_status *first)
{
    struct kw_op own;

    kw_op_init(&own, op->principal, op->deadline_ms);
    KW_TEXT_SET(own.request_id, op->request_id);
    kw_status status = settle_line(kw_ok(*first) ? op : &own, service, &line, settle);
    *first = kw_ok(*first) ? status : *first;
    *changed |= line.changed;
}

static bool answers_cmp(struct service *service)
{
    AUTO(authorities) *all = service_authorities(service);

    return all->cmp_cert != NULL;
}

/* With service->rotation held. */
static kw_status settle_all(struct kw_op *op, struct service *service, int64_t now_s)
{
    AUTO(authorities) *all = service_authorities(service);
    kw_status first = KW_OK;
    bool changed = false;
    char base[KW_NAME_MAX];

    for (unsigned i = 0; i < all->n; i++) {
        const char *ca = all->at[i].base;
        if (!all->at[i].issues) {
            continue; /* one line for all keys of a CA */
        }
        (void)snprintf(base, sizeof(base), "ocsp-%.80s", ca);
        look_after(op, service, (struct line){.base = base, .ca = ca, .now_s = now_s}, settle_ocsp,
                   &changed, &first);
    }
    look_after(op, service, (struct line){.base = "tls-server", .now_s = now_s}, settle_tls,
               &changed, &first);
    if (answers_cmp(service)) {
        look_after(op, service, (struct line){.base = "cmp-signer", .now_s = now_s}, settle_cmp,
                   &changed, &first);
    }
    log_line_name(service->log_line, base);
    look_after(op, service, (struct line){.base = base, .now_s = now_s}, settle_log, &changed,
               &first);
    if (changed) {
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        kw_status status = own_reload(kw_ok(first) ? op : &own, service);
        first = kw_ok(first) ? status : first;
    }
    return first;
}

kw_status keys_settle(struct kw_op *op, struct service *service, int64_t now_s)
{
    pthread_mutex_lock(&service->rotation);
    kw_status status = settle_all(op, service, now_s);
    pthread_mutex_unlock(&service->rotation);
    return status;
}

/* --- by hand ---------------------------------------------------------------------------------- */

static kw_status rotate(struct kw_op *op, struct service *service, const char *key_id,
                        uint64_t approval_id, struct keeper_key_info *ret)
{
    struct keeper_key_info key;

    TRY(op, keeper_key_find(op, service_keeper(service, key_id), key_id, &key));
    TRY(op, make_successor(op, service, key.key_id, approval_id, ret));
    return settle_all(op, service, service_now_ms() / 1000);
}

kw_status key_rotate(struct kw_op *op, struct service *service, const char *key_id,
                     uint64_t approval_id, struct keeper_key_info *ret)
{
    TRY(op, log_gap_refuse(op, service));
    pthread_mutex_lock(&service->rotation);
    kw_status status = rotate(op, service, key_id, approval_id, ret);
    pthread_mutex_unlock(&service->rotation);
    return status;
}
