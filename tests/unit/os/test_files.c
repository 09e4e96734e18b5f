#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/check.h"
#include "os/clock.h"
#include "os/files.h"

static struct kw_op op;
static char folder[64];
static char path[KW_PATH_BYTES];

static void remove_all_of(const char *dir)
{
    DIR *d = opendir(dir);
    char name[KW_PATH_BYTES];

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
        if (e->d_type == DT_DIR) {
            remove_all_of(name);
        } else {
            (void)unlink(name);
        }
    }
    if (d) {
        (void)closedir(d);
    }
    (void)rmdir(dir);
}

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, "system", 0);
    (void)snprintf(folder, sizeof(folder), "/tmp/kw-test-files-XXXXXX");
    if (!mkdtemp(folder)) {
        return -1;
    }
    return kw_ok(os_path_join(&op, path, sizeof(path), folder, "file")) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    remove_all_of(folder);
    return 0;
}

static unsigned count_files(void)
{
    DIR *d = opendir(folder);
    unsigned n = 0;

    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        n += e->d_type != DT_DIR;
    }
    (void)closedir(d);
    return n;
}

static void expect_content(const char *file, const char *text)
{
    AUTO(kw_bytes) *got = NULL;

    assert_ok(os_file_read(&op, file, 100000, &got));
    assert_span(kw_bytes_span(got), text);
}

static void paths_are_joined_or_refused(void **state)
{
    char joined[8];

    (void)state;
    assert_ok(os_path_join(&op, joined, sizeof(joined), "/a", "bcde"));
    assert_string_equal(joined, "/a/bcde");
    assert_ok(os_path_join(&op, joined, sizeof(joined), "/a/", "bcde"));
    assert_string_equal(joined, "/a/bcde");
    assert_code(os_path_join(&op, joined, sizeof(joined), "/a", "bcdef"), KW_E_TOO_LARGE);
    assert_string_equal(joined, "");
}

static void written_is_read(void **state)
{
    struct stat st;

    (void)state;
    (void)umask(0077);
    assert_ok(os_file_write(&op, path, 0640, kw_span_text("one")));
    expect_content(path, "one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640); /* whatever the umask */
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("")));
    expect_content(path, "");
    assert_int_equal(count_files(), 1);
}

static void reading_has_its_limit(void **state)
{
    struct kw_bytes *got = NULL;
    AUTO(kw_bytes) *exact = NULL;

    (void)state;
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("12345")));
    assert_ok(os_file_read(&op, path, 5, &exact));
    assert_code(os_file_read(&op, path, 4, &got), KW_E_TOO_LARGE);
    assert_code(os_file_read(&op, path, 0, &got), KW_E_TOO_LARGE);
    assert_null(got);
}

static void only_regular_files_are_read(void **state)
{
    struct kw_bytes *got = NULL;

    (void)state;
    assert_code(os_file_read(&op, path, 10, &got), KW_E_NOT_FOUND);
    assert_code(os_file_read(&op, folder, 10, &got), KW_E_IO);
    assert_code(os_file_read(&op, "/dev/zero", 10, &got), KW_E_IO);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_code(os_file_read(&op, path, 10, &got), KW_E_IO); /* and does not wait for a writer */
    assert_null(got);
}

static void files_of_proc_are_read(void **state)
{
    AUTO(kw_bytes) *got = NULL;

    (void)state;
    assert_ok(os_file_read(&op, "/proc/self/comm", 100, &got)); /* says it has 0 octets */
    assert_true(got->len > 1);
}

static void secrets_of_others_are_refused(void **state)
{
    struct kw_secret *none = NULL;
    AUTO(kw_secret) *got = NULL;

    (void)state;
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("sesame")));
    assert_ok(os_file_read_secret(&op, path, 6, &got));
    assert_span(kw_secret_span(got), "sesame");
    assert_code(os_file_read_secret(&op, path, 5, &none), KW_E_TOO_LARGE);
    static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601};
    for (size_t i = 0; i < KW_COUNT(open_modes); i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        assert_code(os_file_read_secret(&op, path, 6, &none), KW_E_DENIED);
    }
    assert_null(none);
}

/* RLIMIT_FSIZE stands for a full disk: the write stops in the middle, with an error. */
static void set_disk(rlim_t octets)
{
    struct rlimit limit = {octets, RLIM_INFINITY};

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    static uint8_t large[50000];
    char text[256];

    (void)state;
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("old")));
    set_disk(10000);
    kw_status status = os_file_write(&op, path, 0600, KW_SPAN_ARRAY(large));
    set_disk(RLIM_INFINITY);
    assert_code(status, KW_E_FULL);
    assert_non_null(strstr(kw_op_message(&op, text, sizeof(text)), path));
    expect_content(path, "old");
    assert_int_equal(count_files(), 1); /* no temporary file is left */
}

static void writing_where_nothing_can_be(void **state)
{
    char other[KW_PATH_BYTES];

    (void)state;
    assert_ok(os_path_join(&op, other, sizeof(other), folder, "no/such/file"));
    assert_code(os_file_write(&op, other, 0600, kw_span_text("x")), KW_E_NOT_FOUND);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(kw_ok(os_file_write(&op, path, 0600, kw_span_text("x")))); /* a folder is there */
    assert_int_equal(count_files(), 0);
}

static void a_half_record_is_taken_back(void **state)
{
    static uint8_t large[50000];

    (void)state;
    OS_FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_ok(os_fd_append(&op, fd, kw_span_text("first\n")));
    set_disk(10000);
    kw_status status = os_fd_append(&op, fd, KW_SPAN_ARRAY(large));
    set_disk(RLIM_INFINITY);
    assert_code(status, KW_E_FULL);
    expect_content(path, "first\n");
    assert_ok(os_fd_append(&op, fd, kw_span_text("second\n")));
    expect_content(path, "first\nsecond\n");
}

static void a_full_device_is_told(void **state)
{
    (void)state;
    OS_FD_AUTO int fd = open("/dev/full", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_code(os_fd_append(&op, fd, kw_span_text("x")), KW_E_FULL);
    assert_code(os_fd_append(&op, -1, kw_span_text("x")), KW_E_IO);
}

static void shredded_files_are_gone_and_zeroed(void **state)
{
    char text[10000];
    char held[sizeof(text)];

    (void)state;
    memset(text, 's', sizeof(text));
    assert_ok(os_file_write(&op, path, 0600, KW_SPAN_ARRAY(text)));
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC); /* still sees the octets on the disk */
    assert_ok(os_file_shred(&op, path));
    assert_false(os_file_exists(path));
    assert_int_equal(read(fd, held, sizeof(held)), sizeof(held));
    for (size_t i = 0; i < sizeof(held); i++) {
        assert_int_equal(held[i], 0);
    }
    assert_ok(os_file_shred(&op, path)); /* absent is fine */
    assert_false(kw_ok(os_file_shred(&op, folder)));
}

/* A removal that is cut leaves the whole file: whoever holds it never sees half of one. */
static void removed_files_were_whole_until_then(void **state)
{
    char held[8] = {0};

    (void)state;
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("receipt")));
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_ok(os_file_remove(&op, path));
    assert_false(os_file_exists(path));
    assert_int_equal(read(fd, held, sizeof(held)), strlen("receipt"));
    assert_string_equal(held, "receipt");
    assert_ok(os_file_remove(&op, path)); /* absent is fine */
    assert_false(kw_ok(os_file_remove(&op, folder)));
}

static void folders_are_removed_with_what_is_in_them(void **state)
{
    char deep[KW_PATH_BYTES];
    char outside[KW_PATH_BYTES];
    char top[KW_PATH_BYTES];

    (void)state;
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("mine")));
    assert_ok(os_path_join(&op, top, sizeof(top), folder, "top"));
    assert_ok(os_path_join(&op, deep, sizeof(deep), top, "a/b"));
    assert_ok(os_dir_make(&op, deep, 0700));
    assert_ok(os_path_join(&op, outside, sizeof(outside), deep, "link"));
    assert_int_equal(symlink(path, outside), 0);
    assert_ok(os_tree_remove(&op, top));
    assert_false(os_file_exists(top));
    expect_content(path, "mine"); /* the link went, not what it names */
    assert_ok(os_tree_remove(&op, top));
}

static void a_link_is_not_shredded_through(void **state)
{
    char link_path[KW_PATH_BYTES];

    (void)state;
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("mine")));
    assert_ok(os_path_join(&op, link_path, sizeof(link_path), folder, "link"));
    assert_int_equal(symlink(path, link_path), 0);
    assert_false(kw_ok(os_file_shred(&op, link_path)));
    expect_content(path, "mine");
}

static void folders_are_made_with_their_parents(void **state)
{
    char deep[KW_PATH_BYTES];
    struct stat st;

    (void)state;
    (void)umask(0);
    assert_ok(os_path_join(&op, deep, sizeof(deep), folder, "a/b//c/"));
    assert_ok(os_dir_make(&op, deep, 0700));
    assert_ok(os_dir_make(&op, deep, 0700));
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_ok(os_file_write(&op, path, 0600, kw_span_text("x")));
    assert_false(kw_ok(os_dir_make(&op, path, 0700)));
    assert_ok(os_path_join(&op, deep, sizeof(deep), path, "below-a-file"));
    assert_false(kw_ok(os_dir_make(&op, deep, 0700)));
    assert_code(os_dir_make(&op, "", 0700), KW_E_INPUT);
}

static kw_status collect(struct kw_op *o, const char *name, void *ctx)
{
    char *names = ctx;

    ENSURE(o, strcmp(name, "stop.yaml") != 0, KW_E_INPUT, "stopped");
    size_t n = strlen(names);
    (void)snprintf(names + n, 100 - n, "%s ", name);
    return KW_OK;
}

static void put(const char *name)
{
    char file[KW_PATH_BYTES];

    assert_ok(os_path_join(&op, file, sizeof(file), folder, name));
    assert_ok(os_file_write(&op, file, 0600, kw_span_text(name)));
}

static void files_come_sorted(void **state)
{
    static const char *const files[] = {"b.yaml", "a.yaml", "c.json", ".hidden.yaml", "yaml"};
    char names[100] = "";
    char dir[KW_PATH_BYTES];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(files); i++) {
        put(files[i]);
    }
    assert_ok(os_path_join(&op, dir, sizeof(dir), folder, "folder.yaml"));
    assert_ok(os_dir_make(&op, dir, 0700));
    assert_ok(os_dir_each(&op, folder, ".yaml", collect, names));
    assert_string_equal(names, "a.yaml b.yaml ");
    names[0] = '\0';
    assert_ok(os_dir_each(&op, folder, "", collect, names));
    assert_string_equal(names, "a.yaml b.yaml c.json yaml ");
    assert_ok(os_dir_each(&op, folder, ".none", collect, names));
    assert_code(os_dir_each(&op, path, "", collect, names), KW_E_NOT_FOUND);
}

static void the_first_failure_ends_the_walk(void **state)
{
    char names[100] = "";
    char text[256];

    (void)state;
    put("a.yaml");
    put("stop.yaml");
    put("z.yaml");
    assert_code(os_dir_each(&op, folder, ".yaml", collect, names), KW_E_INPUT);
    assert_string_equal(names, "a.yaml ");
    assert_non_null(strstr(kw_op_message(&op, text, sizeof(text)), "'stop.yaml'"));
}

static void a_lock_is_waited_for(void **state)
{
    (void)state;
    assert_ok(os_path_join(&op, path, sizeof(path), folder, "lock"));
    OS_FD_AUTO int held = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    OS_FD_AUTO int wanted = open(path, O_RDWR | O_CLOEXEC);
    assert_true(os_fd_lock(held, 0));
    errno = 0;
    assert_false(os_fd_lock(wanted, os_clock_mono_ms() + 20));
    assert_int_equal(errno, EWOULDBLOCK);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork(); /* the lock lives as long as one of both has it */
    if (child == 0) {
        char octet;
        (void)close(ends[1]);
        (void)!read(ends[0], &octet, 1);
        (void)usleep(50000);
        _exit(0);
    }
    assert_true(child > 0);
    os_fd_close(&held);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_true(os_fd_lock(wanted, os_clock_mono_ms() + 60000));
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(paths_are_joined_or_refused),
        TEST(written_is_read),
        TEST(reading_has_its_limit),
        TEST(only_regular_files_are_read),
        TEST(files_of_proc_are_read),
        TEST(secrets_of_others_are_refused),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(writing_where_nothing_can_be),
        TEST(a_half_record_is_taken_back),
        TEST(a_full_device_is_told),
        TEST(shredded_files_are_gone_and_zeroed),
        TEST(removed_files_were_whole_until_then),
        TEST(folders_are_removed_with_what_is_in_them),
        TEST(a_link_is_not_shredded_through),
        TEST(folders_are_made_with_their_parents),
        TEST(files_come_sorted),
        TEST(the_first_failure_ends_the_walk),
        TEST(a_lock_is_waited_for),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
