/* Assertions over kw_status for the store's unit tests. */
#ifndef UNIT_STORE_CHECK_H
#define UNIT_STORE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"

static inline void check_code(kw_status status, enum kw_code want, const char *file, int line)
{
    if (status.code != want) {
        print_error("%s:%d: '%s' instead of '%s'\n", file, line, kw_code_text(status.code),
                    kw_code_text(want));
        _fail(file, line);
    }
}
#define assert_ok(expr) check_code((expr), KW_CODE_OK, __FILE__, __LINE__)
#define assert_fails(expr, want) check_code((expr), (want), __FILE__, __LINE__)

#endif
