/* Answers that are asked for are signed anew before they end, so that nobody waits for a signature.
 */
#include <stdlib.h>

#include "os/clock.h"
#include "os/worker.h"
#include "service/validation/ocsp_responder.h"
#include "service/validation/ocsp_sign.h"

enum { LOOK_EVERY_MS = 1000, SIGN_DEADLINE_MS = 5000, EARLY_PART = 8 };

struct ocsp_presigner {
    struct service *service;
    struct os_worker worker;
};

/* In the last eighth of its life, where somebody asked since it was made. */
static bool is_due(const struct ocsp_entry *entry, int64_t now_s)
{
    int64_t early_s = (entry->expires_s - entry->signed_s) / EARLY_PART + 1;

    return now_s < entry->expires_s && now_s >= entry->expires_s - early_s &&
           atomic_load(&entry->asked_s) > entry->signed_s;
}

static kw_status renew(struct kw_op *op, struct service *service, const struct ocsp_entry *old)
{
    AUTO(authorities) *all = service_authorities(service);
    AUTO(ocsp_entry) *entry = NULL;
    struct ocsp_certid at[OCSP_CERTIDS_MAX];
    const struct ca *ca = NULL;

    TRY(op, authorities_find(op, all, old->ca, &ca));
    ENSURE(op, ca->ocsp_key, KW_E_UNAVAILABLE, "CA '%s' has no OCSP signer", old->ca);
    for (unsigned i = 0; i < old->n; i++) {
        at[i] = old->at[i].id;
    }
    TRY(op, ocsp_sign(op, service, ca, at, old->n, KW_SPAN(NULL, 0), &entry));
    ENSURE(op, entry, KW_E_INTERNAL, "a certificate is not known any more");
    memcpy(entry->key, old->key, sizeof(entry->key));
    ocsp_cache_put(service->ocsp_cache, entry);
    return KW_OK;
}

unsigned ocsp_presign(struct service *service, int64_t now_s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < OCSP_CACHE_SLOTS; i++) {
        AUTO(ocsp_entry) *entry = ocsp_cache_slot(service->ocsp_cache, i);
        if (!entry || !is_due(entry, now_s)) {
            continue;
        }
        struct kw_op op;
        kw_op_init(&op, "system", os_clock_mono_ms() + SIGN_DEADLINE_MS);
        if (!kw_ok(renew(&op, service, entry))) { /* then it is signed when it is asked for */
            service_complain(service, &op, "OCSP answers could not be renewed");
            return n;
        }
        n++;
    }
    return n;
}

static void *work(void *ctx)
{
    struct ocsp_presigner *presigner = ctx;

    while (os_worker_sleep(&presigner->worker, LOOK_EVERY_MS, NULL)) {
        (void)ocsp_presign(presigner->service, os_clock_unix_s()); /* how many: for tests */
    }
    return NULL;
}

kw_status ocsp_presigner_start(struct kw_op *op, struct service *service,
                               struct ocsp_presigner **ret)
{
    struct ocsp_presigner *presigner = calloc(1, sizeof(*presigner));

    ENSURE(op, presigner, KW_E_MEMORY, "no memory for renewing OCSP answers");
    presigner->service = service;
    kw_status status =
        os_worker_start(op, &presigner->worker, work, presigner, "renewing OCSP answers");
    if (!kw_ok(status)) {
        free(presigner);
        return status;
    }
    *ret = presigner;
    return KW_OK;
}

void ocsp_presigner_stop(struct ocsp_presigner *presigner)
{
    if (presigner) {
        os_worker_stop(&presigner->worker);
        free(presigner);
    }
}
