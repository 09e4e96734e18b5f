/* What the store tells the maker of CRLs. */
#include "os/clock.h"
#include "service/authorities.h"
#include "service/validation/crl_maker_internal.h"

static void touch(struct crl_maker *maker)
{
    pthread_mutex_lock(&maker->lock);
    maker->touched = true;
    pthread_cond_signal(&maker->work);
    pthread_mutex_unlock(&maker->lock);
}

static bool is_listed(enum cert_state state)
{
    return state == CERT_STATE_HELD || state == CERT_STATE_REVOKED;
}

static void write_step(struct crl_maker *maker, const struct ca *ca,
                       const struct store_notice *notice)
{
    bool held = notice->state == CERT_STATE_HELD;
    struct crl_step step = {
        .serial_len = (uint8_t)notice->serial_len,
        .reason = (uint8_t)(held ? REVOKE_CERTIFICATE_HOLD : notice->reason),
        .listed = is_listed(notice->state),
    };

    step.at_s = step.listed ? notice->revoked_s : os_clock_unix_s();
    KW_TEXT_SET(step.base, ca->base);
    memcpy(step.serial, notice->serial, sizeof(step.serial));
    crl_journal_add(maker->journal, &step);
}

/* The whole list of every key of that CA, and the part that the certificate names. */
static void touch_lists(struct crl_maker *maker, const struct authorities *all, const struct ca *ca,
                        unsigned shard)
{
    int64_t now_ms = os_clock_mono_ms();
    struct crl_list_id id = {.ca = ca->index, .shard = shard};

    if (shard != SHARD_WHOLE) {
        crl_lists_touch(maker->lists, &id, now_ms);
    }
    for (unsigned i = 0; i < all->n; i++) {
        struct crl_list_id whole = {.ca = i};
        struct crl_list_id delta = {.ca = i, .delta = true};
        if (strcmp(all->at[i].base, ca->base) == 0) {
            crl_lists_touch(maker->lists, &whole, now_ms);
            if (crl_lists_has(maker->lists, &delta)) {
                crl_lists_touch(maker->lists, &delta, now_ms);
            }
        }
    }
}

void crl_maker_notice(struct service *service, const struct store_notice at[], unsigned n)
{
    struct crl_maker *maker = service->crl_maker;
    AUTO(authorities) *all = service_authorities(service);
    bool any = false;

    for (unsigned i = 0; i < n; i++) {
        const struct ca *ca = NULL;
        struct kw_op quiet;
        kw_op_init(&quiet, NULL, 0);
        if (at[i].what == STORE_NOTICE_CERT &&
            (is_listed(at[i].state) || is_listed(at[i].before)) &&
            kw_ok(authorities_find(&quiet, all, at[i].ca, &ca))) {
            write_step(maker, ca, &at[i]);
            touch_lists(maker, all, ca, at[i].shard);
            any = true;
        }
    }
    if (any) {
        touch(maker);
    }
}

void crl_maker_wake(struct service *service, const char *ca_id)
{
    struct crl_maker *maker = service->crl_maker;
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *asked = NULL;
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    if (kw_ok(authorities_find(&quiet, all, ca_id, &asked))) {
        touch_lists(maker, all, asked, SHARD_WHOLE);
        touch(maker);
    }
}

void crl_maker_doubt(struct service *service)
{
    AUTO(authorities) *all = service_authorities(service);

    crl_journal_forget_all(service->crl_maker->journal);
    for (unsigned i = 0; all && i < all->n; i++) {
        crl_maker_wake(service, all->at[i].id);
    }
}
