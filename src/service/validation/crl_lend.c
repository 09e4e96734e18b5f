/* Lists as they are given out. */
#include "os/clock.h"
#include "service/authorities.h"
#include "service/keys/root_crl.h"
#include "service/log/gap.h"
#include "service/validation/crl_maker_internal.h"

/* In a gap none is made: the one that the store holds, for as long as it says itself. */
static kw_status lend_kept(struct kw_op *op, struct service *service, const char *stem,
                           struct crl_doc **ret)
{
    AUTO(crl_doc) *doc = NULL;

    TRY(op, crl_doc_load(op, service, stem, &doc));
    if (os_clock_unix_s() >= doc->next_update) {
        return log_gap_refuse(op, service);
    }
    *ret = TAKE(doc);
    return KW_OK;
}

kw_status crl_lend(struct kw_op *op, struct service *service, const char *stem,
                   struct crl_doc **ret)
{
    AUTO(authorities) *all = service_authorities(service);
    AUTO(crl_doc) *doc = NULL;
    struct crl_list_id id;

    if (authorities_above(all, stem)) { /* made in the ceremony: its key is not here */
        return root_crl_lend(op, service, stem, ret);
    }
    TRY(op, crl_list_find(op, all, stem, &id));
    if (atomic_load(&service->gap.open)) {
        return lend_kept(op, service, stem, ret);
    }
    ENSURE(op, atomic_load(&service->crl_maker->started), KW_E_UNAVAILABLE, "no CRL is made yet");
    ENSURE(op, crl_lists_has(service->crl_maker->lists, &id), KW_E_NOT_FOUND, "no list '%s'", stem);
    doc = crl_lists_get(service->crl_maker->lists, &id);
    ENSURE(op, doc, KW_E_UNAVAILABLE, "list '%s' is not made yet", stem);
    ENSURE(op, os_clock_unix_s() < doc->next_update, KW_E_UNAVAILABLE,
           "the newest list '%s' has ended", stem);
    *ret = TAKE(doc);
    return KW_OK;
}

kw_status crl_get(struct kw_op *op, struct service *service, const char *stem,
                  struct kw_bytes **ret)
{
    AUTO(crl_doc) *doc = NULL;

    TRY(op, crl_lend(op, service, stem, &doc));
    ENSURE(op, doc, KW_E_INTERNAL, "no list");
    return kw_bytes_copy(kw_bytes_span(doc->der), ret);
}
