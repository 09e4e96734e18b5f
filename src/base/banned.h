/*
 * Calls that have hurt C programs often enough: unbounded copies, hidden state, shells, silent
 * errors. What to use instead: kw_text_copy(), snprintf(), kw_bytes_printf(), kw_span, strtoll()
 * with checks, os_spawn_channel(), kw_time_text(). Headers that name these calls come first, once.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* clang's fortified headers make macros of some. */
#undef sprintf
#undef vsprintf
#undef strcpy
#undef strcat
#undef strtok
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi system popen localtime

#endif
