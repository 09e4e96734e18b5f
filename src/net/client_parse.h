/* One HTTP/1.1 answer read piece by piece: heads, lengths and chunks are http_parser's work, whose
 * names are those of net/http.h, so nothing of either is seen here. */
#ifndef NET_CLIENT_PARSE_H
#define NET_CLIENT_PARSE_H

#include "base/bytes.h"

struct answer_parser;

/* What it finds, in order; arg: as given to answer_parser_new(). */
struct answer_events {
    /* A field of the final answer's head, never of a trailer. Longer ones than ANSWER_NAME_MAX and
     * ANSWER_VALUE_MAX are left out. */
    void (*header)(void *arg, const char *name, const char *value);
    bool (*body)(void *arg, struct kw_span piece); /* false: stop */
};
enum { ANSWER_NAME_MAX = 64, ANSWER_VALUE_MAX = 256 };

/* no_body: the answer to HEAD. events: borrowed. KW_E_MEMORY. */
kw_status answer_parser_new(const struct answer_events *events, void *arg, bool no_body,
                            struct answer_parser **ret);
void answer_parser_free(struct answer_parser *parser);
KW_OWNED(answer_parser, struct answer_parser, answer_parser_free)

enum answer_state {
    ANSWER_MORE,  /* read on */
    ANSWER_WHOLE, /* nothing more is to be read; interim answers (1xx) are left out */
    ANSWER_CUT,   /* the connection ended amid of it */
    ANSWER_BAD,   /* no HTTP, by answer_parser_fault(), or events->body() said stop */
};
/* The next octets; none at all: the connection has ended. */
enum answer_state answer_parse(struct answer_parser *parser, struct kw_span octets);
int answer_parser_status(const struct answer_parser *parser);
/* May the connection be used again, the answer being whole? */
bool answer_parser_keeps(const struct answer_parser *parser);
const char *answer_parser_fault(const struct answer_parser *parser);

/* The parts of "scheme://host[:port][/path]", all within `url`. */
struct url_parts {
    struct kw_span scheme, host /* without brackets */, authority /* as for Host */, path;
    unsigned port; /* 0 = none is named */
};
/* False: no such URL, or one with a user's name, a query or a fragment. */
bool url_split(const char *url, struct url_parts *ret);

#endif
