#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool kw_span_equal(struct kw_span a, struct kw_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool kw_equal_consttime(struct kw_span a, struct kw_span b)
{
    if (a.len != b.len) {
        return false;
    }
    /* volatile: the compiler must not stop at the first difference. */
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference = (uint8_t)(difference | (a.p[i] ^ b.p[i]));
    }
    return difference == 0;
}

struct kw_span kw_span_sub(struct kw_span span, size_t from, size_t len)
{
    if (from >= span.len) {
        return KW_SPAN(NULL, 0);
    }
    size_t left = span.len - from;
    return KW_SPAN(span.p + from, len < left ? len : left);
}

kw_status kw_bytes_new(size_t cap, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *bytes = calloc(1, sizeof(*bytes));

    if (!bytes) {
        return KW_FAIL(KW_E_MEMORY);
    }
    kw_status status = kw_bytes_reserve(bytes, cap);
    if (!kw_ok(status)) {
        return status;
    }
    *ret = TAKE(bytes);
    return KW_OK;
}

kw_status kw_bytes_copy(struct kw_span span, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *bytes = NULL;

    kw_status status = kw_bytes_new(span.len, &bytes);
    if (!kw_ok(status)) {
        return status;
    }
    status = kw_bytes_append(bytes, span);
    if (!kw_ok(status)) {
        return status;
    }
    *ret = TAKE(bytes);
    return KW_OK;
}

kw_status kw_bytes_reserve(struct kw_bytes *bytes, size_t more)
{
    if (more <= bytes->cap - bytes->len) {
        return KW_OK;
    }
    if (more > SIZE_MAX / 2 - bytes->len) {
        return KW_FAIL(KW_E_MEMORY);
    }
    /* Exactly what the first caller asks for, doubling after that: appending stays linear. */
    size_t cap = bytes->len + more;
    if (bytes->cap > 0 && cap < 2 * bytes->cap) {
        cap = 2 * bytes->cap;
    }
    uint8_t *p = realloc(bytes->p, cap);
    if (!p) {
        return KW_FAIL(KW_E_MEMORY);
    }
    bytes->p = p;
    bytes->cap = cap;
    return KW_OK;
}

kw_status kw_bytes_append(struct kw_bytes *bytes, struct kw_span span)
{
    kw_status status = kw_bytes_reserve(bytes, span.len);
    if (!kw_ok(status)) {
        return status;
    }
    if (span.len > 0) {
        memcpy(bytes->p + bytes->len, span.p, span.len);
        bytes->len += span.len;
    }
    return KW_OK;
}

kw_status kw_bytes_append_text(struct kw_bytes *bytes, const char *text)
{
    return kw_bytes_append(bytes, kw_span_text(text));
}

kw_status kw_bytes_printf(struct kw_bytes *bytes, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        return KW_FAIL(KW_E_INTERNAL);
    }
    kw_status status = kw_bytes_reserve(bytes, (size_t)n + 1); /* vsnprintf ends with a NUL */
    if (!kw_ok(status)) {
        return status;
    }
    va_start(args, fmt);
    (void)vsnprintf((char *)bytes->p + bytes->len, (size_t)n + 1, fmt, args); /* measured above */
    va_end(args);
    bytes->len += (size_t)n;
    return KW_OK;
}

void kw_bytes_free(struct kw_bytes *bytes)
{
    if (bytes) {
        free(bytes->p);
        free(bytes);
    }
}

kw_status kw_out_set(struct kw_out *out, struct kw_span span)
{
    if (span.len > out->cap) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    if (span.len > 0) {
        memmove(out->p, span.p, span.len); /* the span may be part of this very room */
    }
    out->len = span.len;
    return KW_OK;
}

kw_status kw_out_append(struct kw_out *out, struct kw_span span)
{
    if (span.len > out->cap - out->len) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    if (span.len > 0) {
        memmove(out->p + out->len, span.p, span.len);
        out->len += span.len;
    }
    return KW_OK;
}

bool kw_text_copy(char *array, size_t cap, const char *text)
{
    size_t len = strlen(text);

    if (len >= cap) {
        if (cap > 0) {
            array[0] = '\0';
        }
        return false;
    }
    memmove(array, text, len + 1);
    return true;
}
