#include "net/client_parse.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

struct answer_parser {
    http_parser parser;
    const struct answer_events *events;
    void *arg;
    bool no_body;
    bool in_head;  /* fields are the head's, not a trailer's */
    bool in_value; /* of the field that is being read */
    bool whole, keeps, spoiled /* octets after the end */;
    size_t name_len, value_len; /* beyond the room: too long, left out */
    char name[ANSWER_NAME_MAX];
    char value[ANSWER_VALUE_MAX];
};

enum { STATUS_FINAL = 200, STATUS_SWITCHING = 101 };

/* 101 is final, too: nobody asked for it, and what follows is no HTTP. */
static bool is_interim(const http_parser *parser)
{
    return parser->status_code < STATUS_FINAL && parser->status_code != STATUS_SWITCHING;
}

static void collect(char *room, size_t cap, size_t *len, const char *piece, size_t n)
{
    if (*len < cap && n < cap - *len) {
        memcpy(room + *len, piece, n);
        *len += n;
        room[*len] = '\0';
    } else {
        *len = cap;
    }
}

/* A field is whole once the next one begins, or the head ends. */
static void tell_field(struct answer_parser *self)
{
    bool fits = self->name_len < sizeof(self->name) && self->value_len < sizeof(self->value);

    while (fits && self->value_len > 0 && self->value[self->value_len - 1] <= ' ') {
        self->value[--self->value_len] = '\0'; /* white space after it is not of it */
    }
    if (self->in_head && self->in_value && fits && !is_interim(&self->parser)) {
        self->events->header(self->arg, self->name, self->value);
    }
    self->in_value = false;
    self->name_len = 0;
    self->value_len = 0;
    self->name[0] = '\0';
    self->value[0] = '\0';
}

static int on_begin(http_parser *parser)
{
    struct answer_parser *self = parser->data;

    self->in_head = true;
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t n)
{
    struct answer_parser *self = parser->data;

    if (self->in_value) {
        tell_field(self);
    }
    collect(self->name, sizeof(self->name), &self->name_len, at, n);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t n)
{
    struct answer_parser *self = parser->data;

    self->in_value = true;
    collect(self->value, sizeof(self->value), &self->value_len, at, n);
    return 0;
}

static int on_head(http_parser *parser)
{
    struct answer_parser *self = parser->data;

    tell_field(self);
    self->in_head = false;
    return self->no_body && !is_interim(parser) ? 1 : 0; /* 1: a body is announced, none comes */
}

static int on_body(http_parser *parser, const char *at, size_t n)
{
    struct answer_parser *self = parser->data;

    return self->events->body(self->arg, KW_SPAN(at, n)) ? 0 : -1;
}

static int on_end(http_parser *parser)
{
    struct answer_parser *self = parser->data;

    if (!is_interim(parser)) {
        self->whole = true;
        self->keeps = http_should_keep_alive(parser) != 0;
        http_parser_pause(parser, 1); /* whatever comes after it was not asked for */
    }
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

kw_status answer_parser_new(const struct answer_events *events, void *arg, bool no_body,
                            struct answer_parser **ret)
{
    struct answer_parser *self = calloc(1, sizeof(*self));

    if (!self) {
        return KW_FAIL(KW_E_MEMORY);
    }
    http_parser_init(&self->parser, HTTP_RESPONSE);
    self->parser.data = self;
    self->events = events;
    self->arg = arg;
    self->no_body = no_body;
    *ret = self;
    return KW_OK;
}

void answer_parser_free(struct answer_parser *parser)
{
    free(parser);
}

enum answer_state answer_parse(struct answer_parser *self, struct kw_span octets)
{
    size_t n = http_parser_execute(&self->parser, &settings, (const char *)octets.p, octets.len);

    if (self->whole) {
        self->spoiled = n < octets.len || self->parser.upgrade;
        return ANSWER_WHOLE;
    }
    if (octets.len == 0) {
        return ANSWER_CUT;
    }
    return HTTP_PARSER_ERRNO(&self->parser) == HPE_OK ? ANSWER_MORE : ANSWER_BAD;
}

int answer_parser_status(const struct answer_parser *parser)
{
    return (int)parser->parser.status_code;
}

bool answer_parser_keeps(const struct answer_parser *parser)
{
    return parser->keeps && !parser->spoiled;
}

const char *answer_parser_fault(const struct answer_parser *parser)
{
    return http_errno_description(HTTP_PARSER_ERRNO(&parser->parser));
}

static struct kw_span part(const char *url, const struct http_parser_url *parts, unsigned which)
{
    bool there = (parts->field_set & (1U << which)) != 0;

    return there ? KW_SPAN(url + parts->field_data[which].off, parts->field_data[which].len)
                 : KW_SPAN(NULL, 0);
}

bool url_split(const char *url, struct url_parts *ret)
{
    struct http_parser_url parts;
    const unsigned needed = 1U << UF_SCHEMA | 1U << UF_HOST;
    const unsigned refused = 1U << UF_USERINFO | 1U << UF_QUERY | 1U << UF_FRAGMENT;

    http_parser_url_init(&parts);
    if (http_parser_parse_url(url, strlen(url), /* is_connect= */ 0, &parts) != 0 ||
        (parts.field_set & needed) != needed || (parts.field_set & refused) != 0) {
        return false;
    }
    ret->scheme = part(url, &parts, UF_SCHEMA);
    ret->host = part(url, &parts, UF_HOST);
    ret->path = part(url, &parts, UF_PATH);
    ret->port = parts.port;
    const char *authority = url + ret->scheme.len + strlen("://");
    ret->authority = KW_SPAN(authority, strcspn(authority, "/"));
    return ret->host.len > 0;
}
