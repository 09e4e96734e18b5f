/*
 * Only in sanitizer builds. The keeper gets no environment of its caller, so the options stand
 * here: leaks cannot be looked for in a process that is not traceable. The run-time is a library
 * of its own and must see them.
 */
#define SEEN __attribute__((visibility("default")))
SEEN const char *__asan_default_options(void);
SEEN const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}
