/* One visit to the token: enter the library, connect where needed, do, and heal what broke. */
#include <openssl/err.h>

#include "os/clock.h"
#include "rot/pkcs11/device.h"

enum {
    DELAY_FIRST_MS = 100,
    DELAY_MAX_MS = 5000,
    IDLE_MAX_MS = 30000, /* then a session is asked for its state before it is used */
    RESTART_AFTER = 2,   /* failed visits in a row after which the library is started again … */
    RESTART_EVERY = 8,   /* … and then every so many: other tokens of it are interrupted */
};

KW_OWNED(p11_inside, struct p11_module, p11_module_leave)

kw_status p11_status(struct kw_op *op, struct p11 *self, const char *function, CK_RV rv)
{
    if (rv == CKR_OK) {
        return KW_OK;
    }
    const struct p11_rv *row = p11_rv_row(rv);
    if (row->heal > self->damage) {
        self->damage = row->heal;
    }
    return FAIL(op, row->code, "PKCS#11 %s: %s (0x%lx)", function, p11_rv_text(rv), rv);
}

/* --- repair --- */

static kw_status enter(struct kw_op *op, struct p11 *self, struct p11_module **ret)
{
    unsigned generation = 0;

    enum p11_heal damage = self->damage;
    self->damage = P11_HEAL_MODULE; /* unless the library is there */
    if (damage == P11_HEAL_MODULE) {
        TRY(op, p11_module_restart(op, self->module, self->generation));
    }
    TRY(op, p11_module_enter(op, self->module, &generation));
    self->damage = damage;
    *ret = self->module;
    if (generation != self->generation) {
        self->connected = false; /* the session went with the library */
        self->generation = generation;
    }
    return KW_OK;
}

/* Connected, with handles of this epoch, and not silently cut off by something in between. */
static kw_status repair(struct kw_op *op, struct p11 *self)
{
    if (self->damage >= P11_HEAL_SESSION && self->connected) {
        p11_disconnect(self);
    }
    bool rested = self->connected && os_clock_mono_ms() - self->used_ms > IDLE_MAX_MS;
    if (rested && !kw_ok(p11_check_session(op, self))) {
        kw_op_clear(op); /* it was lost while nobody used it: no failure of this operation */
        p11_disconnect(self);
    }
    if (!self->connected || self->damage == P11_HEAL_HANDLES) {
        self->epoch++;
    }
    self->damage = P11_HEAL_NONE;
    if (!self->connected) {
        TRY(op, p11_connect(op, self), "connecting to the token");
    }
    return KW_OK;
}

static kw_status attempt(struct kw_op *op, struct p11 *self,
                         kw_status (*work)(struct kw_op *op, struct p11 *self, void *ctx),
                         void *ctx)
{
    AUTO(p11_inside) *inside = NULL;

    TRY(op, enter(op, self, &inside));
    TRY(op, repair(op, self));
    TRY(op, p11_take_back(op, self));
    kw_status status = work(op, self, ctx);
    if (self->n_orphans > 0 && self->damage < P11_HEAL_SESSION) {
        (void)p11_take_back(NULL, self); /* the failure before is the one to tell */
    }
    TRY(op, status);
    self->used_ms = os_clock_mono_ms();
    return KW_OK;
}

/* --- back-off --- */

static int64_t delay_of(unsigned n_failed)
{
    int64_t delay_ms = DELAY_FIRST_MS;
    for (unsigned i = 1; i < n_failed && delay_ms < DELAY_MAX_MS; i++) {
        delay_ms *= 2;
    }
    return delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
}

static void back_off(struct p11 *self)
{
    self->n_failed++;
    self->closed_until_ms = os_clock_mono_ms() + delay_of(self->n_failed);
    if (self->n_failed == RESTART_AFTER || self->n_failed % RESTART_EVERY == 0) {
        self->damage = P11_HEAL_MODULE;
    }
}

static bool may_repeat(const struct kw_op *op, const struct p11 *self)
{
    return self->damage != P11_HEAL_NONE &&
           (op->deadline_ms == 0 || os_clock_mono_ms() < op->deadline_ms);
}

static kw_status visit(struct kw_op *op, struct p11 *self,
                       kw_status (*work)(struct kw_op *op, struct p11 *self, void *ctx), void *ctx)
{
    int64_t wait_ms = self->closed_until_ms - os_clock_mono_ms();

    ENSURE(op, self->n_failed == 0 || wait_ms <= 0, KW_E_UNAVAILABLE,
           "the token is away; the next attempt is made in %d ms", (int)wait_ms);
    kw_status status = attempt(op, self, work, ctx);
    if (!kw_ok(status) && may_repeat(op, self)) {
        kw_op_clear(op);
        status = attempt(op, self, work, ctx);
    }
    /* Only where the token is away: a request that it cannot serve is nobody else's loss. */
    if (status.code == KW_E_UNAVAILABLE && self->damage >= P11_HEAL_SESSION) {
        back_off(self);
    } else {
        self->n_failed = 0;
    }
    return status;
}

kw_status p11_visit(struct kw_op *op, struct p11 *self,
                    kw_status (*work)(struct kw_op *op, struct p11 *self, void *ctx), void *ctx)
{
    ERR_set_mark(); /* a library that uses our OpenSSL leaves its errors in our queue */
    kw_status status = visit(op, self, work, ctx);
    ERR_pop_to_mark();
    return status;
}
