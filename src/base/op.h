/* One operation: who asks, until when, and, where it fails, why. */
#ifndef BASE_OP_H
#define BASE_OP_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/status.h"

struct kw_frame {
    const char *file; /* static text of __FILE__ */
    int line;
    char text[KW_OP_TEXT_MAX]; /* NUL-terminated, possibly cut, no control characters */
};

struct kw_op {
    int64_t deadline_ms;            /* monotonic clock, milliseconds; 0 = none */
    char principal[KW_NAME_MAX];    /* "device:DEV1", "operator:alice", "system" or "" */
    char request_id[KW_REQUEST_ID]; /* correlates answer and log; "" until set */
    enum kw_code code;              /* of the first failure */
    unsigned n_frames;              /* frames[0] is the cause, later ones its context */
    struct kw_frame frames[KW_OP_FRAMES_MAX];
};

/* Start an operation. principal may be NULL. Does not read any clock. */
void kw_op_init(struct kw_op *op, const char *principal, int64_t deadline_ms);
/* Forget a failure (after it was dealt with), keep identity and deadline. */
void kw_op_clear(struct kw_op *op);
/* Note a new failure and return its status. op may be NULL (pure layers), then only the code
 * travels. */
kw_status kw_op_fail(struct kw_op *op, enum kw_code code, const char *file, int line,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Add what was being done to a failure that comes from below, and hand the status on. */
kw_status kw_op_context(struct kw_op *op, kw_status status, const char *file, int line,
                        const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Before a failure is told: one that came up without words gets its code's meaning. */
void kw_op_explain(struct kw_op *op, kw_status status);
/**
 * The failure as one sentence, outermost context first: "recording the certificate: disk is full".
 * text is always NUL-terminated; empty where nothing failed. Returns text.
 */
const char *kw_op_message(const struct kw_op *op, char *text, size_t cap);
/* Only the cause (frame 0), for a peer that may see it; "" where nothing failed. */
const char *kw_op_cause(const struct kw_op *op);

/*
 * libkeywright counts every octet: it is built with KW_SMALL, without the places in the source
 * (which no message shows), and a TRY() without words only hands the status on.
 */
#ifdef KW_SMALL
#define KW_HERE_FILE NULL
#define KW_HERE_LINE 0
#define KW_WORDLESS_(words) (sizeof(words) == 1) /* of the arguments as text, with its NUL */
#else
#define KW_HERE_FILE __FILE__
#define KW_HERE_LINE __LINE__
#define KW_WORDLESS_(words) false
#endif

/*
 * What FAIL, ENSURE and TRY return is never KW_OK, and compilers and analysers can see it. A code
 * taken from elsewhere (a peer's answer, say) that turns out to be no failure is our bug:
 * KW_E_INTERNAL.
 */
static inline kw_status kw_failed(kw_status status)
{
    return kw_ok(status) ? KW_FAIL(KW_E_INTERNAL) : status;
}

/* The same of what kw_op_fail() and kw_op_context() gave back, which see to it themselves. */
static inline kw_status kw_told(kw_status status)
{
    if (kw_ok(status)) {
        __builtin_unreachable();
    }
    return status;
}

/*
 * The only two control-flow macros of the tree. Both return from the calling function, which must
 * return kw_status; every owner in it must be AUTO. The text after the expression is optional:
 *     TRY(op, csr_parse(op, der, &csr), "reading the request of '%s'", name);
 *     ENSURE(op, n <= max, KW_E_TOO_LARGE, "%zu octets, at most %zu are taken", n, max);
 */
#define TRY(op, expr, ...)                                                                         \
    do {                                                                                           \
        kw_status try_status_ = (expr);                                                            \
        if (!kw_ok(try_status_)) {                                                                 \
            return KW_WORDLESS_(#__VA_ARGS__)                                                      \
                       ? try_status_                                                               \
                       : kw_told(kw_op_context((op), try_status_, KW_HERE_FILE, KW_HERE_LINE,      \
                                               "" __VA_ARGS__));                                   \
        }                                                                                          \
    } while (0)

#define ENSURE(op, cond, code, ...)                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            return FAIL(op, code, __VA_ARGS__);                                                    \
        }                                                                                          \
    } while (0)

/* Fail without a condition: `return FAIL(op, KW_E_STATE, "key '%s' is destroyed", id);` */
#define FAIL(op, code, ...)                                                                        \
    kw_told(kw_op_fail((op), (code), KW_HERE_FILE, KW_HERE_LINE, "" __VA_ARGS__))

#endif
