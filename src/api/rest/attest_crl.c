/* CRLs of the CAs of endorsement keys, as operators add and see them. */
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "service/attest/attest.h"

enum { CRL_OCTETS = 65536 };

static void view(const struct store_ek_crl *crl, struct ek_crl_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    kw_hex(KW_SPAN_ARRAY(crl->issuer), ret->id, sizeof(ret->id));
    KW_TEXT_SET(ret->name, crl->name);
    ret->entries = crl->n;
    ret->this_update = crl->this_update;
    ret->next_update = crl->next_update;
    ret->added_ms = crl->added_ms;
}

REST_HANDLER(rest_ek_crl_list)
{
    struct store_ek_crl row;
    struct ek_crl_view shown = {0};
    struct codec_list list;
    uint8_t at[KW_HASH_BYTES];
    const uint8_t *from = NULL;
    unsigned n = 0;

    (void)request; /* fewer than there are roots: no pages */
    TRY(op, rest_list(op, response, &list));
    for (;;) {
        TRY(op, store_ek_crl_list(op, rest_service(ctx)->store, from, 1, &row, &n));
        if (n == 0) {
            return codec_json_list_end(op, &list, NULL);
        }
        view(&row, &shown);
        TRY(op, rest_item(op, &list, &ek_crl_view, &shown));
        memcpy(at, row.issuer, sizeof(at));
        from = at;
    }
}

struct crl_body {
    uint8_t der[CRL_OCTETS];
    uint32_t der_len;
};
static const struct codec_field crl_fields[] = {
    FIELD_B64("der", struct crl_body, der, der_len, CODEC_REQUIRED, "complete CRL"),
};

static kw_status add(struct kw_op *op, struct service *service, const struct http_request *request,
                     struct crl_body *body, struct ek_crl_view *ret)
{
    struct store_ek_crl crl;
    unsigned failed = 0;

    TRY(op, codec_json_decode(op, request->body, crl_fields, KW_COUNT(crl_fields), body));
    TRY(op, attest_crl_add(op, service, KW_SPAN(body->der, body->der_len), &crl, &failed));
    view(&crl, ret);
    ret->failed = failed;
    return KW_OK;
}

REST_HANDLER(rest_ek_crl_add)
{
    struct crl_body *body = calloc(1, sizeof(*body));
    struct ek_crl_view shown;

    ENSURE(op, body, KW_E_MEMORY, "no memory for the CRL");
    kw_status status = add(op, rest_service(ctx), request, body, &shown);
    free(body);
    TRY(op, status);
    response->status = 201;
    return rest_answer(op, &ek_crl_view, &shown, response);
}
