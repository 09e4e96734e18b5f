/* What comes back. */
#include <stdlib.h>
#include <strings.h>

#include "net/client_internal.h"
#include "net/client_parse.h"
#include "net/request.h"

enum { READ_AT_ONCE = 4096 };

void http_answer_done(struct http_answer *answer)
{
    kw_bytes_free(answer->body);
    answer->body = NULL;
}

static bool on_body(void *arg, struct kw_span piece)
{
    struct http_client *client = arg;
    struct kw_bytes *body = client->answer.body;

    client->too_large = piece.len > client->config.response_max - body->len;
    if (client->too_large) {
        return false;
    }
    client->no_memory = !kw_ok(kw_bytes_append(body, piece));
    return !client->no_memory;
}

/* Seconds only; a date (RFC 9110 section 10.2.3) is as good as absent. */
static uint32_t retry_after_of(const char *value)
{
    char *end = NULL;
    unsigned long seconds = strtoul(value, &end, 10);

    bool is_number = value[0] >= '0' && value[0] <= '9' && *end == '\0';
    return is_number && seconds <= UINT32_MAX ? (uint32_t)seconds : 0;
}

static void on_header(void *arg, const char *name, const char *value)
{
    struct http_client *client = arg;
    struct http_answer *answer = &client->answer;

    if (strcasecmp(name, "Content-Type") == 0) {
        request_media_type(value, answer->content_type, sizeof(answer->content_type));
    } else if (strcasecmp(name, "Retry-After") == 0) {
        answer->retry_after_s = retry_after_of(value);
    }
}

static const struct answer_events events = {.header = on_header, .body = on_body};

static kw_status read_on(struct kw_op *op, struct http_client *client, struct answer_parser *parser,
                         int64_t until_ms, enum answer_state *ret_state)
{
    uint8_t room[READ_AT_ONCE] KW_ROOM;
    size_t n = 0;

    TRY(op, client_link_read(op, client, room, sizeof(room), until_ms, &n));
    client->answered = client->answered || n > 0;
    *ret_state = answer_parse(parser, KW_SPAN(room, n));
    ENSURE(op, *ret_state != ANSWER_CUT, KW_E_UNAVAILABLE, "the server ended the connection %s",
           client->answered ? "amid its answer" : "without an answer");
    ENSURE(op, !client->too_large, KW_E_TOO_LARGE, "the answer has more than %zu octets",
           client->config.response_max);
    ENSURE(op, !client->no_memory, KW_E_MEMORY, "the answer");
    ENSURE(op, *ret_state != ANSWER_BAD, KW_E_DEVICE, "the answer is no HTTP: %s",
           answer_parser_fault(parser));
    return KW_OK;
}

kw_status client_read_answer(struct kw_op *op, struct http_client *client, bool no_body,
                             int64_t until_ms, bool *ret_keep)
{
    AUTO(answer_parser) *parser = NULL;
    enum answer_state state = ANSWER_MORE;

    TRY(op, answer_parser_new(&events, client, no_body, &parser), "the answer");
    while (state == ANSWER_MORE) {
        TRY(op, read_on(op, client, parser, until_ms, &state));
    }
    client->answer.status = answer_parser_status(parser);
    *ret_keep = answer_parser_keeps(parser);
    return KW_OK;
}
