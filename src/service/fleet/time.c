#include "service/fleet/time.h"

#include "base/pem.h"
#include "base/time.h"
#include "keeper/sign.h"
#include "os/clock.h"
#include "service/authorities.h"

/* Any OCSP signer will do that leads to the root which devices pin; those of trades' trees do not.
 */
static const struct ca *signer_of(const struct authorities *all)
{
    for (unsigned i = 0; all && i < all->n; i++) {
        const struct ca *ca = &all->at[i];
        if (ca->ocsp_cert && ca->issues && authorities_root_of(all, ca) == all->root) {
            return ca;
        }
    }
    return NULL;
}

static kw_status put_chain(struct kw_op *op, const struct authorities *all, const struct ca *ca,
                           struct fleet_time *ret)
{
    struct cert *path[AUTHORITIES_PATH_MAX];
    unsigned n = authorities_path(all, ca, path);
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, kw_bytes_new(4096, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(ca->ocsp_cert), pem));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", cert_der(path[i]), pem));
    }
    TRY(op, kw_bytes_append(pem, KW_SPAN("", 1)));
    ENSURE(op, kw_text_copy(ret->chain, sizeof(ret->chain), (const char *)pem->p), KW_E_TOO_LARGE,
           "the chain of the signer");
    return KW_OK;
}

kw_status fleet_state(struct kw_op *op, struct service *service, enum statement_kind kind,
                      const char *const values[], unsigned n, char ret_key_id[KW_NAME_MAX],
                      struct fleet_time *ret)
{
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *ca = signer_of(all);
    struct kw_out text = {(uint8_t *)ret->statement, sizeof(ret->statement) - 1, 0};
    struct kw_out sig = KW_OUT_ARRAY(ret->signature);

    ENSURE(op, ca, KW_E_UNAVAILABLE, "no OCSP signer yet, which states the time");
    TRY(op, statement_write(kind, values, n, &text),
        "the nonce must have 64 lower-case hex digits");
    ret->statement[text.len] = '\0';
    TRY(op, keeper_sign_statement(op, service_keeper(service, ca->ocsp_key_id), ca->ocsp_key_id,
                                  kw_out_span(&text), &sig));
    ret->signature_len = (uint32_t)sig.len;
    memcpy(ret_key_id, ca->ocsp_key_id, sizeof(ca->ocsp_key_id));
    return put_chain(op, all, ca, ret);
}

kw_status fleet_time(struct kw_op *op, struct service *service, const char *nonce,
                     struct fleet_time *ret)
{
    char now[KW_TIME_TEXT], key_id[KW_NAME_MAX];
    const char *const values[] = {nonce, kw_time_text(os_clock_unix_s(), now)};

    return fleet_state(op, service, STATEMENT_DEVICE_TIME, values, KW_COUNT(values), key_id, ret);
}
