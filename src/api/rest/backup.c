#include "service/backup/backup.h"

#include <stdio.h>

#include "api/rest/rest.h"
#include "base/hex.h"

static kw_status show(struct kw_op *op, void *ctx, struct http_response *response)
{
    struct backup_info info;
    struct backup_view shown = {0};

    backup_look(rest_service(ctx), &info);
    KW_TEXT_SET(shown.stage, backup_stage_text(info.stage));
    KW_TEXT_SET(shown.id, info.id);
    shown.size = info.size;
    if (info.stage == BACKUP_READY) {
        kw_hex(KW_SPAN_ARRAY(info.hash), shown.sha256, sizeof(shown.sha256));
    }
    if (info.stage == BACKUP_FAILED) {
        KW_TEXT_SET(shown.code, kw_code_text(info.code));
        KW_TEXT_SET(shown.why, info.why);
    }
    return rest_answer(op, &backup_view, &shown, response);
}

REST_HANDLER(rest_backup_show)
{
    (void)request;
    return show(op, ctx, response);
}

struct backup_body {
    uint64_t approval;
};
static const struct codec_field backup_body_fields[] = {
    FIELD_INT("approval", struct backup_body, approval, 0, 0, INT64_MAX, "number of its approval"),
};

REST_HANDLER(rest_backup_create)
{
    struct backup_body body = {0};

    TRY(op, codec_json_decode(op, request->body, backup_body_fields, KW_COUNT(backup_body_fields),
                              &body));
    TRY(op, backup_start(op, rest_service(ctx), body.approval));
    return show(op, ctx, response);
}

struct telling {
    struct codec_list list;
    uint64_t n, next;
};

static kw_status tell(struct kw_op *op, void *ctx, const struct backup_told *told)
{
    struct backup_told_view shown = {0};
    struct telling *it = ctx;

    KW_TEXT_SET(shown.id, told->id);
    KW_TEXT_SET(shown.actor, told->actor);
    KW_TEXT_SET(shown.detail, told->detail);
    KW_TEXT_SET(shown.keys, told->keys);
    shown.made_ms = told->made_ms;
    it->n++;
    it->next = told->index + 1;
    return rest_item(op, &it->list, &backup_told_view, &shown);
}

REST_HANDLER(rest_backup_list)
{
    char room[KW_NAME_MAX], next[24];
    const char *key = NULL;
    struct telling it = {0};
    uint64_t from = 0, max = 0;

    TRY(op, rest_query_text(op, request, "key", room, sizeof(room), &key));
    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &from));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &it.list));
    TRY(op, backup_each_told(op, rest_service(ctx), from, key, (unsigned)max, tell, &it));
    (void)snprintf(next, sizeof(next), "%llu", (unsigned long long)it.next);
    return codec_json_list_end(op, &it.list, it.n == max ? next : NULL);
}

REST_HANDLER(rest_backup_part)
{
    uint64_t offset = 0;

    TRY(op, rest_query_u64(op, request, "offset", 0, INT64_MAX, &offset));
    TRY(op, backup_part(op, rest_service(ctx), offset, &response->body));
    response->content_type = "application/octet-stream";
    return KW_OK;
}

REST_HANDLER(rest_backup_discard)
{
    TRY(op, rest_no_body(op, request));
    TRY(op, backup_discard(op, rest_service(ctx)));
    return show(op, ctx, response);
}

struct recovery_body {
    char public_key[2 * KW_HASH_BYTES + 1];
    uint64_t approval;
};
static const struct codec_field recovery_fields[] = {
    FIELD_STRING("public_key", struct recovery_body, public_key, CODEC_REQUIRED, "X25519, hex"),
    FIELD_INT("approval", struct recovery_body, approval, 0, 0, INT64_MAX,
              "number of its approval"),
};

REST_HANDLER(rest_backup_recovery)
{
    struct service *service = rest_service(ctx);
    struct recovery_body body = {0};
    struct keeper_approval pending = {0};
    uint8_t key[KW_HASH_BYTES];
    struct kw_out out = KW_OUT_ARRAY(key);

    TRY(op,
        codec_json_decode(op, request->body, recovery_fields, KW_COUNT(recovery_fields), &body));
    ENSURE(op, kw_ok(kw_unhex(body.public_key, &out)) && out.len == sizeof(key), KW_E_INPUT,
           "a recovery key has 32 octets");
    kw_status status = backup_recovery_set(op, service, key, body.approval);
    if (status.code == KW_E_APPROVAL && body.approval == 0) {
        kw_op_clear(op);
        TRY(op, backup_recovery_ask(op, service, key, &pending));
        return rest_pending(op, service, status, &pending, response);
    }
    TRY(op, status);
    return show(op, ctx, response);
}
