/* What the unit tests of base, os and codec share: cmocka, and asserts on a kw_status. */
#ifndef TESTS_UNIT_BASE_CHECK_H
#define TESTS_UNIT_BASE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/op.h"

/* Compared as texts, so that a failure names both codes. */
#define assert_code(status, code_)                                                                 \
    assert_string_equal(kw_code_text((status).code), kw_code_text(code_))
#define assert_ok(status) assert_code(status, KW_CODE_OK)
#define assert_span(span, text)                                                                    \
    do {                                                                                           \
        struct kw_span span_ = (span);                                                             \
        assert_int_equal(span_.len, strlen(text));                                                 \
        assert_memory_equal(span_.p ? (const char *)span_.p : "", text, span_.len);                \
    } while (0)

/* Address- and ThreadSanitizer answer mlock(2) themselves: nothing is locked, and no limit is hit.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECK_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHECK_SANITIZER 1
#endif
#endif
#ifndef CHECK_SANITIZER
#define CHECK_SANITIZER 0
#endif

/* The same sequence on every run: a failure can be repeated. */
static inline uint32_t check_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

#endif
