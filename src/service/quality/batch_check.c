/* Do the RSA keys of a batch's units share factors? */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/batch_gcd.h"
#include "crypto/cert.h"
#include "crypto/rsa_quality.h"
#include "model/object.h"
#include "service/quality/batch.h"

enum { MODULUS_MAX = 512, TOLD_MAX = 5 };

/* What was gathered: one modulus a key, and whose it is. */
struct gathered {
    unsigned n, cap;
    struct unit_key {
        char id[KW_NAME_MAX];
        uint16_t len;
        uint8_t octets[MODULUS_MAX];
    } *at;
};

static void gathered_done(struct gathered *all)
{
    free(all->at);
}
KW_OWNED(gathered, struct gathered, gathered_done)

static kw_status add(struct kw_op *op, struct gathered *all, const char *id, struct kw_span modulus)
{
    if (all->n == all->cap) {
        unsigned cap = all->cap ? 2 * all->cap : 256;
        ENSURE(op, cap <= 2u * BATCH_GCD_MAX, KW_E_TOO_LARGE, "more than %d RSA keys in a batch",
               BATCH_GCD_MAX);
        struct unit_key *more = realloc(all->at, cap * sizeof(*more));
        ENSURE(op, more, KW_E_MEMORY, "no memory for %u keys", cap);
        all->at = more;
        all->cap = cap;
    }
    struct unit_key *key = &all->at[all->n++];
    KW_TEXT_SET(key->id, id);
    key->len = (uint16_t)modulus.len;
    memcpy(key->octets, modulus.p, modulus.len);
    return KW_OK;
}

/* A renewal with the same key is no shared factor. */
static bool is_known(const struct gathered *all, const char *id, struct kw_span modulus)
{
    for (unsigned i = all->n; i > 0 && strcmp(all->at[i - 1].id, id) == 0; i--) {
        const struct unit_key *key = &all->at[i - 1];
        if (kw_span_equal(KW_SPAN(key->octets, key->len), modulus)) {
            return true;
        }
    }
    return false;
}

static kw_status gather_cert(struct kw_op *op, struct gathered *all, const char *id,
                             const struct store_cert *cert)
{
    uint8_t room[MODULUS_MAX];
    struct kw_out modulus = KW_OUT_ARRAY(room);
    AUTO(cert) *parsed = NULL;

    if (cert->der_len == 0) {
        return KW_OK; /* known from the log alone */
    }
    TRY(op, cert_parse(op, KW_SPAN(cert->der, cert->der_len), &parsed));
    if (pubkey_alg(cert_public(parsed)) != KEY_ALG_RSA_3072) {
        return KW_OK;
    }
    TRY(op, rsa_modulus(op, cert_public(parsed), &modulus));
    return is_known(all, id, kw_out_span(&modulus)) ? KW_OK
                                                    : add(op, all, id, kw_out_span(&modulus));
}

static kw_status gather_unit(struct kw_op *op, struct service *service, struct gathered *all,
                             const char *id)
{
    char owner[KW_NAME_MAX];
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;

    object_write(OBJECT_DEVICE, id, owner);
    for (;;) {
        unsigned n = 0;
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        TRY(op, gather_cert(op, all, id, &cert));
    }
}

static kw_status gather(struct kw_op *op, struct service *service, const char *batch,
                        struct gathered *all)
{
    char id[KW_NAME_MAX] = "";

    for (;;) {
        kw_status status = store_batch_device_next(op, service->store, batch, id, id);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        TRY(op, gather_unit(op, service, all, id));
    }
}

static void tell(const struct gathered *all, const bool shared[], char text[256])
{
    unsigned n = 0;
    int at = 0;

    for (unsigned i = 0; i < all->n; i++) {
        n += shared[i];
    }
    if (n == 0) {
        return;
    }
    at = snprintf(text, 256, "RSA keys share a factor: %u of %u, units", n, all->n);
    for (unsigned i = 0, told = 0; i < all->n && told < TOLD_MAX; i++) {
        if (shared[i] && at > 0 && at < 220) {
            at += snprintf(text + at, 256 - (size_t)at, " %.20s", all->at[i].id);
            told++;
        }
    }
    if (n > TOLD_MAX && at > 0 && at < 250) {
        (void)snprintf(text + at, 256 - (size_t)at, " ...");
    }
}

/* Each unit that is concerned gets a line in the log. */
static kw_status record_units(struct kw_op *op, struct service *service, const char *batch,
                              const struct gathered *all, const bool shared[])
{
    for (unsigned i = 0; i < all->n; i++) {
        struct event event = {.type = EVENT_KEY_BLOCK, .result = "denied"};
        if (!shared[i]) {
            continue;
        }
        object_write(OBJECT_DEVICE, all->at[i].id, event.object);
        (void)snprintf(event.detail, sizeof(event.detail),
                       "its RSA key shares a factor with another one of batch %.80s", batch);
        TRY(op, service_record_alone(op, service, &event));
    }
    return KW_OK;
}

static kw_status compare(struct kw_op *op, const struct gathered *all, bool (*go_on)(void *ctx),
                         void *ctx, bool shared[])
{
    struct kw_span *moduli = calloc(all->n, sizeof(*moduli));

    ENSURE(op, moduli, KW_E_MEMORY, "no memory for %u keys", all->n);
    for (unsigned i = 0; i < all->n; i++) {
        moduli[i] = KW_SPAN(all->at[i].octets, all->at[i].len);
    }
    kw_status status = batch_gcd(op, moduli, all->n, go_on, ctx, shared);
    free(moduli);
    return status;
}

kw_status batch_compare(struct kw_op *op, struct service *service, const struct store_batch *batch,
                        bool (*go_on)(void *ctx), void *ctx, uint32_t *ret_checked,
                        char ret_finding[256])
{
    struct gathered room = {0};
    AUTO(gathered) *all = &room;

    *ret_finding = 0;
    op->deadline_ms = 0; /* as long as it takes: go_on ends it */
    TRY(op, gather(op, service, batch->name, all), "keys of batch '%s'", batch->name);
    *ret_checked = all->n;
    if (all->n < 2) {
        return KW_OK;
    }
    bool *shared = calloc(all->n, sizeof(*shared));
    ENSURE(op, shared, KW_E_MEMORY, "no memory for %u keys", all->n);
    kw_status status = compare(op, all, go_on, ctx, shared);
    if (kw_ok(status)) {
        tell(all, shared, ret_finding);
        status = record_units(op, service, batch->name, all, shared);
    }
    free(shared);
    return status;
}
