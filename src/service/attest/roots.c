/* Whose endorsement keys are believed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ek_cert.h"
#include "os/clock.h"
#include "service/attest/attest_internal.h"

enum { ROOTS_MAX = ATTEST_CAS_MAX };

struct adding {
    struct service *service;
    struct store_attest_root *root;
};

static kw_status add(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct adding *it = ctx;
    struct event event = {.type = EVENT_ATTEST_ROOTS};
    char id[2 * KW_HASH_BYTES + 1];

    kw_hex(KW_SPAN_ARRAY(it->root->id), id, sizeof(id));
    TRY(op, store_attest_root_insert(op, txn, it->root));
    (void)snprintf(event.object, sizeof(event.object), "ek-root:%s", id);
    (void)snprintf(event.detail, sizeof(event.detail), "added: %s%s", it->root->name,
                   it->root->simulated ? " SIMULATED" : "");
    return service_record(op, it->service, txn, &event);
}

kw_status attest_root_add(struct kw_op *op, struct service *service, struct kw_span der,
                          bool simulated, struct store_attest_root *ret)
{
    struct adding it = {.service = service, .root = ret};
    bool self_signed = false;

    memset(ret, 0, sizeof(*ret));
    ENSURE(op, der.len > 0 && der.len <= sizeof(ret->der), KW_E_INPUT, "%zu octets", der.len);
    kw_status status = ek_root_check(op, der, ret->name, sizeof(ret->name), &self_signed);
    if (kw_ok(status)) {
        ret->kind = self_signed ? STORE_ROOT_CA : STORE_ROOT_INTERMEDIATE;
    } else {
        kw_op_clear(op);
        ENSURE(op, der.p[0] == 0x30 && der.len < 700, KW_E_INPUT,
               "neither a CA's certificate nor a public key");
        ret->kind = STORE_ROOT_PINNED;
        KW_TEXT_SET(ret->name, "pinned endorsement key");
    }
    memcpy(ret->der, der.p, der.len);
    ret->der_len = (uint32_t)der.len;
    ret->simulated = simulated;
    ret->added_ms = os_clock_unix_ms();
    digest_sha256(der, ret->id);
    return store_change(op, service->store, add, &it);
}

/* --- judging ---------------------------------------------------------------------------------- */

unsigned attest_cas_certs(const struct attest_cas *all, struct kw_span ret[ATTEST_CAS_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < all->n; i++) {
        if (all->at[i].kind != STORE_ROOT_PINNED) {
            ret[n++] = KW_SPAN(all->at[i].der, all->at[i].der_len);
        }
    }
    return n;
}

static void sort(const struct attest_cas *all, int simulated, struct kw_span roots[ROOTS_MAX],
                 unsigned *n_roots, struct kw_span between[ROOTS_MAX], unsigned *n_between)
{
    *n_roots = *n_between = 0;
    for (unsigned i = 0; i < all->n; i++) {
        struct kw_span der = KW_SPAN(all->at[i].der, all->at[i].der_len);
        if (all->at[i].kind == STORE_ROOT_CA && all->at[i].simulated == simulated) {
            roots[(*n_roots)++] = der;
        } else if (all->at[i].kind == STORE_ROOT_INTERMEDIATE) {
            between[(*n_between)++] = der;
        }
    }
}

static bool leads_to(const struct attest_cas *all, struct kw_span ek_cert, bool simulated)
{
    struct kw_span roots[ROOTS_MAX], between[ROOTS_MAX];
    unsigned n_roots = 0, n_between = 0;
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    sort(all, simulated, roots, &n_roots, between, &n_between);
    return kw_ok(ek_cert_verify(&own, ek_cert, between, n_between, roots, n_roots,
                                os_clock_unix_ms() / 1000));
}

static const struct store_attest_root *pinned(const struct attest_cas *all, struct kw_span spki)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (all->at[i].kind == STORE_ROOT_PINNED &&
            kw_span_equal(KW_SPAN(all->at[i].der, all->at[i].der_len), spki)) {
            return &all->at[i];
        }
    }
    return NULL;
}

static struct attest_belief judge(const struct attest_cas *all, struct kw_span ek_cert,
                                  struct kw_span spki)
{
    const struct store_attest_root *pin = pinned(all, spki);
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    if (ek_cert.len > 0 && !kw_ok(ek_cert_is_of(&own, ek_cert, spki))) {
        return (struct attest_belief){.reason = ATTEST_R_EK_MISMATCH};
    }
    if (pin) {
        return (struct attest_belief){
            .reason = ATTEST_R_OK, .how = STORE_EK_PINNED, .simulated = pin->simulated};
    }
    for (int simulated = 0; ek_cert.len > 0 && simulated < 2; simulated++) {
        if (leads_to(all, ek_cert, simulated)) {
            return (struct attest_belief){
                .reason = ATTEST_R_OK, .how = STORE_EK_CHAIN, .simulated = simulated};
        }
    }
    return (struct attest_belief){.reason = ATTEST_R_UNKNOWN_EK};
}

/* Who issued it, and whether that took it back. */
static kw_status judge_issuer(struct kw_op *op, struct service *service,
                              const struct attest_cas *all, struct kw_span ek_cert,
                              struct attest_belief *belief)
{
    struct kw_span cas[ATTEST_CAS_MAX];
    struct kw_op own;
    bool revoked = false;

    kw_op_init(&own, "system", 0);
    unsigned n = attest_cas_certs(all, cas);
    if (ek_cert.len == 0 || !kw_ok(ek_issuer_of(&own, ek_cert, cas, n, &belief->issuer)) ||
        !belief->issuer.known) {
        return KW_OK;
    }
    TRY(op,
        store_ek_is_revoked(op, service->store, belief->issuer.key,
                            KW_SPAN(belief->issuer.serial, belief->issuer.serial_len), &revoked));
    if (revoked && belief->reason == ATTEST_R_OK) {
        belief->reason = ATTEST_R_EK_REVOKED;
    }
    return KW_OK;
}

kw_status attest_believe(struct kw_op *op, struct service *service, struct kw_span ek_cert,
                         struct kw_span spki, struct attest_belief *ret)
{
    struct attest_cas *all = calloc(1, sizeof(*all));

    ENSURE(op, all, KW_E_MEMORY, "no memory for the EK roots");
    kw_status status =
        store_attest_root_list(op, service->store, NULL, ROOTS_MAX, all->at, &all->n);
    if (kw_ok(status)) {
        *ret = judge(all, ek_cert, spki);
        status = judge_issuer(op, service, all, ek_cert, ret);
    }
    free(all);
    return status;
}
