#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "service/approvals/keys.h"
#include "service/keys/lifecycle.h"
#include "service/keys/verbs.h"

static void view_backend(const struct keeper_key_info *key, struct key_view *ret)
{
    uint8_t id[KW_HASH_BYTES];

    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->id, key->key_id);
    KW_TEXT_SET(ret->class_, key_class_text(key->class_));
    KW_TEXT_SET(ret->type, key_class_type(key->class_));
    KW_TEXT_SET(ret->state, key_state_text(key->state));
    KW_TEXT_SET(ret->alg, key_alg_text(key->alg));
    (void)snprintf(ret->custody, sizeof(ret->custody), "keeper %s", key->custody);
    KW_TEXT_SET(ret->owner, "server");
    service_key_hash(key, id);
    kw_hex(KW_SPAN_ARRAY(id), ret->spki, sizeof(ret->spki));
    ret->not_before = key->not_before;
    ret->not_after = key->not_after;
    ret->signatures = key->signatures;
}

static void view_device(const struct store_pubkey *key, struct key_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    kw_hex(KW_SPAN_ARRAY(key->id), ret->spki, sizeof(ret->spki));
    KW_TEXT_SET(ret->id, ret->spki);
    KW_TEXT_SET(ret->class_, key_class_text(key->class_));
    KW_TEXT_SET(ret->type, key_class_type(key->class_));
    KW_TEXT_SET(ret->state, key_state_text(key->state));
    KW_TEXT_SET(ret->alg, key->alg);
    KW_TEXT_SET(ret->custody, key->custody);
    KW_TEXT_SET(ret->owner, key->owner);
    KW_TEXT_SET(ret->profile, key->profile);
    ret->created_ms = key->created_ms;
    ret->state_ms = key->state_ms;
}

/* Where a page begins: the backend's keys come first (after: "keeper.N", N of them were shown),
 * then the devices' (after: the SHA-256 of the last one shown; zeros before the first). */
struct place {
    bool devices;
    uint64_t n_backend;
    uint8_t after[KW_HASH_BYTES];
};

static const char backend_mark[] = "keeper.";
enum { MARK_LEN = sizeof(backend_mark) - 1 };

static kw_status read_place(struct kw_op *op, const struct http_request *request, struct place *ret)
{
    char text[2 * KW_HASH_BYTES + 1], *end = NULL;
    struct kw_out out = KW_OUT_ARRAY(ret->after);
    const char *from = NULL;

    memset(ret, 0, sizeof(*ret));
    TRY(op, rest_query_text(op, request, "after", text, sizeof(text), &from));
    if (from && strncmp(from, backend_mark, MARK_LEN) == 0) {
        const char *number = from + MARK_LEN;
        ret->n_backend = strtoull(number, &end, 10);
        ENSURE(op, *number >= '0' && *number <= '9' && *end == 0 && ret->n_backend < UINT32_MAX,
               KW_E_INPUT, "bad 'after'");
    } else if (from) {
        ret->devices = true;
        ENSURE(op, kw_ok(kw_unhex(from, &out)) && out.len == KW_HASH_BYTES, KW_E_INPUT,
               "bad 'after'");
    }
    return KW_OK;
}

static void write_place(const struct place *place, char *text, size_t size)
{
    if (place->devices) {
        kw_hex(KW_SPAN_ARRAY(place->after), text, size);
    } else {
        (void)snprintf(text, size, "%s%llu", backend_mark, (unsigned long long)place->n_backend);
    }
}

static kw_status list_backend(struct kw_op *op, struct service *service, struct codec_list *list,
                              uint64_t *left, struct place *place)
{
    struct service_key_walk walk = {0};
    struct keeper_key_info key;
    struct key_view shown;

    for (uint64_t i = 0; i < place->n_backend + *left; i++) {
        kw_status status = service_key_next(op, service, &walk, &key);
        if (status.code == KW_E_NOT_FOUND || (status.code == KW_E_UNAVAILABLE && walk.n_away)) {
            kw_op_clear(op);
            place->devices = true;
            *left -= i > place->n_backend ? i - place->n_backend : 0;
            return KW_OK;
        }
        TRY(op, status, "keys of the keeper");
        if (i >= place->n_backend) {
            view_backend(&key, &shown);
            TRY(op, rest_item(op, list, &key_view, &shown));
        }
    }
    place->n_backend += *left;
    *left = 0;
    return KW_OK;
}

/* ret_more: false at the end of all. */
static kw_status list_devices(struct kw_op *op, struct service *service, struct codec_list *list,
                              uint64_t left, struct place *place, bool *ret_more)
{
    struct store_pubkey key;
    struct key_view shown;
    unsigned n = 1;

    for (uint64_t i = 0; i < left && n; i++) {
        TRY(op, store_pubkey_list(op, service->store, place->after, 1, &key, &n));
        if (n == 0) {
            break;
        }
        memcpy(place->after, key.id, KW_HASH_BYTES);
        if (strncmp(key.custody, "keeper", 6) == 0) {
            continue; /* the public half of one of the backend's keys, which came first */
        }
        view_device(&key, &shown);
        TRY(op, rest_item(op, list, &key_view, &shown));
    }
    *ret_more = n != 0;
    return KW_OK;
}

/* At most `max` keys a page. */
REST_HANDLER(rest_key_list)
{
    struct service *service = rest_service(ctx);
    struct codec_list list;
    struct place place;
    char text[2 * KW_HASH_BYTES + 1];
    uint64_t left = 0;
    bool more = true;

    TRY(op, read_place(op, request, &place));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &left));
    TRY(op, rest_list(op, response, &list));
    bool asked = left > 0;
    if (!place.devices) {
        TRY(op, list_backend(op, service, &list, &left, &place));
    }
    if (place.devices) {
        TRY(op, list_devices(op, service, &list, left, &place, &more));
    }
    write_place(&place, text, sizeof(text));
    return codec_json_list_end(op, &list, more && asked ? text : NULL);
}

REST_HANDLER(rest_key_show)
{
    struct service *service = rest_service(ctx);
    const char *id = rest_param(request, "id");
    uint8_t hash[KW_HASH_BYTES];
    struct kw_out out = KW_OUT_ARRAY(hash);
    struct keeper_key_info backend;
    struct store_pubkey key;
    struct key_view shown;

    if (kw_ok(kw_unhex(id, &out)) && out.len == KW_HASH_BYTES) {
        TRY(op, store_pubkey_get(op, service->store, hash, &key), "key '%s'", id);
        view_device(&key, &shown);
    } else {
        TRY(op, keeper_key_find(op, service_keeper(service, id), id, &backend), "key '%s'", id);
        view_backend(&backend, &shown);
    }
    return rest_answer(op, &key_view, &shown, response);
}

/* --- verbs ------------------------------------------------------------------------------------ */

struct wish_body {
    char reason[KEEPER_REASON_MAX];
    uint64_t approval;
};
static const struct codec_field wish_fields[] = {
    FIELD_STRING("reason", struct wish_body, reason, 0, "why; kept with the key's history"),
    FIELD_INT("approval", struct wish_body, approval, 0, 0, INT64_MAX, "number of its approval"),
};

static kw_status answer_key(struct kw_op *op, const struct keeper_key_info *key,
                            struct http_response *response)
{
    struct key_view shown;

    view_backend(key, &shown);
    return rest_answer(op, &key_view, &shown, response);
}

REST_HANDLER(rest_key_verb)
{
    struct service *service = rest_service(ctx);
    struct wish_body body = {0};
    struct key_wish wish = {.verb = key_verb_from_text(rest_param(request, "verb"))};
    struct keeper_key_info key;

    ENSURE(op, wish.verb < KEY_VERB_MAX, KW_E_NOT_FOUND, "keys have no verb '%s'",
           rest_param(request, "verb"));
    TRY(op, codec_json_decode(op, request->body, wish_fields, KW_COUNT(wish_fields), &body));
    ENSURE(op, KW_TEXT_SET(wish.key_id, rest_param(request, "id")), KW_E_NOT_FOUND, "no such key");
    KW_TEXT_SET(wish.reason, body.reason);
    wish.approval_id = approval_local(body.approval);
    kw_status status = key_do(op, service, &wish, &key);
    if (status.code == KW_E_APPROVAL && wish.approval_id == 0) {
        kw_op_clear(op);
        struct keeper_approval pending = {0};
        TRY(op, approval_ask_key(op, service, &wish, &pending));
        return rest_pending(op, service, status, &pending, response);
    }
    TRY(op, status, "%s key '%s'", key_verb_text(wish.verb), wish.key_id);
    return answer_key(op, &key, response);
}

static const struct codec_field birth_fields[] = {
    FIELD_STRING("id", struct key_birth, id, CODEC_REQUIRED, "key id, new for ever"),
    FIELD_STRING("class", struct key_birth, class_, CODEC_REQUIRED, "class of the key"),
    FIELD_STRING("alg", struct key_birth, alg, 0, "algorithm; the class's where absent"),
    FIELD_STRING("tuf_role", struct key_birth, tuf_role, 0, "class tuf-role: its role"),
    FIELD_STRING("product", struct key_birth, product, 0, "class firmware-signer: its product"),
    FIELD_STRING("versions", struct key_birth, versions, 0,
                 "class firmware-signer: versions, # for digits, * at the end; any where absent"),
    FIELD_STRING("labels", struct key_birth, labels, 0,
                 "class kdf-master: what labels begin with, separated by commas"),
    FIELD_BOOL("escrow", struct key_birth, escrow, 0,
               "keys for data: backups hold its secret, sealed to the recovery key"),
    FIELD_INT("days", struct key_birth, days, 0, 0, 36500,
              "originator-usage period; the class's where absent"),
    FIELD_INT("approval", struct key_birth, approval_id, 0, 0, INT64_MAX, "number of its approval"),
};

REST_HANDLER(rest_key_create)
{
    struct service *service = rest_service(ctx);
    struct key_birth birth = {0};
    struct key_policy policy;
    struct keeper_key_info key;

    TRY(op, codec_json_decode(op, request->body, birth_fields, KW_COUNT(birth_fields), &birth));
    TRY(op, key_birth_policy(op, &birth, &policy));
    kw_status status = key_create(op, service, &policy, approval_local(birth.approval_id), &key);
    if (status.code == KW_E_APPROVAL && birth.approval_id == 0) {
        kw_op_clear(op);
        struct keeper_approval pending = {0};
        TRY(op, approval_ask_birth(op, service, &policy, &pending));
        return rest_pending(op, service, status, &pending, response);
    }
    TRY(op, status, "creating key '%s'", birth.id);
    response->status = 201;
    return answer_key(op, &key, response);
}

REST_HANDLER(rest_key_destruction)
{
    const char *id = rest_param(request, "id");

    TRY(op, key_destruction(op, rest_service(ctx), id, &response->body),
        "key '%s' was not destroyed", id);
    response->content_type = "text/plain; charset=utf-8";
    return KW_OK;
}

/* --- the lifecycle table ---------------------------------------------------------------------- */

_Static_assert(sizeof(((struct lifecycle_view *)0)->rows[0].value) == LIFECYCLE_VALUE_MAX &&
                   KW_COUNT(((struct lifecycle_view *)0)->rows) == LIFECYCLE_ROWS_MAX,
               "the view holds the table");

static void view_lifecycle(const struct lifecycle *table, struct lifecycle_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->id, table->id);
    KW_TEXT_SET(ret->class_, table->class_);
    KW_TEXT_SET(ret->state, table->state);
    KW_TEXT_SET(ret->custody, table->custody);
    ret->made_s = table->made_s;
    ret->due_s = table->due_s;
    ret->end_s = table->end_s;
    ret->drill_s = table->drill_s;
    ret->destroyed_s = table->destroyed_s;
    ret->uses = table->uses;
    ret->has_successor = table->has_successor;
    ret->empty = table->n_empty;
    for (ret->n = 0; ret->n < table->n; ret->n++) {
        KW_TEXT_SET(ret->rows[ret->n].column, table->rows[ret->n].column);
        KW_TEXT_SET(ret->rows[ret->n].value, table->rows[ret->n].value);
        KW_TEXT_SET(ret->rows[ret->n].why, table->rows[ret->n].why);
    }
}

struct lifecycle_room {
    struct lifecycle table;
    struct lifecycle_view shown;
};

static kw_status answer_lifecycle(struct kw_op *op, struct service *service, const char *id,
                                  struct lifecycle_room *room, struct http_response *response)
{
    TRY(op, lifecycle_of(op, service, id, &room->table));
    view_lifecycle(&room->table, &room->shown);
    return rest_answer(op, &lifecycle_view, &room->shown, response);
}

REST_HANDLER(rest_key_lifecycle)
{
    struct lifecycle_room *room =
        calloc(1, sizeof(*room)); /* larger than a handler's stack likes */

    ENSURE(op, room, KW_E_MEMORY, "no memory for a table");
    kw_status status =
        answer_lifecycle(op, rest_service(ctx), rest_param(request, "id"), room, response);
    free(room);
    return status;
}
