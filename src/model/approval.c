#include "model/approval.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/op.h"
#include "base/utf8.h"

/* --- tables ----------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *text, *words;
    bool free;
} ops[] = {
    [APPROVE_NONE] = {"none", "nothing", false},
#define X(name, text, free, words) [APPROVE_##name] = {text, words, free},
    APPROVAL_OPS(X)
#undef X
};
/* clang-format on */
_Static_assert(KW_COUNT(ops) == APPROVE_MAX, "every operation has a row");

static const char *const verdicts[] = {
    [0] = "none",
    [APPROVAL_REQUEST] = "request",
    [APPROVAL_APPROVE] = "approve",
    [APPROVAL_REJECT] = "reject",
};
_Static_assert(KW_COUNT(verdicts) == APPROVAL_VERDICT_MAX, "every verdict has a text");

static const char *const states[] = {
    [0] = "none",
    [APPROVAL_OPEN] = "open",
    [APPROVAL_CONSUMED] = "consumed",
    [APPROVAL_REJECTED] = "rejected",
    [APPROVAL_EXPIRED] = "expired",
    [APPROVAL_CANCELLED] = "cancelled",
};
_Static_assert(KW_COUNT(states) == APPROVAL_STATE_MAX, "every state has a text");

const char *approval_op_text(enum approval_op op)
{
    return (unsigned)op < APPROVE_MAX ? ops[op].text : "none";
}

const char *approval_op_words(enum approval_op op)
{
    return (unsigned)op < APPROVE_MAX ? ops[op].words : "nothing";
}

bool approval_op_free(enum approval_op op)
{
    return (unsigned)op < APPROVE_MAX && ops[op].free;
}

enum approval_op approval_op_from_text(const char *text)
{
    for (unsigned i = APPROVE_NONE + 1; i < APPROVE_MAX; i++) {
        if (strcmp(ops[i].text, text) == 0) {
            return (enum approval_op)i;
        }
    }
    return APPROVE_NONE;
}

const char *approval_verdict_text(enum approval_verdict verdict)
{
    return (unsigned)verdict < APPROVAL_VERDICT_MAX ? verdicts[verdict] : "none";
}

enum approval_verdict approval_verdict_from_text(const char *text)
{
    for (unsigned i = APPROVAL_REQUEST; i < APPROVAL_VERDICT_MAX; i++) {
        if (strcmp(verdicts[i], text) == 0) {
            return (enum approval_verdict)i;
        }
    }
    return (enum approval_verdict)0;
}

const char *approval_state_text(enum approval_state state)
{
    return (unsigned)state < APPROVAL_STATE_MAX ? states[state] : "none";
}

/* --- subjects --------------------------------------------------------------------------------- */

/* So many details is none: the subject is invalid. */
enum { OVERFULL = APPROVAL_DETAILS_MAX + 1 };

struct approval_subject approval_subject_of(enum approval_op op, enum key_class class_,
                                            const char *key_id)
{
    struct approval_subject subject;

    memset(&subject, 0, sizeof(subject)); /* also the padding */
    subject.op = op;
    subject.class_ = class_;
    if (key_id && !KW_TEXT_SET(subject.key_id, key_id)) {
        subject.n = OVERFULL;
    }
    return subject;
}

void approval_detail(struct approval_subject *subject, const char *name, const char *fmt, ...)
{
    va_list args;

    if (subject->n >= APPROVAL_DETAILS_MAX) {
        subject->n = OVERFULL;
        return;
    }
    char *value = subject->details[subject->n].value;
    va_start(args, fmt);
    int len = vsnprintf(value, APPROVAL_DETAIL_VALUE, fmt, args);
    va_end(args);
    if (len < 0 || len >= APPROVAL_DETAIL_VALUE ||
        !KW_TEXT_SET(subject->details[subject->n].name, name)) {
        subject->n = OVERFULL;
        return;
    }
    subject->n++;
}

void approval_detail_hex(struct approval_subject *subject, const char *name, struct kw_span octets)
{
    char hex[APPROVAL_DETAIL_VALUE];

    if (2 * octets.len >= sizeof(hex)) {
        subject->n = OVERFULL;
        return;
    }
    approval_detail(subject, name, "%s", kw_hex(octets, hex, sizeof(hex)));
}

/* Characters that change how a terminal shows the others, or cannot be seen: no control characters,
 * yet able to make a text say something else than what is signed. U+200B-F, 2028-E, 2060-F, FEFF.
 */
static bool misleads(const uint8_t *p, unsigned n)
{
    static const struct {
        uint8_t first, second, from, to;
    } bad[] = {
        {0xe2, 0x80, 0x8b, 0x8f},
        {0xe2, 0x80, 0xa8, 0xae},
        {0xe2, 0x81, 0xa0, 0xaf},
        {0xef, 0xbb, 0xbf, 0xbf},
    };

    for (unsigned i = 0; n == 3 && i < KW_COUNT(bad); i++) {
        if (p[0] == bad[i].first && p[1] == bad[i].second && p[2] >= bad[i].from &&
            p[2] <= bad[i].to) {
            return true;
        }
    }
    return false;
}

/* Not empty, no space at its ends, nothing but what can be seen. */
static bool value_good(const char *value, size_t cap)
{
    size_t len = strnlen(value, cap);

    if (len == 0 || len == cap || value[0] == ' ' || value[len - 1] == ' ') {
        return false;
    }
    struct kw_span rest = KW_SPAN(value, len);
    while (rest.len > 0) {
        unsigned n = kw_utf8_next(rest);
        if (n == 0 || kw_utf8_is_control(rest.p, n) || misleads(rest.p, n)) {
            return false;
        }
        rest = kw_span_sub(rest, n, rest.len);
    }
    return true;
}

static const char *const own_names[] = {"vault",  "request",  "operation", "meaning",
                                        "key",    "class",    "requester", "approvals",
                                        "opened", "deadline", "nonce"};

static bool name_good(const char name[APPROVAL_DETAIL_NAME])
{
    size_t len = strnlen(name, APPROVAL_DETAIL_NAME);

    if (len == 0 || len == APPROVAL_DETAIL_NAME ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
        return false;
    }
    for (unsigned i = 0; i < KW_COUNT(own_names); i++) {
        if (strcmp(own_names[i], name) == 0) {
            return false;
        }
    }
    return true;
}

static bool name_twice(const struct approval_subject *subject, unsigned i)
{
    for (unsigned k = 0; k < i; k++) {
        if (strcmp(subject->details[k].name, subject->details[i].name) == 0) {
            return true;
        }
    }
    return false;
}

static bool key_id_good(const char *key_id)
{
    return key_id[0] == '\0' || (value_good(key_id, KW_NAME_MAX) && strcmp(key_id, "-") != 0);
}

kw_status approval_subject_check(const struct approval_subject *subject)
{
    ENSURE(NULL, subject->op > APPROVE_NONE && subject->op < APPROVE_MAX, KW_E_INPUT);
    ENSURE(NULL, (unsigned)subject->class_ < KEY_CLASS_MAX, KW_E_INPUT);
    ENSURE(NULL, key_id_good(subject->key_id), KW_E_INPUT);
    ENSURE(NULL, subject->n <= APPROVAL_DETAILS_MAX, KW_E_INPUT);
    for (unsigned i = 0; i < subject->n; i++) {
        ENSURE(NULL,
               name_good(subject->details[i].name) &&
                   value_good(subject->details[i].value, APPROVAL_DETAIL_VALUE) &&
                   !name_twice(subject, i),
               KW_E_INPUT);
    }
    return KW_OK;
}

bool approval_subject_equal(const struct approval_subject *a, const struct approval_subject *b)
{
    if (a->op != b->op || a->class_ != b->class_ || a->n != b->n || a->n > APPROVAL_DETAILS_MAX ||
        strcmp(a->key_id, b->key_id) != 0) {
        return false;
    }
    for (unsigned i = 0; i < a->n; i++) {
        if (strcmp(a->details[i].name, b->details[i].name) != 0 ||
            strcmp(a->details[i].value, b->details[i].value) != 0) {
            return false;
        }
    }
    return true;
}

bool approval_name_good(const char *name)
{
    return value_good(name, KW_NAME_MAX);
}
