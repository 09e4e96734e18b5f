#include "service/event_text.h"

#include "base/hex.h"
#include "base/utf8.h"
#include "codec/json.h"
#include "os/rng.h"

/* IoT-1006-1 5.6.1.1: timestamp, source, category, type, event id, result. */
struct entry {
    char id[17];
    int64_t time_ms;
    char source[KW_NAME_MAX];
    char category[24];
    char type[32];
    char actor[KW_NAME_MAX];
    char object[KW_NAME_MAX];
    char result[24];
    char detail[EVENT_DETAIL_MAX];
    char request_id[KW_REQUEST_ID];
    char key[KW_NAME_MAX];
    char digest[2 * KW_HASH_BYTES + 1];
};

static const struct codec_field entry_fields[] = {
    FIELD_STRING("id", struct entry, id, CODEC_REQUIRED, "event id, 64 random bits"),
    FIELD_TIME("time", struct entry, time_ms, CODEC_REQUIRED, "when it happened, UTC"),
    FIELD_STRING("source", struct entry, source, CODEC_REQUIRED, "program that recorded it"),
    FIELD_STRING("category", struct entry, category, CODEC_REQUIRED, "kind of object"),
    FIELD_STRING("type", struct entry, type, CODEC_REQUIRED, "what happened"),
    FIELD_STRING("actor", struct entry, actor, CODEC_REQUIRED, "who caused it"),
    FIELD_STRING("object", struct entry, object, CODEC_OMIT_EMPTY, "what it happened to"),
    FIELD_STRING("result", struct entry, result, CODEC_REQUIRED, "success, or why not"),
    FIELD_STRING("detail", struct entry, detail, CODEC_OMIT_EMPTY, "for people"),
    FIELD_STRING("request_id", struct entry, request_id, CODEC_OMIT_EMPTY,
                 "the request that led to it"),
    FIELD_STRING("key", struct entry, key, CODEC_OMIT_EMPTY, "the keeper's key that was used"),
    FIELD_STRING("digest", struct entry, digest, CODEC_OMIT_EMPTY,
                 "SHA-256 of what it signed, as in the keeper's journal"),
};

/* A text that was cut in the middle of a character, or came from who knows where, is still
 * recorded. */
static void put_text(char *to, size_t cap, const char *from)
{
    struct kw_span rest = kw_span_text(from);
    size_t n = 0;

    while (rest.len > 0) {
        unsigned len = kw_utf8_next(rest);
        bool plain = len > 0 && !kw_utf8_is_control(rest.p, len);
        if (n + (plain ? len : 1) >= cap) {
            break;
        }
        memcpy(to + n, plain ? (const char *)rest.p : "?", plain ? len : 1);
        n += plain ? len : 1;
        rest = kw_span_sub(rest, len ? len : 1, rest.len);
    }
    to[n] = 0;
}
#define PUT_TEXT(array, text) put_text((array), sizeof(array), (text))

kw_status event_encode(struct kw_op *op, const struct event *event, struct kw_bytes *into)
{
    struct entry entry = {.time_ms = event->unix_ms};
    uint8_t id[8];

    TRY(op, os_random(op, id, sizeof(id)));
    kw_hex(KW_SPAN_ARRAY(id), entry.id, sizeof(entry.id));
    PUT_TEXT(entry.source, event->source);
    PUT_TEXT(entry.category, event_type_category(event->type));
    PUT_TEXT(entry.type, event_type_text(event->type));
    PUT_TEXT(entry.actor, event->actor);
    PUT_TEXT(entry.object, event->object);
    PUT_TEXT(entry.result, event->result);
    PUT_TEXT(entry.detail, event->detail);
    PUT_TEXT(entry.request_id, event->request_id);
    if (*event->key) {
        PUT_TEXT(entry.key, event->key);
        kw_hex(KW_SPAN_ARRAY(event->digest), entry.digest, sizeof(entry.digest));
    }
    return codec_json_encode(op, entry_fields, KW_COUNT(entry_fields), &entry, into);
}

static enum event_type type_from_text(const char *text)
{
    for (int type = 0; type < EVENT_MAX; type++) {
        if (strcmp(text, event_type_text((enum event_type)type)) == 0) {
            return (enum event_type)type;
        }
    }
    return EVENT_MAX;
}

kw_status event_decode(struct kw_op *op, struct kw_span text, struct event *ret)
{
    struct entry entry = {0};

    TRY(op, codec_json_decode(op, text, entry_fields, KW_COUNT(entry_fields), &entry));
    memset(ret, 0, sizeof(*ret));
    ret->type = type_from_text(entry.type);
    ret->unix_ms = entry.time_ms;
    KW_TEXT_SET(ret->source, entry.source);
    KW_TEXT_SET(ret->actor, entry.actor);
    KW_TEXT_SET(ret->object, entry.object);
    KW_TEXT_SET(ret->request_id, entry.request_id);
    KW_TEXT_SET(ret->result, entry.result);
    KW_TEXT_SET(ret->detail, entry.detail);
    return KW_OK;
}
