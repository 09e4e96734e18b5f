/* What a server answers, at once and octet by octet: both ways must find the same. */
#include <assert.h>

#include "net/client_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    size_t n_fields, n_body;
};

static void on_header(void *arg, const char *name, const char *value)
{
    struct heard *heard = arg;

    assert(strlen(name) < ANSWER_NAME_MAX && strlen(value) < ANSWER_VALUE_MAX);
    heard->n_fields++;
}

static bool on_body(void *arg, struct kw_span piece)
{
    struct heard *heard = arg;

    heard->n_body += piece.len;
    return true;
}

static const struct answer_events events = {.header = on_header, .body = on_body};

static enum answer_state feed(struct answer_parser *parser, const uint8_t *data, size_t size,
                              size_t step)
{
    enum answer_state state = ANSWER_MORE;

    for (size_t at = 0; at < size && state == ANSWER_MORE; at += step) {
        state = answer_parse(parser, KW_SPAN(data + at, size - at < step ? size - at : step));
    }
    return state == ANSWER_MORE ? answer_parse(parser, KW_SPAN(NULL, 0)) : state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(answer_parser) *whole = NULL;
    AUTO(answer_parser) *pieces = NULL;
    struct heard by_whole = {0};
    struct heard by_pieces = {0};

    if (size < 1) {
        return 0;
    }
    bool no_body = (data[0] & 1) != 0;
    assert(kw_ok(answer_parser_new(&events, &by_whole, no_body, &whole)));
    assert(kw_ok(answer_parser_new(&events, &by_pieces, no_body, &pieces)));
    enum answer_state one = feed(whole, data + 1, size - 1, size);
    enum answer_state other = feed(pieces, data + 1, size - 1, 1);
    assert(one == other);
    if (one == ANSWER_WHOLE) {
        assert(by_whole.n_fields == by_pieces.n_fields && by_whole.n_body == by_pieces.n_body);
        assert(answer_parser_status(whole) == answer_parser_status(pieces));
    }
    return 0;
}
