#include "service/validation/ocsp_sign.h"

#include <stdlib.h>

#include "os/clock.h"
#include "service/log/gap.h"
#include "service/validation/crl_doc.h"
#include "service/validation/status_keep.h"

enum { KEEP_BACK_S = 60 }; /* a cache lets go so long before nextUpdate (RFC 9919 section 7) */

static bool is_revoked(const struct status_standing *standing)
{
    return standing->state == CERT_STATE_REVOKED || standing->state == CERT_STATE_HELD;
}

/* What is on hold has that reason, whatever the row says. */
static void fill_single(const struct ocsp_subject *subject, struct ocsp_single *single)
{
    const struct status_standing *standing = &subject->standing;

    if (!subject->known) {
        single->status = OCSP_CERT_UNKNOWN;
        return;
    }
    single->status = is_revoked(standing) ? OCSP_CERT_REVOKED : OCSP_CERT_GOOD;
    if (single->status == OCSP_CERT_REVOKED) {
        single->revoked_unix = standing->revoked_s;
        single->reason =
            standing->state == CERT_STATE_HELD ? REVOKE_CERTIFICATE_HOLD : standing->reason;
    }
}

/* Of what was revoked nobody doubts; of anything else nobody knows what happened in a gap. */
static kw_status look_up(struct kw_op *op, struct service *service, const struct ca *ca,
                         struct ocsp_subject *subject)
{
    struct kw_span serial = KW_SPAN(subject->id.serial, subject->id.serial_len);
    kw_status found = status_ask(op, service, ca->id, serial, &subject->standing);

    subject->known = kw_ok(found);
    if (found.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return log_gap_refuse(op, service);
    }
    TRY(op, found, "asking the registry");
    return is_revoked(&subject->standing) ? KW_OK : log_gap_refuse(op, service);
}

/* RFC 9919 section 7.2: ETag, Last-Modified (thisUpdate), Expires (nextUpdate). */
static void describe(struct ocsp_entry *entry, int64_t next_update)
{
    http_etag_text(kw_bytes_span(entry->der), entry->etag);
    http_date_text(entry->signed_s, entry->last_modified);
    http_date_text(next_update, entry->expires);
}

static kw_status sign(struct kw_op *op, const struct ca *ca, struct kw_span nonce,
                      int64_t next_update, struct ocsp_entry *entry)
{
    struct ocsp_single singles[OCSP_CERTIDS_MAX];

    memset(singles, 0, sizeof(singles));
    for (unsigned i = 0; i < entry->n; i++) {
        singles[i].id = entry->at[i].id;
        singles[i].this_update = entry->signed_s;
        singles[i].next_update = next_update;
        fill_single(&entry->at[i], &singles[i]);
    }
    TRY(op, ocsp_answer_build(op, singles, entry->n, nonce, entry->signed_s, ca->ocsp_cert,
                              ca->ocsp_key, &entry->der));
    describe(entry, next_update);
    return KW_OK;
}

kw_status ocsp_sign(struct kw_op *op, struct service *service, const struct ca *ca,
                    const struct ocsp_certid at[], unsigned n, struct kw_span nonce,
                    struct ocsp_entry **ret)
{
    AUTO(ocsp_entry) *entry = calloc(1, sizeof(*entry) + n * sizeof(entry->at[0]));
    bool any_known = false;

    ENSURE(op, entry && n <= OCSP_CERTIDS_MAX, KW_E_MEMORY, "no memory for an OCSP answer");
    atomic_init(&entry->refs, 1);
    entry->epoch = ocsp_cache_epoch(service->ocsp_cache);
    entry->signed_s = os_clock_unix_s();
    entry->n = n;
    KW_TEXT_SET(entry->ca, ca->id);
    for (unsigned i = 0; i < n; i++) {
        entry->at[i].id = at[i];
        TRY(op, look_up(op, service, ca, &entry->at[i]));
        any_known |= entry->at[i].known;
    }
    if (!any_known) {
        *ret = NULL;
        return KW_OK;
    }
    int64_t next_update = entry->signed_s + (int64_t)service->config.ocsp_minutes * 60;
    entry->expires_s = next_update - KEEP_BACK_S;
    TRY(op, sign(op, ca, nonce, next_update, entry));
    *ret = TAKE(entry);
    return KW_OK;
}

static bool same(const struct status_standing *a, const struct status_standing *b)
{
    return a->state == b->state && a->revoked_s == b->revoked_s && a->reason == b->reason;
}

bool ocsp_entry_holds(struct service *service, const struct ocsp_entry *entry, bool from_store)
{
    struct status_table *table = status_keep_table(service->status);

    for (unsigned i = 0; i < entry->n; i++) {
        const struct ocsp_subject *subject = &entry->at[i];
        struct kw_span serial = KW_SPAN(subject->id.serial, subject->id.serial_len);
        struct status_standing now;
        struct kw_op quiet;
        kw_op_init(&quiet, NULL, 0);
        bool found = from_store ? kw_ok(status_ask(&quiet, service, entry->ca, serial, &now))
                                : status_table_find(table, entry->ca, serial, &now);
        if (!found || !subject->known || !same(&now, &subject->standing)) {
            return false;
        }
    }
    return true;
}
