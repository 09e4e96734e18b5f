#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "check.h"

/* Linked with --wrap=munmap: the last moment at which a freed secret can be looked at. */
int __real_munmap(void *map, size_t n);
int __wrap_munmap(void *map, size_t n);

static const uint8_t *watched;
static size_t n_watched;
static bool saw_unmap;
static bool was_wiped;

int __wrap_munmap(void *map, size_t n)
{
    const uint8_t *from = map;

    if (watched && watched >= from && watched < from + n) {
        saw_unmap = true;
        was_wiped = true;
        for (size_t i = 0; i < n_watched; i++) {
            was_wiped = was_wiped && watched[i] == 0;
        }
    }
    return __real_munmap(map, n);
}

static void secrets_begin_zeroed_and_hold_what_is_put(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 9000; n += 37) {
        AUTO(kw_secret) *secret = NULL;
        assert_ok(kw_secret_new(n, &secret));
        assert_int_equal(kw_secret_len(secret), n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(kw_secret_data(secret)[i], 0);
            kw_secret_data(secret)[i] = (uint8_t)i;
        }
        assert_int_equal(kw_secret_span(secret).len, n);
    }
    assert_int_equal(kw_secret_span(NULL).len, 0);
    kw_secret_free(NULL);
}

static void secrets_compare(void **state)
{
    AUTO(kw_secret) *a = NULL;
    AUTO(kw_secret) *b = NULL;
    AUTO(kw_secret) *c = NULL;

    (void)state;
    assert_ok(kw_secret_copy(kw_span_text("opensesame"), &a));
    assert_ok(kw_secret_copy(kw_span_text("opensesame"), &b));
    assert_ok(kw_secret_copy(kw_span_text("opensesamf"), &c));
    assert_true(kw_secret_equal(a, b));
    assert_false(kw_secret_equal(a, c));
    kw_secret_trim(c, 9);
    assert_false(kw_secret_equal(a, c));
    assert_int_equal(kw_secret_len(c), 9);
}

static void the_trimmed_tail_is_wiped(void **state)
{
    AUTO(kw_secret) *secret = NULL;

    (void)state;
    assert_ok(kw_secret_copy(kw_span_text("abcdef"), &secret));
    kw_secret_trim(secret, 10); /* longer than it is: nothing to do */
    assert_int_equal(kw_secret_len(secret), 6);
    kw_secret_trim(secret, 2);
    assert_span(kw_secret_span(secret), "ab");
    assert_memory_equal(kw_secret_data(secret) + 2, "\0\0\0\0", 4);
}

static void a_freed_secret_is_wiped(void **state)
{
    struct kw_secret *secret = NULL;

    (void)state;
    assert_ok(kw_secret_copy(kw_span_text("a secret of some length"), &secret));
    watched = kw_secret_data(secret);
    n_watched = kw_secret_len(secret);
    kw_secret_free(secret);
    watched = NULL;
    assert_true(saw_unmap);
    assert_true(was_wiped);
}

/* The VmFlags of the mapping that contains p: locked "lo", not dumped "dd", wiped on fork "wf". */
static void read_flags(const void *p, char *flags, size_t cap)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool inside = false;

    assert_non_null(maps);
    flags[0] = '\0';
    while (fgets(line, sizeof(line), maps)) {
        unsigned long from = 0;
        unsigned long to = 0;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            inside = (uintptr_t)p >= from && (uintptr_t)p < to;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            (void)kw_text_copy(flags, cap, line);
        }
    }
    (void)fclose(maps);
}

static void pages_are_locked_and_kept_out_of_dumps(void **state)
{
    AUTO(kw_secret) *secret = NULL;
    char flags[512];

    (void)state;
    assert_ok(kw_secret_copy(kw_span_text("x"), &secret));
    read_flags(kw_secret_data(secret), flags, sizeof(flags));
    assert_non_null(strstr(flags, " dd"));
    assert_non_null(strstr(flags, " wf"));
    if (!CHECK_SANITIZER) {
        assert_non_null(strstr(flags, " lo"));
    }
}

/* Run in a child; its exit code. A fault gives 200. */
static int in_child(int (*run)(struct kw_secret *secret), struct kw_secret *secret)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* cmocka and ASan would catch the expected fault */
        (void)signal(SIGBUS, SIG_DFL);
        _exit(run(secret));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 200 : WEXITSTATUS(status);
}

static int count_octets(struct kw_secret *secret)
{
    int n = 0;

    for (size_t i = 0; i < kw_secret_len(secret); i++) {
        n += kw_secret_data(secret)[i] != 0;
    }
    return n;
}

static int read_beyond(struct kw_secret *secret)
{
    return *(volatile uint8_t *)(kw_secret_data(secret) + kw_secret_len(secret)) & 0;
}

static int read_before(struct kw_secret *secret)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)kw_secret_data(secret) / page * page;

    return *((volatile uint8_t *)first - 1) & 0;
}

static void a_forked_child_has_no_secret(void **state)
{
    AUTO(kw_secret) *secret = NULL;

    (void)state;
    assert_ok(kw_secret_copy(kw_span_text("0123456789abcdef"), &secret));
    assert_int_equal(count_octets(secret), 16);
    assert_int_equal(in_child(count_octets, secret), 0);
    assert_int_equal(count_octets(secret), 16);
}

static void reading_beyond_faults(void **state)
{
    AUTO(kw_secret) *secret = NULL;

    (void)state;
    assert_ok(kw_secret_copy(kw_span_text("0123456789abcdef"), &secret));
    assert_int_equal(in_child(read_beyond, secret), 200);
    assert_int_equal(in_child(read_before, secret), 200);
}

/* Root may lock without limit: become nobody first. */
static int hit_the_lock_limit(struct kw_secret *unused)
{
    struct rlimit none = {0, 0};
    struct kw_secret *secret = NULL;

    (void)unused;
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0)) {
        return 99;
    }
    return (int)kw_secret_new(32, &secret).code;
}

static void the_lock_limit_is_told(void **state)
{
    (void)state;
    if (CHECK_SANITIZER) {
        return; /* it answers mlock(2) itself: there is no limit to hit */
    }
    assert_int_equal(in_child(hit_the_lock_limit, NULL), KW_E_LIMIT);
}

static void impossible_sizes_are_refused(void **state)
{
    struct kw_secret *secret = NULL;

    (void)state;
    assert_code(kw_secret_new(SIZE_MAX, &secret), KW_E_MEMORY);
    assert_code(kw_secret_new((size_t)1 << 60, &secret), KW_E_MEMORY);
    assert_null(secret);
}

static void wipe_overwrites(void **state)
{
    char text[] = "secret";

    (void)state;
    kw_wipe(text, sizeof(text));
    assert_memory_equal(text, "\0\0\0\0\0\0", sizeof(text));
    kw_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_begin_zeroed_and_hold_what_is_put),
        cmocka_unit_test(secrets_compare),
        cmocka_unit_test(the_trimmed_tail_is_wiped),
        cmocka_unit_test(a_freed_secret_is_wiped),
        cmocka_unit_test(pages_are_locked_and_kept_out_of_dumps),
        cmocka_unit_test(a_forked_child_has_no_secret),
        cmocka_unit_test(reading_beyond_faults),
        cmocka_unit_test(the_lock_limit_is_told),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(wipe_overwrites),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
