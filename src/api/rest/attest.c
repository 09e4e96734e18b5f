/* Attestation as operators see it. */
#include "service/attest/attest.h"

#include "api/rest/rest.h"
#include "base/hex.h"

static const char *const kinds[] = {[STORE_ROOT_CA] = "root",
                                    [STORE_ROOT_INTERMEDIATE] = "intermediate",
                                    [STORE_ROOT_PINNED] = "pinned EK"};

static void view(const struct store_attest_root *root, struct ek_root_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    kw_hex(KW_SPAN_ARRAY(root->id), ret->id, sizeof(ret->id));
    KW_TEXT_SET(ret->kind, kinds[root->kind]);
    KW_TEXT_SET(ret->name, root->name);
    ret->simulated = root->simulated;
    ret->added_ms = root->added_ms;
}

static kw_status read_after(struct kw_op *op, const char *text, uint8_t ret[KW_HASH_BYTES])
{
    struct kw_out out = {.p = ret, .cap = KW_HASH_BYTES};

    ENSURE(op, kw_ok(kw_unhex(text, &out)) && out.len == KW_HASH_BYTES, KW_E_INPUT,
           "'%.80s' is no place in the list", text);
    return KW_OK;
}

REST_HANDLER(rest_ek_root_list)
{
    char text[KW_NAME_MAX];
    const char *after = NULL;
    uint8_t at[KW_HASH_BYTES];
    struct store_attest_root root;
    struct ek_root_view shown = {0};
    struct codec_list list;
    uint64_t max = 0;
    unsigned n = 1;

    TRY(op, rest_query_text(op, request, "after", text, sizeof(text), &after));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    if (after) {
        TRY(op, read_after(op, after, at));
    }
    TRY(op, rest_list(op, response, &list));
    const uint8_t *from = after ? at : NULL;
    for (uint64_t i = 0; i < max; i++) {
        TRY(op, store_attest_root_list(op, rest_service(ctx)->store, from, 1, &root, &n));
        if (n == 0) {
            break;
        }
        view(&root, &shown);
        TRY(op, rest_item(op, &list, &ek_root_view, &shown));
        memcpy(at, root.id, sizeof(at));
        from = at;
    }
    return codec_json_list_end(op, &list, n && *shown.id ? shown.id : NULL);
}

struct root_body {
    uint8_t der[STORE_ROOT_DER];
    uint32_t der_len;
    bool simulated;
};
static const struct codec_field root_fields[] = {
    FIELD_B64("der", struct root_body, der, der_len, CODEC_REQUIRED,
              "certificate of a CA, or SubjectPublicKeyInfo of one EK"),
    FIELD_BOOL("simulated", struct root_body, simulated, 0, "its TPMs stand in for hardware"),
};

REST_HANDLER(rest_ek_root_add)
{
    struct root_body body = {0};
    struct store_attest_root root;
    struct ek_root_view shown;

    TRY(op, codec_json_decode(op, request->body, root_fields, KW_COUNT(root_fields), &body));
    TRY(op, attest_root_add(op, rest_service(ctx), KW_SPAN(body.der, body.der_len), body.simulated,
                            &root));
    view(&root, &shown);
    response->status = 201;
    return rest_answer(op, &ek_root_view, &shown, response);
}

REST_HANDLER(rest_attest_reset)
{
    TRY(op, rest_no_body(op, request));
    TRY(op, attest_reset(op, rest_service(ctx), rest_param(request, "id")));
    response->status = 204;
    return KW_OK;
}
