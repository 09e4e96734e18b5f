/* How failures look on the wire where no protocol says otherwise. */
#include "codec/json.h"
#include "net/http.h"

enum { PROBLEM_ROOM = 512 };

/* One line, so that people and logs of EST clients can read it. */
static void render_text(enum kw_code code, const char *public_text, const char *request_id,
                        struct http_response *response)
{
    AUTO(kw_bytes) *body = NULL;

    response->status = kw_code_http(code);
    response->content_type = "text/plain; charset=utf-8";
    if (kw_ok(kw_bytes_new(PROBLEM_ROOM, &body)) &&
        kw_ok(kw_bytes_printf(body, "%s: %s (request %s)\n", kw_code_text(code), public_text,
                              request_id))) {
        response->body = TAKE(body); /* without memory, the status alone must do */
    }
}

/* RFC 9457 section 3.1; "type" is absent, which means "about:blank". */
struct problem {
    char title[64];
    uint32_t status;
    char code[32];
    char detail[KW_OP_TEXT_MAX];
    char request_id[KW_REQUEST_ID];
};
static const struct codec_field problem_fields[] = {
    FIELD_STRING("title", struct problem, title, 0, "what kind of failure"),
    FIELD_INT("status", struct problem, status, 0, 0, 599, "HTTP status"),
    FIELD_STRING("code", struct problem, code, 0, "the same for programs"),
    FIELD_STRING("detail", struct problem, detail, 0, "what is wrong with this request"),
    FIELD_STRING("request_id", struct problem, request_id, 0, "finds the request in the log"),
};

static void render_json(enum kw_code code, const char *public_text, const char *request_id,
                        struct http_response *response)
{
    struct problem problem = {.status = (uint32_t)kw_code_http(code)};
    AUTO(kw_bytes) *body = NULL;

    (void)KW_TEXT_SET(problem.title, kw_code_meaning(code)); /* all fit; else it is empty */
    (void)KW_TEXT_SET(problem.code, kw_code_text(code));
    (void)KW_TEXT_SET(problem.detail, public_text);
    (void)KW_TEXT_SET(problem.request_id, request_id);
    response->status = kw_code_http(code);
    response->content_type = "application/problem+json";
    if (kw_ok(kw_bytes_new(PROBLEM_ROOM, &body)) &&
        kw_ok(codec_json_encode(NULL, problem_fields, KW_COUNT(problem_fields), &problem, body))) {
        response->body = TAKE(body); /* without memory, the status alone must do */
    }
}

const struct http_error_style http_errors_text = {.render = render_text};
const struct http_error_style http_errors_json = {.render = render_json};
