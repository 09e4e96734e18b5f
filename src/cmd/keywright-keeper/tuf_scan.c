#include "cmd/keywright-keeper/tuf_scan.h"

#include "base/limits.h"
#include "base/time.h"
#include "base/utf8.h"

enum { DIGITS_MAX = 18, INTEGER_DIGITS_MAX = 40, SPEC_MAX = 16 };

enum kind { KIND_STRING, KIND_INTEGER, KIND_LITERAL, KIND_NESTED };

struct level {
    bool is_object;
    bool has_member;
    struct kw_span last_name;
};

struct scan {
    struct kw_span rest;
    unsigned depth;
    struct level levels[TUF_DEPTH_MAX];
    unsigned seen; /* bits of the wanted members */
    struct tuf_head head;
    const char *wrong;
};

static bool refuse(struct scan *scan, const char *wrong)
{
    if (!scan->wrong) {
        scan->wrong = wrong;
    }
    return false;
}

static int peek(const struct scan *scan)
{
    return scan->rest.len > 0 ? scan->rest.p[0] : -1;
}

static void skip(struct scan *scan, size_t n)
{
    scan->rest = kw_span_sub(scan->rest, n, scan->rest.len);
}

/* The members that the policy asks for. */
static bool take_type(struct tuf_head *head, struct kw_span v)
{
    head->type = v;
    return v.len > 0;
}

static bool take_expires(struct tuf_head *head, struct kw_span v)
{
    head->expires = v;
    return kw_ok(kw_time_parse_exact(v, &head->expires_unix));
}

static bool take_spec(struct tuf_head *head, struct kw_span v)
{
    head->spec_version = v;
    return v.len > 0 && v.len <= SPEC_MAX;
}

static bool take_version(struct tuf_head *head, struct kw_span v)
{
    uint64_t n = 0;

    for (size_t i = 0; i < v.len; i++) {
        n = v.p[i] == '-' ? 0 : n * 10 + (v.p[i] - (uint64_t)'0');
    }
    head->version = n;
    return v.len <= DIGITS_MAX && n > 0 && v.p[0] != '-';
}

static const struct wanted {
    const char *name;
    enum kind kind;
    bool (*take)(struct tuf_head *head, struct kw_span v);
    const char *wrong;
} wanted[] = {
    {"_type",        KIND_STRING,  take_type,    "_type is no name of a role"        },
    {"expires",      KIND_STRING,  take_expires, "expires is no time to the second"  },
    {"spec_version", KIND_STRING,  take_spec,    "spec_version is no version"        },
    {"version",      KIND_INTEGER, take_version, "version is no number from 1 upward"},
};
enum { WANTED_ALL = (1 << KW_COUNT(wanted)) - 1 };

/* A value of the outermost object began or was read: `v` is its text, for a string what is quoted.
 */
static bool note(struct scan *scan, enum kind kind, struct kw_span v)
{
    if (scan->depth != 1) {
        return true;
    }
    for (unsigned i = 0; i < KW_COUNT(wanted); i++) {
        if (!kw_span_equal(scan->levels[0].last_name, kw_span_text(wanted[i].name))) {
            continue;
        }
        if (kind != wanted[i].kind || !wanted[i].take(&scan->head, v)) {
            return refuse(scan, wanted[i].wrong);
        }
        scan->seen |= 1u << i;
    }
    return true;
}

/* Octets of the next character of a string, an escaped one with its backslash; 0: none may stand
 * here. */
static size_t character(struct kw_span rest)
{
    if (rest.len >= 2 && rest.p[0] == '\\') {
        return rest.p[1] == '\\' || rest.p[1] == '"' ? 2 : 0;
    }
    unsigned n = kw_utf8_next(rest);
    if (n == 0 || rest.p[0] == '\\') {
        return 0;
    }
    bool may_stand = rest.p[0] == '\t' || rest.p[0] == '\n' || rest.p[0] == '\r';
    return may_stand || !kw_utf8_is_control(rest.p, n) ? n : 0;
}

/* ret: what is quoted, escapes as they stand there. */
static bool take_string(struct scan *scan, struct kw_span *ret)
{
    struct kw_span from = kw_span_sub(scan->rest, 1, scan->rest.len);

    if (peek(scan) != '"') {
        return refuse(scan, "a string is missing");
    }
    skip(scan, 1);
    while (peek(scan) != '"') {
        size_t n = character(scan->rest);
        if (n == 0) {
            return refuse(scan, "a string is not canonical");
        }
        skip(scan, n);
    }
    *ret = kw_span_sub(from, 0, from.len - scan->rest.len);
    skip(scan, 1);
    return true;
}

/* The next octet of a quoted name without its escapes; -1 at the end. */
static int next_octet(struct kw_span *name)
{
    size_t at = name->len > 0 && name->p[0] == '\\' ? 1 : 0;

    if (name->len <= at) {
        return -1;
    }
    int octet = name->p[at];
    *name = kw_span_sub(*name, at + 1, name->len);
    return octet;
}

/* By code points, which is the order of UTF-8 octets. */
static bool is_before(struct kw_span a, struct kw_span b)
{
    for (;;) {
        int octet_a = next_octet(&a);
        int octet_b = next_octet(&b);
        if (octet_a != octet_b || octet_a < 0) {
            return octet_a < octet_b;
        }
    }
}

static bool take_name(struct scan *scan)
{
    struct level *level = &scan->levels[scan->depth - 1];
    struct kw_span name = {0};

    if (!take_string(scan, &name)) {
        return false;
    }
    if (level->has_member && !is_before(level->last_name, name)) {
        return refuse(scan, "members are not in the order of their names");
    }
    level->has_member = true;
    level->last_name = name;
    if (peek(scan) != ':') {
        return refuse(scan, "a member has no value");
    }
    skip(scan, 1);
    return true;
}

static bool take_integer(struct scan *scan)
{
    size_t sign = peek(scan) == '-' ? 1 : 0;
    size_t n = sign;

    while (n < scan->rest.len && scan->rest.p[n] >= '0' && scan->rest.p[n] <= '9') {
        n++;
    }
    bool is_zero = n == sign + 1 && scan->rest.p[sign] == '0';
    if (n == sign || n > INTEGER_DIGITS_MAX || (scan->rest.p[sign] == '0' && (!is_zero || sign))) {
        return refuse(scan, "a number is not canonical");
    }
    struct kw_span v = kw_span_sub(scan->rest, 0, n);
    skip(scan, n);
    return note(scan, KIND_INTEGER, v);
}

static bool take_literal(struct scan *scan)
{
    static const char *const literals[] = {"true", "false", "null"};

    for (size_t i = 0; i < KW_COUNT(literals); i++) {
        struct kw_span v = kw_span_sub(scan->rest, 0, strlen(literals[i]));
        if (kw_span_equal(v, kw_span_text(literals[i]))) {
            skip(scan, v.len);
            return note(scan, KIND_LITERAL, v);
        }
    }
    return refuse(scan, "a value is missing");
}

static bool take_scalar(struct scan *scan)
{
    int c = peek(scan);
    struct kw_span v = {0};

    if (c == '"') {
        return take_string(scan, &v) && note(scan, KIND_STRING, v);
    }
    return c == '-' || (c >= '0' && c <= '9') ? take_integer(scan) : take_literal(scan);
}

static int closing(const struct scan *scan)
{
    return scan->levels[scan->depth - 1].is_object ? '}' : ']';
}

/* Go into an object or array; *ret_value: a value comes next, else this one has ended already. */
static bool open_level(struct scan *scan, bool *ret_value)
{
    bool is_object = peek(scan) == '{';

    if (!note(scan, KIND_NESTED, KW_SPAN(NULL, 0))) {
        return false;
    }
    if (scan->depth == TUF_DEPTH_MAX) {
        return refuse(scan, "nested too deep");
    }
    scan->levels[scan->depth++] = (struct level){.is_object = is_object};
    skip(scan, 1);
    if (peek(scan) == closing(scan)) {
        skip(scan, 1);
        scan->depth--;
        *ret_value = false;
        return true;
    }
    *ret_value = true;
    return is_object ? take_name(scan) : true;
}

static bool begin_value(struct scan *scan, bool *ret_value)
{
    int c = peek(scan);

    if (c == '{' || c == '[') {
        return open_level(scan, ret_value);
    }
    *ret_value = false;
    return take_scalar(scan);
}

/* Behind a value that is inside of something. */
static bool end_value(struct scan *scan, bool *ret_value)
{
    int c = peek(scan);

    if (c == closing(scan)) {
        skip(scan, 1);
        scan->depth--;
        *ret_value = false;
        return true;
    }
    if (c != ',') {
        return refuse(scan, "neither a comma nor an end behind a value");
    }
    skip(scan, 1);
    *ret_value = true;
    return scan->levels[scan->depth - 1].is_object ? take_name(scan) : true;
}

static bool scan_body(struct scan *scan)
{
    bool value = true; /* one comes next */

    if (peek(scan) != '{') {
        return refuse(scan, "it is no JSON object");
    }
    while (value || scan->depth > 0) {
        if (!(value ? begin_value(scan, &value) : end_value(scan, &value))) {
            return false;
        }
    }
    if (scan->rest.len > 0) {
        return refuse(scan, "octets behind the object");
    }
    return scan->seen == WANTED_ALL ||
           refuse(scan, "_type, expires, spec_version and version are not all there");
}

kw_status tuf_scan(struct kw_span body, struct tuf_head *ret, const char **ret_wrong)
{
    struct scan scan = {.rest = body};

    if (!scan_body(&scan)) {
        *ret_wrong = scan.wrong;
        return KW_FAIL(KW_E_INPUT);
    }
    *ret = scan.head;
    return KW_OK;
}
