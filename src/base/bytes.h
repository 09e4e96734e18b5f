/* Octets: borrowed (span), owned (bytes), or into the caller's room (out). Also AUTO and TAKE. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

/*
 * Owners are AUTO: freed when the scope is left, unless TAKEn.
 *     AUTO(kw_bytes) *der = NULL;
 *     ...
 *     *ret = TAKE(der);
 * KW_OWNED(name, ctype, free_fn) makes a type usable with AUTO; crypto/openssl.h does it for
 * OpenSSL's.
 */
#define KW_OWNED(name, ctype, free_fn)                                                             \
    typedef ctype kw_owned_##name;                                                                 \
    static inline void kw_auto_##name(ctype **owner)                                               \
    {                                                                                              \
        if (*owner) {                                                                              \
            free_fn(*owner);                                                                       \
        }                                                                                          \
    }
/* "unused": clang does not count the end of the scope as a use, and for a held lock it is the one.
 */
#define AUTO(name) __attribute__((cleanup(kw_auto_##name), unused)) kw_owned_##name
#define TAKE(owner)                                                                                \
    ({                                                                                             \
        __typeof__(owner) taken_ = (owner);                                                        \
        (owner) = NULL;                                                                            \
        taken_;                                                                                    \
    })

/* For a large room that is written before it is read: it is not cleared whenever its function is
 * called, as all other variables are (-ftrivial-auto-var-init). */
#define KW_ROOM __attribute__((uninitialized))

#define KW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Borrowed octets; p may be NULL only where len is 0. */
struct kw_span {
    const uint8_t *p;
    size_t len;
};

/* Owned octets on the heap, not for secrets (see secret.h). */
struct kw_bytes {
    uint8_t *p;
    size_t len;
    size_t cap;
};

/* The caller's room: filled from the start, len says how far. */
struct kw_out {
    uint8_t *p;
    size_t cap;
    size_t len;
};

#define KW_SPAN(ptr, n) ((struct kw_span){(const uint8_t *)(ptr), (n)})
#define KW_SPAN_ARRAY(array) ((struct kw_span){(const uint8_t *)(array), sizeof(array)})
#define KW_OUT_ARRAY(array) ((struct kw_out){(uint8_t *)(array), sizeof(array), 0})

static inline struct kw_span kw_span_text(const char *text)
{
    return KW_SPAN(text, strlen(text));
}

static inline struct kw_span kw_out_span(const struct kw_out *out)
{
    return KW_SPAN(out->p, out->len);
}

/* Borrow the octets of an owner; an absent owner is an empty span. */
static inline struct kw_span kw_bytes_span(const struct kw_bytes *bytes)
{
    return bytes ? KW_SPAN(bytes->p, bytes->len) : KW_SPAN(NULL, 0);
}

/* Same octets? For public data only; secrets use kw_secret_equal() or kw_equal_consttime(). */
bool kw_span_equal(struct kw_span a, struct kw_span b);
bool kw_equal_consttime(struct kw_span a, struct kw_span b);
/* Part of a span; clipped to it, never beyond. */
struct kw_span kw_span_sub(struct kw_span span, size_t from, size_t len);

/* An empty owner with room for cap octets. KW_E_MEMORY. */
kw_status kw_bytes_new(size_t cap, struct kw_bytes **ret);
/* An owned copy. KW_E_MEMORY. */
kw_status kw_bytes_copy(struct kw_span span, struct kw_bytes **ret);
/* Make sure that `more` further octets fit behind len. KW_E_MEMORY leaves it as it was. */
kw_status kw_bytes_reserve(struct kw_bytes *bytes, size_t more);
/* Append (never a part of itself); the owner grows as needed. KW_E_MEMORY leaves it as it was. */
kw_status kw_bytes_append(struct kw_bytes *bytes, struct kw_span span);
/* Shorthand for appending a NUL-terminated text without its NUL. */
kw_status kw_bytes_append_text(struct kw_bytes *bytes, const char *text);
/* Append formatted text without its NUL. KW_E_MEMORY leaves it as it was. */
kw_status kw_bytes_printf(struct kw_bytes *bytes, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void kw_bytes_free(struct kw_bytes *bytes);
KW_OWNED(kw_bytes, struct kw_bytes, kw_bytes_free)

/* Replace what the room holds. KW_E_TOO_LARGE leaves it unchanged. */
kw_status kw_out_set(struct kw_out *out, struct kw_span span);
/* Append to the room. KW_E_TOO_LARGE leaves it unchanged. */
kw_status kw_out_append(struct kw_out *out, struct kw_span span);

/* Copy text into a fixed array. False (and an empty array) where it does not fit: never cut
 * silently. */
bool kw_text_copy(char *array, size_t cap, const char *text);
#define KW_TEXT_SET(array, text) kw_text_copy((array), sizeof(array), (text))

#endif
