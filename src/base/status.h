/* The one status type of the tree, and the one list of codes behind it. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/banned.h"

/* gcc honours [[nodiscard]] on the struct; clang 14 parses that only in C2x mode, but takes its own
 * spelling. */
#if defined(__clang__)
#define KW_NODISCARD __attribute__((warn_unused_result))
#else
#define KW_NODISCARD [[nodiscard]]
#endif

/*
 * name, wire text, HTTP status, may the same request be tried again later, meaning
 * Every refusal in the tree is one of these; protocols map them in one table each.
 */
#define KW_STATUS_LIST(X)                                                                          \
    X(APPROVAL, "approval_needed", 202, false, "waits until others have approved it")              \
    X(INPUT, "bad_input", 400, false, "the request is malformed")                                  \
    X(AUTH, "unauthenticated", 401, false, "who asks is not proven")                               \
    X(DENIED, "denied", 403, false, "proven, but not allowed")                                     \
    X(REVOKED, "revoked", 403, false, "the certificate or key was revoked")                        \
    X(EXPIRED, "expired", 403, false, "outside its validity or cryptoperiod")                      \
    X(NOT_FOUND, "not_found", 404, false, "no such object")                                        \
    X(METHOD, "bad_method", 405, false, "the object does not take this verb")                      \
    X(CONFLICT, "conflict", 409, false, "clashes with what exists")                                \
    X(STATE, "bad_state", 409, false, "the object's state forbids it")                             \
    X(TOO_LARGE, "too_large", 413, false, "over the size limit")                                   \
    X(MEDIA, "bad_media_type", 415, false, "this content type is not taken here")                  \
    X(LIMIT, "too_many", 429, true, "over a rate or count limit")                                  \
    X(INTERNAL, "internal", 500, false, "our own bug")                                             \
    X(INTEGRITY, "integrity", 500, false, "stored data fails its check")                           \
    X(DEVICE, "device_error", 500, false, "a root of trust or peer answered nonsense")             \
    X(UNSUPPORTED, "unsupported", 501, false, "not built in or not known")                         \
    X(UNAVAILABLE, "unavailable", 503, true, "a part is away; nothing was done")                   \
    X(UNSURE, "unsure", 503, false, "it may or may not have been done; reconcile first")           \
    X(TIMEOUT, "timeout", 503, true, "the deadline passed; nothing was done")                      \
    X(FULL, "storage_full", 503, true, "no room left on the disk")                                 \
    X(IO, "io_error", 503, true, "the operating system refused a file or socket")                  \
    X(MEMORY, "no_memory", 503, true, "no memory left")

enum kw_code {
    KW_CODE_OK = 0,
#define X(name, text, http, retry, meaning) KW_E_##name,
    KW_STATUS_LIST(X)
#undef X
        KW_CODE_MAX
};

/* Must be looked at; TRY() and ENSURE() of base/op.h are the usual way. */
typedef struct KW_NODISCARD kw_status {
    enum kw_code code;
} kw_status;

#define KW_OK ((kw_status){KW_CODE_OK})
#define KW_FAIL(c) ((kw_status){(c)})

static inline bool kw_ok(kw_status s)
{
    return s.code == KW_CODE_OK;
}

/* "ok", "bad_input", …; never NULL, also for numbers that are no code. */
const char *kw_code_text(enum kw_code code);
/* One English clause: "the request is malformed". Never NULL. */
const char *kw_code_meaning(enum kw_code code);
/* 200 for OK, otherwise the HTTP status of the code's row. */
int kw_code_http(enum kw_code code);
/* True where the same request may succeed later unchanged. */
bool kw_code_may_retry(enum kw_code code);
/* The code whose wire text is `text`; KW_E_INTERNAL where there is none. */
enum kw_code kw_code_from_text(const char *text);

#endif
