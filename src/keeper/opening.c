#include "keeper/opening.h"

#include "base/reader.h"
#include "base/writer.h"

static const char request_magic[] = "KWOPEN01";
static const char reply_magic[] = "KWOPRE01";

/* 1..99 in decimal, moving on; 0 otherwise. */
static unsigned small_number(const char **text)
{
    unsigned value = 0;

    for (unsigned i = 0; i < 2 && **text >= '0' && **text <= '9'; i++, (*text)++) {
        value = value * 10 + (unsigned)(**text - '0');
    }
    return value;
}

bool opening_shares(const char *unlock, unsigned *ret_m, unsigned *ret_n)
{
    static const char prefix[] = "shares:";
    size_t n_prefix = sizeof(prefix) - 1;

    if (strncmp(unlock, prefix, n_prefix) != 0) {
        return false;
    }
    const char *rest = unlock + n_prefix;
    unsigned m = small_number(&rest);
    bool comma = *rest == ',';
    rest += comma;
    unsigned n = small_number(&rest);
    if (!comma || *rest || m < 2 || m > n || n > KW_SHARES_MAX) {
        return false;
    }
    *ret_m = m;
    *ret_n = n;
    return true;
}

static bool takes_secret(unsigned command)
{
    return command == OPENING_PASSPHRASE || command == OPENING_SHARE ||
           command == OPENING_NEW_PASSPHRASE;
}

static void read_magic(struct kw_reader *r, const char *magic)
{
    if (!kw_span_equal(kw_reader_take(r, strlen(magic)), kw_span_text(magic))) {
        kw_reader_reject(r);
    }
}

kw_status opening_request_encode(const struct opening_request *request, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(request_magic));
    kw_writer_u8(&w, (uint8_t)request->command);
    kw_writer_u8(&w, request->m);
    kw_writer_u8(&w, request->n);
    kw_writer_span16(&w, request->secret);
    return kw_writer_end(&w);
}

kw_status opening_request_decode(struct kw_span packet, struct opening_request *ret)
{
    struct kw_reader r = kw_reader_of(packet);
    struct opening_request request = {0};

    read_magic(&r, request_magic);
    unsigned command = kw_reader_u8(&r);
    request.m = kw_reader_u8(&r);
    request.n = kw_reader_u8(&r);
    request.secret = kw_reader_span16(&r, OPENING_SECRET_MAX);
    bool numbers = request.m != 0 || request.n != 0;
    if (command == 0 || command >= OPENING_COMMAND_MAX ||
        numbers != (command == OPENING_NEW_SHARES) ||
        (request.secret.len > 0) != takes_secret(command)) {
        kw_reader_reject(&r);
    }
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        request.command = (enum opening_command)command;
        *ret = request;
    }
    return status;
}

kw_status opening_reply_encode(const struct opening_reply *reply, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(reply_magic));
    kw_writer_u16(&w, (uint16_t)reply->code);
    kw_writer_text(&w, reply->text);
    kw_writer_u8(
        &w, (uint8_t)((reply->open ? 1 : 0) | (reply->fresh ? 2 : 0) | (reply->rekey ? 4 : 0)));
    kw_writer_text(&w, reply->method);
    kw_writer_u8(&w, reply->given);
    kw_writer_u8(&w, reply->needed);
    kw_writer_u8(&w, reply->n_shares);
    for (unsigned i = 0; i < reply->n_shares; i++) {
        kw_writer_span16(&w, reply->shares[i]);
    }
    return kw_writer_end(&w);
}

kw_status opening_reply_decode(struct kw_span packet, struct opening_reply *ret)
{
    struct kw_reader r = kw_reader_of(packet);
    struct opening_reply reply = {0};

    read_magic(&r, reply_magic);
    unsigned code = kw_reader_u16(&r);
    kw_reader_text(&r, reply.text, sizeof(reply.text));
    unsigned flags = kw_reader_u8(&r);
    kw_reader_text(&r, reply.method, sizeof(reply.method));
    reply.given = kw_reader_u8(&r);
    reply.needed = kw_reader_u8(&r);
    reply.n_shares = kw_reader_u8(&r);
    if (code >= KW_CODE_MAX || flags > 7 || reply.n_shares > KW_SHARES_MAX) {
        kw_reader_reject(&r);
    }
    for (unsigned i = 0; i < reply.n_shares && !r.failed; i++) {
        reply.shares[i] = kw_reader_span16(&r, OPENING_SECRET_MAX);
    }
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        reply.code = (enum kw_code)code;
        reply.open = flags & 1;
        reply.fresh = flags & 2;
        reply.rekey = flags & 4;
        *ret = reply;
    }
    return status;
}
