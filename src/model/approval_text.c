/* The text that people sign: written, and read back strictly. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/op.h"
#include "base/time.h"
#include "model/approval.h"
#include "model/roster.h"

static const char first_line[] = "keywright approval v1\n";

/* --- writing ---------------------------------------------------------------------------------- */

static kw_status put_line(struct kw_out *out, const char *name, const char *value)
{
    TRY(NULL, kw_out_append(out, kw_span_text(name)));
    TRY(NULL, kw_out_append(out, kw_span_text(": ")));
    TRY(NULL, kw_out_append(out, kw_span_text(value)));
    return kw_out_append(out, kw_span_text("\n"));
}

static kw_status put_hex(struct kw_out *out, const char *name, struct kw_span octets)
{
    char hex[2 * APPROVAL_VAULT_BYTES + 1];

    return put_line(out, name, kw_hex(octets, hex, sizeof(hex)));
}

static kw_status put_time(struct kw_out *out, const char *name, int64_t unix_s)
{
    char when[KW_TIME_TEXT];

    return put_line(out, name, kw_time_text(unix_s, when));
}

static kw_status put_subject(const struct approval_subject *subject, struct kw_out *out)
{
    TRY(NULL, put_line(out, "operation", approval_op_text(subject->op)));
    TRY(NULL, put_line(out, "meaning", approval_op_words(subject->op)));
    TRY(NULL, put_line(out, "key", subject->key_id[0] ? subject->key_id : "-"));
    TRY(NULL, put_line(out, "class",
                       subject->class_ == KEY_CLASS_NONE ? "-" : key_class_text(subject->class_)));
    for (unsigned i = 0; i < subject->n; i++) {
        TRY(NULL, put_line(out, subject->details[i].name, subject->details[i].value));
    }
    return KW_OK;
}

static kw_status put_circumstances(const struct approval_description *d, struct kw_out *out)
{
    char roles[ROLE_TEXT_MAX], needed[ROLE_TEXT_MAX + 16];

    (void)snprintf(needed, sizeof(needed), "%u of %s", (unsigned)d->needed,
                   approval_roles_text(d->roles, roles));
    TRY(NULL, put_line(out, "requester", d->requester));
    TRY(NULL, put_line(out, "approvals", needed));
    TRY(NULL, put_time(out, "opened", d->opened));
    TRY(NULL, put_time(out, "deadline", d->deadline));
    return put_hex(out, "nonce", KW_SPAN_ARRAY(d->nonce));
}

static bool in_range(const struct approval_description *d)
{
    return kw_ok(approval_subject_check(&d->subject)) && approval_name_good(d->requester) &&
           d->needed <= ROSTER_NEEDED_MAX && d->roles != 0 &&
           (d->roles & ~(uint32_t)ROLE_ALL) == 0 && d->opened >= 0 && d->opened <= d->deadline &&
           d->deadline <= KW_TIME_NEVER;
}

kw_status approval_text(const struct approval_description *description, struct kw_out *out)
{
    char id[24];

    ENSURE(NULL, in_range(description), KW_E_INPUT);
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)description->id);
    out->len = 0;
    TRY(NULL, kw_out_append(out, kw_span_text(first_line)));
    TRY(NULL, put_hex(out, "vault", KW_SPAN_ARRAY(description->vault)));
    TRY(NULL, put_line(out, "request", id));
    TRY(NULL, put_subject(&description->subject, out));
    return put_circumstances(description, out);
}

kw_status approval_signed_octets(enum approval_verdict verdict, struct kw_span text,
                                 struct kw_out *out)
{
    ENSURE(NULL, verdict >= APPROVAL_REQUEST && verdict < APPROVAL_VERDICT_MAX, KW_E_INPUT);
    out->len = 0;
    TRY(NULL, kw_out_append(out, kw_span_text("keywright approval v1 ")));
    TRY(NULL, kw_out_append(out, kw_span_text(approval_verdict_text(verdict))));
    TRY(NULL, kw_out_append(out, kw_span_text("\n")));
    return kw_out_append(out, text);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct line {
    char name[APPROVAL_DETAIL_NAME];
    char value[APPROVAL_DETAIL_VALUE];
};

/* False at the end, and where the next line is none: then the text written back differs. */
static bool take_line(struct kw_span *rest, struct line *ret)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;
    const uint8_t *colon = end ? memchr(rest->p, ':', (size_t)(end - rest->p)) : NULL;

    if (!colon || end - colon < 2 || colon[1] != ' ') {
        return false;
    }
    size_t n_name = (size_t)(colon - rest->p), n_value = (size_t)(end - colon) - 2;
    if (n_name >= sizeof(ret->name) || n_value >= sizeof(ret->value)) {
        return false;
    }
    *ret = (struct line){0};
    memcpy(ret->name, rest->p, n_name);
    memcpy(ret->value, colon + 2, n_value);
    *rest = kw_span_sub(*rest, n_name + 2 + n_value + 1, rest->len);
    return strlen(ret->name) == n_name && strlen(ret->value) == n_value; /* no NUL inside */
}

static bool read_hex(const char *text, uint8_t *octets, size_t n)
{
    struct kw_out out = {.p = octets, .cap = n};

    return kw_ok(kw_unhex(text, &out)) && out.len == n;
}

static bool set_vault(struct approval_description *d, const char *value)
{
    return read_hex(value, d->vault, sizeof(d->vault));
}

static bool set_id(struct approval_description *d, const char *value)
{
    char *end = NULL;

    d->id = strtoull(value, &end, 10);
    return *end == '\0';
}

static bool set_op(struct approval_description *d, const char *value)
{
    d->subject.op = approval_op_from_text(value);
    return d->subject.op != APPROVE_NONE;
}

static bool set_nothing(struct approval_description *d, const char *value)
{
    (void)d; /* follows from the operation: compared when the text is written back */
    (void)value;
    return true;
}

static bool set_key(struct approval_description *d, const char *value)
{
    return strcmp(value, "-") == 0 || KW_TEXT_SET(d->subject.key_id, value);
}

static bool set_class(struct approval_description *d, const char *value)
{
    d->subject.class_ = key_class_from_text(value);
    return true;
}

static bool set_requester(struct approval_description *d, const char *value)
{
    return KW_TEXT_SET(d->requester, value);
}

static bool set_needed(struct approval_description *d, const char *value)
{
    char *end = NULL;
    unsigned long needed = strtoul(value, &end, 10);

    if (needed > ROSTER_NEEDED_MAX || strncmp(end, " of ", 4) != 0) {
        return false;
    }
    d->needed = (uint32_t)needed;
    d->roles = approval_roles_from_text(end + 4);
    return d->roles != 0;
}

static bool read_time(const char *value, int64_t *ret)
{
    int64_t unix_ms = 0;

    if (!kw_ok(kw_time_parse(value, &unix_ms))) {
        return false;
    }
    *ret = unix_ms / 1000;
    return true;
}

static bool set_opened(struct approval_description *d, const char *value)
{
    return read_time(value, &d->opened);
}

static bool set_deadline(struct approval_description *d, const char *value)
{
    return read_time(value, &d->deadline);
}

static bool set_nonce(struct approval_description *d, const char *value)
{
    return read_hex(value, d->nonce, sizeof(d->nonce));
}

/* Every line of its own but the details', which stand between `class` and `requester`. */
static const struct {
    const char *name;
    bool (*set)(struct approval_description *d, const char *value);
} lines[] = {
    {"vault",     set_vault    },
    {"request",   set_id       },
    {"operation", set_op       },
    {"meaning",   set_nothing  },
    {"key",       set_key      },
    {"class",     set_class    },
    {"requester", set_requester},
    {"approvals", set_needed   },
    {"opened",    set_opened   },
    {"deadline",  set_deadline },
    {"nonce",     set_nonce    },
};
enum { DETAILS_BEFORE = 6 };

/* A line that is not the next one of its own is a detail; whether it may stand there is told by
 * writing it back. */
static bool take_one(struct approval_description *d, const struct line *line, unsigned *next)
{
    if (strcmp(line->name, lines[*next].name) == 0) {
        return lines[(*next)++].set(d, line->value);
    }
    if (*next != DETAILS_BEFORE) {
        return false;
    }
    approval_detail(&d->subject, line->name, "%s", line->value);
    return true;
}

static bool same_again(struct kw_span text, const struct approval_description *d)
{
    uint8_t octets[APPROVAL_TEXT_MAX];
    struct kw_out again = KW_OUT_ARRAY(octets);

    return kw_ok(approval_text(d, &again)) && kw_span_equal(kw_out_span(&again), text);
}

kw_status approval_text_parse(struct kw_span text, struct approval_description *ret)
{
    struct kw_span rest = text;
    struct approval_description d;
    struct line line;
    unsigned next = 0;
    size_t n = sizeof(first_line) - 1;

    memset(&d, 0, sizeof(d));
    ENSURE(NULL, text.len <= APPROVAL_TEXT_MAX, KW_E_INPUT);
    ENSURE(NULL, kw_span_equal(kw_span_sub(rest, 0, n), kw_span_text(first_line)), KW_E_INPUT);
    rest = kw_span_sub(rest, n, rest.len);
    while (next < KW_COUNT(lines)) {
        ENSURE(NULL, take_line(&rest, &line) && take_one(&d, &line, &next), KW_E_INPUT);
    }
    ENSURE(NULL, same_again(text, &d), KW_E_INPUT);
    *ret = d;
    return KW_OK;
}
