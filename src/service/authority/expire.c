#include "service/authority/expire.h"

#include "os/clock.h"
#include "service/authority/revoke.h"

static bool overlap_ended(struct service *service, const struct store_cert *cert, int64_t now_s)
{
    const struct bound_profile *profile = NULL;
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    if (!kw_ok(service_profile(&quiet, service, cert->profile, &profile)) ||
        profile->data.overlap_hours == 0) {
        return false;
    }
    return now_s > cert->revoked_s + (int64_t)profile->data.overlap_hours * 3600 &&
           now_s < cert->not_after;
}

kw_status expire_superseded(struct kw_op *op, struct service *service)
{
    struct store_cert_filter filter = {.state = CERT_STATE_SUPERSEDED};
    struct store_cert cert;
    int64_t now_s = os_clock_unix_s();
    unsigned n = 0, n_revoked = 0;

    for (;;) {
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        filter.after_s = cert.revoked_s;
        if (overlap_ended(service, &cert, now_s)) {
            TRY(op, authority_revoke_still(op, service, &cert, REVOKE_SUPERSEDED, &n_revoked));
        }
    }
}
