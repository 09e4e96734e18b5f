/* Keys for data: the wrapped form is shown, the key itself only to who asks for it. */
#include "api/rest/rest.h"
#include "base/hex.h"
#include "model/policy.h"
#include "service/keys/data.h"

_Static_assert(sizeof(((struct data_key_view *)0)->context) == STORE_CONTEXT_MAX &&
                   sizeof(((struct data_rewrap_view *)0)->unneeded) ==
                       sizeof(((struct data_rewrap *)0)->unneeded),
               "the views hold it all");

static void view(const struct store_data_key *key, struct data_key_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->id, key->id);
    KW_TEXT_SET(ret->kek, key->kek);
    (void)policy_key_id(key->kek, key->generation, ret->wrapped_by); /* empty where too long */
    KW_TEXT_SET(ret->context, key->context);
    KW_TEXT_SET(ret->state, key_state_text(key->state));
    ret->created_ms = key->created_ms;
    ret->rewrapped_ms = key->rewrapped_ms;
}

/* plain: NULL where it was not asked for. */
static kw_status answer(struct kw_op *op, const struct store_data_key *key,
                        const struct kw_secret *plain, struct http_response *response)
{
    struct data_key_view shown;

    view(key, &shown);
    if (plain) {
        ENSURE(op, 2 * kw_secret_len(plain) < sizeof(shown.key), KW_E_INTERNAL,
               "a data key of %zu octets", kw_secret_len(plain));
        kw_hex(kw_secret_span(plain), shown.key, sizeof(shown.key));
    }
    kw_status status = rest_answer(op, &data_key_view, &shown, response);
    kw_wipe(&shown, sizeof(shown));
    return status;
}

static kw_status next_key(struct kw_op *op, struct service *service, struct rest_page *page)
{
    struct store_data_key key;
    struct data_key_view shown;

    TRY(op, store_data_key_list(op, service->store, page->after, 1, &key, &page->n));
    if (page->n == 0) {
        return KW_OK;
    }
    view(&key, &shown);
    KW_TEXT_SET(page->after, key.id);
    return rest_item(op, &page->list, &data_key_view, &shown);
}

REST_HANDLER(rest_data_list)
{
    return rest_list_by_name(op, ctx, request, response, next_key);
}

REST_HANDLER(rest_data_show)
{
    struct store_data_key key;

    TRY(op, store_data_key_get(op, rest_service(ctx)->store, rest_param(request, "id"), &key));
    return answer(op, &key, NULL, response);
}

struct create_body {
    struct data_key_wish wish;
    bool give_key;
};
static const struct codec_field create_fields[] = {
    FIELD_STRING("id", struct create_body, wish.id, CODEC_REQUIRED, "data key, new for ever"),
    FIELD_STRING("kek", struct create_body, wish.kek, CODEC_REQUIRED,
                 "a key-encrypting key (class data-kek); the newest one of its line is used"),
    FIELD_STRING("context", struct create_body, wish.context, 0,
                 "what the key is for; bound to it"),
    FIELD_BOOL("give_key", struct create_body, give_key, 0, "hand out the key itself, too"),
};

REST_HANDLER(rest_data_create)
{
    struct create_body body = {0};
    struct store_data_key key;
    AUTO(kw_secret) *plain = NULL;

    TRY(op, codec_json_decode(op, request->body, create_fields, KW_COUNT(create_fields), &body));
    TRY(op,
        data_key_create(op, rest_service(ctx), &body.wish, &key, body.give_key ? &plain : NULL));
    response->status = 201;
    return answer(op, &key, plain, response);
}

REST_HANDLER(rest_data_unwrap)
{
    struct store_data_key key;
    AUTO(kw_secret) *plain = NULL;

    TRY(op, rest_no_body(op, request));
    TRY(op, data_key_unwrap(op, rest_service(ctx), rest_param(request, "id"), &key, &plain));
    return answer(op, &key, plain, response);
}

struct rewrap_body {
    char kek[KW_NAME_MAX];
};
static const struct codec_field rewrap_fields[] = {
    FIELD_STRING("kek", struct rewrap_body, kek, CODEC_REQUIRED, "any key of the line"),
};

REST_HANDLER(rest_data_rewrap)
{
    struct rewrap_body body = {0};
    struct data_rewrap told;
    struct data_rewrap_view shown = {0};

    TRY(op, codec_json_decode(op, request->body, rewrap_fields, KW_COUNT(rewrap_fields), &body));
    TRY(op, data_rewrap(op, rest_service(ctx), body.kek, &told));
    KW_TEXT_SET(shown.kek, told.kek);
    KW_TEXT_SET(shown.newest, told.newest);
    KW_TEXT_SET(shown.unneeded, told.unneeded);
    KW_TEXT_SET(shown.why, told.why);
    shown.done = told.done;
    shown.left = told.left;
    shown.failed = told.failed;
    return rest_answer(op, &data_rewrap_view, &shown, response);
}
