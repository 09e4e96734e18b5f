/* Profiles by which nothing can be issued: told at the start and by doctor, before a device asks.
 */
#include <stdio.h>

#include "service/authorities.h"
#include "service/authority/sealed.h"
#include "service/doctor/doctor.h"

struct looking {
    struct service *service;
    finding_fn each;
    void *ctx;
    unsigned n_faults;
};

static kw_status tell(struct kw_op *op, struct looking *it, enum finding_level level,
                      const char *object, const char *text, const char *next_step)
{
    struct finding found = {.level = level};

    KW_TEXT_SET(found.check, "profiles");
    KW_TEXT_SET(found.object, object);
    (void)snprintf(found.text, sizeof(found.text), "%.230s%s", text, next_step);
    it->n_faults += level == FINDING_FAULT;
    return it->each(op, it->ctx, &found);
}

static kw_status look_at_one(struct kw_op *op, struct looking *it, const struct profile *profile,
                             const struct ca *ca)
{
    char text[SEALED_TEXT_MAX];

    kw_status status = sealed_look(op, it->service, profile, ca->key_id, text);
    if (status.code == KW_E_UNAVAILABLE || status.code == KW_E_STATE) {
        kw_op_clear(op); /* its vault is away, or the key was destroyed: others tell that */
        return KW_OK;
    }
    TRY(op, status, "profile '%s'", profile->name);
    if (!*text) {
        return KW_OK;
    }
    return tell(op, it, FINDING_FAULT, profile->name, text,
                ": take it back, or let a CA that is made now issue by it (keywright ca create)");
}

static kw_status look_at_rules(struct kw_op *op, struct looking *it, const struct authorities *all)
{
    for (unsigned i = 0; i < it->service->n_profiles; i++) {
        for (unsigned k = 0; k < all->n; k++) {
            if (all->signs[i][k] && !ca_is_taken_back(&all->at[k])) {
                TRY(op, look_at_one(op, it, &it->service->profiles[i].data, &all->at[k]));
            }
        }
    }
    return KW_OK;
}

/* The server's own certificates are renewed by these (keys/own.c). */
static kw_status look_at_own(struct kw_op *op, struct looking *it, const struct authorities *all)
{
    const struct {
        const char *name;
        bool needed;
    } own[] = {
        {"tls-server",  true                 },
        {"ocsp-signer", true                 },
        {"cmp-signer",  all->cmp_cert != NULL},
    };
    const struct bound_profile *found = NULL;

    for (unsigned i = 0; i < KW_COUNT(own); i++) {
        if (!own[i].needed || kw_ok(service_profile(op, it->service, own[i].name, &found))) {
            continue;
        }
        kw_op_clear(op);
        TRY(op, tell(op, it, FINDING_FAULT, own[i].name,
                     "the profile is missing, by which the server's own certificates are renewed",
                     ": put its file into STATE/profiles and start the server anew"));
    }
    return KW_OK;
}

kw_status profiles_look(struct kw_op *op, struct service *service, finding_fn each, void *ctx)
{
    AUTO(authorities) *all = service_authorities(service);
    struct looking it = {.service = service, .each = each, .ctx = ctx};
    char text[80];

    TRY(op, look_at_rules(op, &it, all));
    TRY(op, look_at_own(op, &it, all));
    if (it.n_faults > 0) {
        return KW_OK;
    }
    (void)snprintf(text, sizeof(text), "%u, each within what is sealed with its CA's key",
                   service->n_profiles);
    return tell(op, &it, FINDING_OK, "", text, "");
}
