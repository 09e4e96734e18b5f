#include "model/statement.h"

#include <assert.h>

#include "base/hex.h"
#include "base/op.h"
#include "base/time.h"
#include "base/utf8.h"

enum {
    TOKEN_MAX = KW_NAME_MAX - 1,
    TEXT_MAX = 127,
    HASH_DIGITS = 2 * KW_HASH_BYTES,
    HASHES_MAX = 8,
    NUMBER_DIGITS_MAX = 19,
};
_Static_assert(HASHES_MAX *(HASH_DIGITS + 1) <= STATEMENT_VALUE_MAX, "the longest form fits");

/* clang-format off */
static const struct statement_field firmware_release[] = {
    {"product",          STATEMENT_TOKEN},
    {"hardware",         STATEMENT_TOKEN},
    {"version",          STATEMENT_TOKEN},
    {"image-sha256",     STATEMENT_SHA256},
    {"image-size",       STATEMENT_NUMBER},
    {"security-counter", STATEMENT_NUMBER},
};
/* REQ-KEY-PROV-02: what ties a record to its device, its place in the chain and its station. */
static const struct statement_field provisioning_record[] = {
    {"device",        STATEMENT_TOKEN},
    {"serial",        STATEMENT_TOKEN},
    {"batch",         STATEMENT_TOKEN},
    {"station",       STATEMENT_TOKEN},
    {"keys-sha256",   STATEMENT_HASHES},
    {"date",          STATEMENT_TIME},
    {"record-sha256", STATEMENT_SHA256},
    {"prev-sha256",   STATEMENT_HASH_OR_NONE},
};
static const struct statement_field evidence_manifest[] = {
    {"log-origin",      STATEMENT_TEXT},
    {"log-size",        STATEMENT_NUMBER},
    {"log-root",        STATEMENT_SHA256},
    {"from",            STATEMENT_TIME},
    {"to",              STATEMENT_TIME},
    {"manifest-sha256", STATEMENT_SHA256},
};
static const struct statement_field destruction[] = {
    {"key",         STATEMENT_TOKEN},
    {"class",       STATEMENT_TOKEN},
    {"spki-sha256", STATEMENT_HASH_OR_NONE}, /* a symmetric key has no public half */
    {"custody",     STATEMENT_TEXT},
    {"method",      STATEMENT_TEXT},
    {"proof",       STATEMENT_TEXT},
    {"probe",       STATEMENT_TEXT},
    {"kek-version", STATEMENT_NUMBER},
    {"approvals",   STATEMENT_TEXT},
    {"time",        STATEMENT_TIME},
};
/* docs/protocol/device-time.md */
static const struct statement_field device_time[] = {
    {"nonce", STATEMENT_SHA256},
    {"time",  STATEMENT_TIME},
};
/* docs/protocol/device-wipe.md */
static const struct statement_field device_wipe[] = {
    {"device",     STATEMENT_TEXT},
    {"key-sha256", STATEMENT_SHA256},
    {"nonce",      STATEMENT_SHA256},
    {"time",       STATEMENT_TIME},
};
/* docs/protocol/filter.md; crypto/filter_read.c reads the same. */
static const struct statement_field revocation_filter[] = {
    {"ca",                 STATEMENT_TOKEN},
    {"issuer-spki-sha256", STATEMENT_SHA256},
    {"number",             STATEMENT_NUMBER},
    {"this-update",        STATEMENT_TIME},
    {"next-update",        STATEMENT_TIME},
    {"begin-until",        STATEMENT_TIME},
    {"end-from",           STATEMENT_TIME},
    {"certificates",       STATEMENT_NUMBER},
    {"revoked",            STATEMENT_NUMBER},
    {"body-sha256",        STATEMENT_SHA256},
};

#define FIELDS(list) (list), KW_COUNT(list)
static const struct kind_row {
    const char *text;
    const struct statement_field *fields;
    unsigned n;
} kinds[STATEMENT_KIND_MAX] = {
    [STATEMENT_NONE]                = {"none", NULL, 0},
    [STATEMENT_FIRMWARE_RELEASE]    = {"firmware-release", FIELDS(firmware_release)},
    [STATEMENT_PROVISIONING_RECORD] = {"provisioning-record", FIELDS(provisioning_record)},
    [STATEMENT_EVIDENCE_MANIFEST]   = {"evidence-manifest", FIELDS(evidence_manifest)},
    [STATEMENT_DESTRUCTION]         = {"destruction", FIELDS(destruction)},
    [STATEMENT_DEVICE_TIME]         = {"device-time", FIELDS(device_time)},
    [STATEMENT_REVOCATION_FILTER]   = {"revocation-filter", FIELDS(revocation_filter)},
    [STATEMENT_DEVICE_WIPE]         = {"device-wipe", FIELDS(device_wipe)},
};
/* clang-format on */
_Static_assert(KW_COUNT(destruction) <= STATEMENT_FIELDS_MAX &&
                   KW_COUNT(revocation_filter) <= STATEMENT_FIELDS_MAX,
               "the longest kinds fit");

static const struct kind_row *row_of(enum statement_kind kind)
{
    return &kinds[(unsigned)kind < STATEMENT_KIND_MAX ? kind : STATEMENT_NONE];
}

const char *statement_kind_text(enum statement_kind kind)
{
    return row_of(kind)->text;
}

const struct statement_field *statement_fields(enum statement_kind kind, unsigned *ret_n)
{
    *ret_n = row_of(kind)->n;
    return row_of(kind)->fields;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token(struct kw_span v)
{
    if (v.len == 0 || v.len > TOKEN_MAX || v.p[0] == '.' || v.p[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.p[i];
        if (!is_digit(c) && !is_letter(c) && c != '.' && c != '_' && c != '+' && c != '-') {
            return false;
        }
    }
    return true;
}

static bool is_text(struct kw_span v)
{
    return v.len >= 1 && v.len <= TEXT_MAX && kw_utf8_is_plain(v) && v.p[0] != ' ' &&
           v.p[v.len - 1] != ' ';
}

static bool is_hash(struct kw_span v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (!is_digit(v.p[i]) && !(v.p[i] >= 'a' && v.p[i] <= 'f')) {
            return false;
        }
    }
    return v.len == HASH_DIGITS;
}

static bool is_hash_or_none(struct kw_span v)
{
    return is_hash(v) || kw_span_equal(v, kw_span_text("none"));
}

static bool is_hashes(struct kw_span v)
{
    size_t at = 0;

    if ((v.len + 1) % (HASH_DIGITS + 1) != 0 || v.len > HASHES_MAX * (HASH_DIGITS + 1)) {
        return false;
    }
    for (; at + HASH_DIGITS < v.len; at += HASH_DIGITS + 1) {
        if (!is_hash(kw_span_sub(v, at, HASH_DIGITS)) || v.p[at + HASH_DIGITS] != ',') {
            return false;
        }
    }
    return is_hash(kw_span_sub(v, at, HASH_DIGITS));
}

/* False where it is not a number of this form. */
static bool read_number(struct kw_span v, uint64_t *ret)
{
    uint64_t n = 0;

    if (v.len == 0 || v.len > NUMBER_DIGITS_MAX || (v.len > 1 && v.p[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < v.len; i++) {
        if (!is_digit(v.p[i])) {
            return false;
        }
        n = n * 10 + (v.p[i] - (uint64_t)'0'); /* 19 digits stay below 2^64 */
    }
    *ret = n;
    return n <= INT64_MAX;
}

static bool is_number(struct kw_span v)
{
    uint64_t n = 0;

    return read_number(v, &n);
}

static bool is_time(struct kw_span v)
{
    int64_t unix_s = 0;

    return kw_ok(kw_time_parse_exact(v, &unix_s));
}

static bool (*const forms[])(struct kw_span v) = {
    [STATEMENT_TOKEN] = is_token,   [STATEMENT_TEXT] = is_text,
    [STATEMENT_SHA256] = is_hash,   [STATEMENT_HASH_OR_NONE] = is_hash_or_none,
    [STATEMENT_HASHES] = is_hashes, [STATEMENT_NUMBER] = is_number,
    [STATEMENT_TIME] = is_time,
};
_Static_assert(KW_COUNT(forms) == STATEMENT_TIME + 1, "every form has its test");

/* The next line without its line feed; false where none ends. */
static bool take_line(struct kw_span *rest, struct kw_span *ret_line)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;

    if (!end) {
        return false;
    }
    size_t n = (size_t)(end - rest->p);
    *ret_line = kw_span_sub(*rest, 0, n);
    *rest = kw_span_sub(*rest, n + 1, rest->len);
    return true;
}

static bool take_text(struct kw_span *rest, const char *text)
{
    size_t n = strlen(text);

    if (!kw_span_equal(kw_span_sub(*rest, 0, n), kw_span_text(text))) {
        return false;
    }
    *rest = kw_span_sub(*rest, n, rest->len);
    return true;
}

static enum statement_kind kind_of_line(struct kw_span line)
{
    for (unsigned i = STATEMENT_NONE + 1; i < STATEMENT_KIND_MAX; i++) {
        struct kw_span rest = line;
        if (take_text(&rest, kinds[i].text) && kw_span_equal(rest, kw_span_text(" v1"))) {
            return (enum statement_kind)i;
        }
    }
    return STATEMENT_NONE;
}

static bool take_field(struct kw_span *rest, const struct statement_field *field,
                       struct kw_span *ret_value)
{
    struct kw_span line;

    return take_line(rest, &line) && take_text(&line, field->name) && take_text(&line, ": ") &&
           forms[field->form](*ret_value = line);
}

static kw_status refuse(const char **ret_wrong, const char *wrong)
{
    if (ret_wrong) {
        *ret_wrong = wrong;
    }
    return KW_FAIL(KW_E_INPUT);
}

kw_status statement_parse(struct kw_span text, struct statement *ret, const char **ret_wrong)
{
    struct statement statement = {0};
    struct kw_span rest = text;
    struct kw_span line;

    if (text.len > STATEMENT_MAX || !take_line(&rest, &line)) {
        return refuse(ret_wrong, "the first line");
    }
    statement.kind = kind_of_line(line);
    const struct kind_row *row = row_of(statement.kind);
    if (!row->fields) {
        return refuse(ret_wrong, "the first line");
    }
    for (unsigned i = 0; i < row->n; i++) {
        if (!take_field(&rest, &row->fields[i], &statement.value[i])) {
            return refuse(ret_wrong, row->fields[i].name);
        }
    }
    if (rest.len > 0) {
        return refuse(ret_wrong, "what stands behind the last line");
    }
    statement.n = row->n;
    *ret = statement;
    return KW_OK;
}

static kw_status append_line(struct kw_out *out, const char *name, const char *separator,
                             const char *value)
{
    TRY(NULL, kw_out_append(out, kw_span_text(name)));
    TRY(NULL, kw_out_append(out, kw_span_text(separator)));
    TRY(NULL, kw_out_append(out, kw_span_text(value)));
    return kw_out_append(out, kw_span_text("\n"));
}

kw_status statement_write(enum statement_kind kind, const char *const values[], unsigned n,
                          struct kw_out *out)
{
    const struct kind_row *row = row_of(kind);
    size_t from = out->len;
    struct statement again;

    ENSURE(NULL, n == row->n && n > 0, KW_E_INPUT);
    TRY(NULL, append_line(out, row->text, " ", "v1"));
    for (unsigned i = 0; i < n; i++) {
        TRY(NULL, append_line(out, row->fields[i].name, ": ", values[i]));
    }
    return statement_parse(KW_SPAN(out->p + from, out->len - from), &again, NULL);
}

struct kw_span statement_value(const struct statement *statement, const char *name)
{
    const struct kind_row *row = row_of(statement->kind);

    for (unsigned i = 0; i < row->n; i++) {
        if (strcmp(row->fields[i].name, name) == 0) {
            return statement->value[i];
        }
    }
    assert(!"a field that this kind has");
    return KW_SPAN(NULL, 0);
}

bool statement_is(const struct statement *statement, const char *name, const char *text)
{
    return kw_span_equal(statement_value(statement, name), kw_span_text(text));
}

uint64_t statement_number(const struct statement *statement, const char *name)
{
    uint64_t n = 0;
    bool is = read_number(statement_value(statement, name), &n);

    assert(is);
    return n;
}

int64_t statement_time(const struct statement *statement, const char *name)
{
    int64_t unix_s = 0;
    bool is = kw_ok(kw_time_parse_exact(statement_value(statement, name), &unix_s));

    assert(is);
    return unix_s;
}

void statement_hash(const struct statement *statement, const char *name, uint8_t ret[KW_HASH_BYTES])
{
    struct kw_out out = {.p = ret, .cap = KW_HASH_BYTES};
    kw_status status = kw_unhex_span(statement_value(statement, name), &out);
    bool is = kw_ok(status) && out.len == KW_HASH_BYTES;

    assert(is);
}
