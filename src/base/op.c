#include "base/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

void kw_op_init(struct kw_op *op, const char *principal, int64_t deadline_ms)
{
    memset(op, 0, sizeof(*op));
    op->deadline_ms = deadline_ms;
    if (principal && !KW_TEXT_SET(op->principal, principal)) {
        /* Cut rather than lost: a log line without who asked helps nobody. */
        (void)snprintf(op->principal, sizeof(op->principal), "%s", principal);
    }
}

void kw_op_clear(struct kw_op *op)
{
    op->code = KW_CODE_OK;
    op->n_frames = 0;
}

/* A peer's text in an error must not write log lines or colour terminals of its own. */
static void make_plain(char *text)
{
    struct kw_span rest = kw_span_text(text);

    while (rest.len > 0) {
        unsigned n = kw_utf8_next(rest);
        bool bad = n == 0 || kw_utf8_is_control(rest.p, n);
        n = n == 0 ? 1 : n;
        if (bad) {
            memset(text, '?', n);
        }
        text += n;
        rest = kw_span_sub(rest, n, rest.len);
    }
}

/*
 * Make room where all frames are taken. Frames without words go first; then the outermost gives
 * way: the cause is worth more than the middle, and the last caller more than the one before.
 */
static void drop_one_frame(struct kw_op *op)
{
    unsigned at = 1;

    while (at < op->n_frames - 1 && op->frames[at].text[0] != '\0') {
        at++;
    }
    op->n_frames--;
    memmove(&op->frames[at], &op->frames[at + 1], (op->n_frames - at) * sizeof(op->frames[0]));
}

/* A frame without words is worth less than any that would have to go for it. */
static void push_frame(struct kw_op *op, const struct kw_frame *frame)
{
    bool full = op->n_frames == KW_OP_FRAMES_MAX;

    if (full && frame->text[0] == '\0') {
        return;
    }
    if (full) {
        drop_one_frame(op);
    }
    op->frames[op->n_frames++] = *frame;
}

static struct kw_frame frame_of(const char *file, int line, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Formatted apart: the arguments may well be texts of the frames that it is to replace. */
static struct kw_frame frame_of(const char *file, int line, const char *fmt, va_list args)
{
    struct kw_frame frame = {.file = file, .line = line};

    if (vsnprintf(frame.text, sizeof(frame.text), fmt, args) < 0) {
        frame.text[0] = '\0';
    }
    make_plain(frame.text);
    return frame;
}

kw_status kw_op_fail(struct kw_op *op, enum kw_code code, const char *file, int line,
                     const char *fmt, ...)
{
    code = kw_failed(KW_FAIL(code)).code;
    if (op) {
        va_list args;
        va_start(args, fmt);
        struct kw_frame frame = frame_of(file, line, fmt, args);
        va_end(args);
        kw_op_clear(op);
        op->code = code;
        push_frame(op, &frame);
    }
    return KW_FAIL(code);
}

/* From a pure layer, which has no words: its code's meaning is the cause. */
static void explain(struct kw_op *op, kw_status status, const char *file, int line)
{
    if (!kw_ok(status) && (op->n_frames == 0 || op->code != status.code)) {
        (void)kw_op_fail(op, status.code, file, line, "%s", kw_code_meaning(status.code));
    }
}

void kw_op_explain(struct kw_op *op, kw_status status)
{
    explain(op, status, KW_HERE_FILE, KW_HERE_LINE);
}

kw_status kw_op_context(struct kw_op *op, kw_status status, const char *file, int line,
                        const char *fmt, ...)
{
    if (!op || kw_ok(status)) {
        return status;
    }
    va_list args;
    va_start(args, fmt);
    struct kw_frame frame = frame_of(file, line, fmt, args);
    va_end(args);
    explain(op, status, file, line);
    push_frame(op, &frame);
    return status;
}

const char *kw_op_message(const struct kw_op *op, char *text, size_t cap)
{
    size_t at = 0;

    if (cap > 0) {
        text[0] = '\0';
    }
    for (unsigned i = op->n_frames; i-- > 0 && at < cap;) {
        if (op->frames[i].text[0] != '\0') {
            const char *colon = at > 0 ? ": " : "";
            int n = snprintf(text + at, cap - at, "%s%s", colon, op->frames[i].text);
            at += n > 0 ? (size_t)n : 0;
        }
    }
    if (at == 0 && cap > 0 && op->code != KW_CODE_OK) {
        (void)snprintf(text, cap, "%s", kw_code_meaning(op->code));
    }
    return text;
}

const char *kw_op_cause(const struct kw_op *op)
{
    return op->n_frames > 0 ? op->frames[0].text : "";
}
