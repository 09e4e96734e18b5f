/* A filter file: what it says, who signed it, what it answers. */
#include "base/hex.h"
#include "base/reader.h"
#include "base/time.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "crypto/filter.h"

enum { SIGNATURE_MAX = 1024, AHEAD_S = 300, NUMBER_DIGITS_MAX = 19 };
static const char MAGIC[8] = {'K', 'W', 'F', 'I', 'L', 'T', '0', '1'};

/* --- the statement ---------------------------------------------------------------------------- */

static bool read_ca(struct kw_span v, void *ret)
{
    if (v.len == 0 || v.len >= KW_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] <= ' ' || v.p[i] >= 0x7f) {
            return false;
        }
    }
    memset(ret, 0, KW_NAME_MAX);
    memcpy(ret, v.p, v.len);
    return true;
}

static bool read_hash(struct kw_span v, void *ret)
{
    struct kw_out out = {.p = ret, .cap = KW_HASH_BYTES};

    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] >= 'A' && v.p[i] <= 'F') {
            return false;
        }
    }
    return v.len == (size_t)2 * KW_HASH_BYTES && kw_ok(kw_unhex_span(v, &out));
}

static bool read_number(struct kw_span v, void *ret)
{
    uint64_t n = 0;

    if (v.len == 0 || v.len > NUMBER_DIGITS_MAX || (v.len > 1 && v.p[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') {
            return false;
        }
        n = n * 10 + (v.p[i] - (uint64_t)'0'); /* 19 digits stay below 2^64 */
    }
    memcpy(ret, &n, sizeof(n));
    return n <= INT64_MAX;
}

/* Exactly what kw_time_text() writes. */
static bool read_time(struct kw_span v, void *ret)
{
    char text[KW_TIME_TEXT] = "", again[KW_TIME_TEXT];
    int64_t ms = 0;

    if (v.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, v.p, v.len);
    if (!kw_ok(kw_time_parse(text, &ms)) ||
        !kw_span_equal(kw_span_text(kw_time_text(ms / 1000, again)), v)) {
        return false;
    }
    ms /= 1000;
    memcpy(ret, &ms, sizeof(ms));
    return true;
}

#define PLACE(member) offsetof(struct filter_said, member)
static const struct line {
    const char *begins;
    bool (*read)(struct kw_span v, void *ret);
    size_t place;
} lines[] = {
    {"ca: ",                 read_ca,     PLACE(ca)         },
    {"issuer-spki-sha256: ", read_hash,   PLACE(issuer)     },
    {"number: ",             read_number, PLACE(number)     },
    {"this-update: ",        read_time,   PLACE(this_update)},
    {"next-update: ",        read_time,   PLACE(next_update)},
    {"begin-until: ",        read_time,   PLACE(begin_until)},
    {"end-from: ",           read_time,   PLACE(end_from)   },
    {"certificates: ",       read_number, PLACE(certs)      },
    {"revoked: ",            read_number, PLACE(revoked)    },
    {"body-sha256: ",        read_hash,   PLACE(body_sha256)},
};

static bool take_text(struct kw_span *rest, const char *text)
{
    struct kw_span wanted = kw_span_text(text);

    if (!kw_span_equal(kw_span_sub(*rest, 0, wanted.len), wanted)) {
        return false;
    }
    *rest = kw_span_sub(*rest, wanted.len, rest->len);
    return true;
}

static bool take_line(struct kw_span *rest, const struct line *line, struct filter_said *said)
{
    if (!take_text(rest, line->begins)) {
        return false;
    }
    const uint8_t *end = rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->p) : 0;
    struct kw_span value = kw_span_sub(*rest, 0, n);
    *rest = kw_span_sub(*rest, n + 1, rest->len);
    return end && line->read(value, (uint8_t *)said + line->place);
}

static bool statement_read(struct kw_span statement, struct filter_said *ret)
{
    struct kw_span rest = statement;

    if (!take_text(&rest, "revocation-filter v1\n")) {
        return false;
    }
    for (unsigned i = 0; i < KW_COUNT(lines); i++) {
        if (!take_line(&rest, &lines[i], ret)) {
            return false;
        }
    }
    return rest.len == 0;
}

/* --- the file --------------------------------------------------------------------------------- */

kw_status filter_parse(struct kw_op *op, struct kw_span file, struct filter *ret)
{
    struct kw_reader r = kw_reader_of(file);
    struct filter filter = {0};

    struct kw_span magic = kw_reader_take(&r, sizeof(MAGIC));
    filter.statement = kw_reader_span16(&r, FILTER_STATEMENT_MAX);
    filter.signature = kw_reader_span16(&r, SIGNATURE_MAX);
    filter.body_octets = r.rest;
    ENSURE(op, !r.failed && kw_span_equal(magic, KW_SPAN_ARRAY(MAGIC)), KW_E_INPUT,
           "this is no revocation filter");
    ENSURE(op, statement_read(filter.statement, &filter.said), KW_E_INPUT,
           "the statement of the filter is not as it must be");
    ENSURE(op, kw_ok(filter_body_parse(filter.body_octets, &filter.body)), KW_E_INPUT,
           "the body of the filter is not as it must be");
    *ret = filter;
    return KW_OK;
}

kw_status filter_verify(struct kw_op *op, const struct filter *filter, const struct pubkey *issuer)
{
    uint8_t hash[KW_HASH_BYTES];

    ENSURE(op, memcmp(filter->said.issuer, pubkey_id(issuer), KW_HASH_BYTES) == 0, KW_E_DENIED,
           "the filter is about another CA's key");
    TRY(op, pubkey_verify(op, issuer, filter->statement, filter->signature));
    digest_sha256(filter->body_octets, hash);
    ENSURE(op, memcmp(filter->said.body_sha256, hash, sizeof(hash)) == 0, KW_E_DENIED,
           "the body of the filter is not the one that was signed");
    return KW_OK;
}

kw_status filter_join(struct kw_op *op, struct kw_span statement, struct kw_span signature,
                      struct kw_span body, struct kw_bytes **ret)
{
    uint8_t room[sizeof(MAGIC) + 4 + FILTER_STATEMENT_MAX + SIGNATURE_MAX];
    struct kw_out head = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&head);
    AUTO(kw_bytes) *file = NULL;

    kw_writer_put(&w, KW_SPAN_ARRAY(MAGIC));
    kw_writer_span16(&w, statement);
    kw_writer_span16(&w, signature);
    TRY(op, kw_writer_end(&w), "a filter's statement and signature");
    TRY(op, kw_bytes_new(head.len + body.len, &file));
    TRY(op, kw_bytes_append(file, kw_out_span(&head)));
    TRY(op, kw_bytes_append(file, body));
    *ret = TAKE(file);
    return KW_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

const char *filter_answer_text(enum filter_answer answer)
{
    static const char *const texts[] = {
#define X(name, text) text,
        FILTER_ANSWERS(X)
#undef X
    };

    return (unsigned)answer < FILTER_ANSWER_MAX ? texts[answer] : "no answer";
}

bool filter_is_current(const struct filter *filter, int64_t now_s)
{
    return now_s >= filter->said.this_update - AHEAD_S && now_s < filter->said.next_update;
}

enum filter_answer filter_ask(const struct filter *filter, struct kw_span serial,
                              int64_t not_before, int64_t not_after, int64_t now_s)
{
    const struct filter_said *said = &filter->said;

    if (!filter_is_current(filter, now_s)) {
        return FILTER_STALE;
    }
    if (not_before > said->begin_until || not_after < said->end_from) {
        return FILTER_NOT_COVERED;
    }
    return filter_body_has(&filter->body, serial) ? FILTER_REVOKED : FILTER_GOOD;
}
