/* The log of events: full, torn at every octet, damaged, written by two at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/device.h"
#include "device/events.h"
#include "device/events_file.h"
#include "os/clock.h"
#include "os/files.h"

static char dir[64];

/* In memory, where that is: thousands of records, each synced. */
static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/dev/shm/keywright-events-XXXXXX");
    if (mkdtemp(dir)) {
        return 0;
    }
    (void)snprintf(dir, sizeof(dir), "/tmp/keywright-events-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct kw_op op;

    (void)state;
    kw_op_init(&op, NULL, 0);
    return kw_ok(os_tree_remove(&op, dir)) ? 0 : -1;
}

static struct events_file *open_log(void)
{
    struct events_file *file = NULL;
    struct kw_op op;

    kw_op_init(&op, NULL, os_clock_mono_ms() + 20000);
    assert_true(kw_ok(events_file_open(&op, dir, &file)));
    return file;
}

static void write_one(struct events_file *file, uint64_t id, const char *detail)
{
    struct device_event event = {
        .id = id, .source = "test", .category = "test", .type = "app.test", .result = "success"};
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    (void)KW_TEXT_SET(event.detail, detail);
    assert_true(kw_ok(events_file_append(&op, file, &event)));
}

static void write_next(const char *detail)
{
    AUTO(events_file) *file = open_log();

    write_one(file, events_file_end(file)->id + 1, detail);
}

struct seen {
    uint64_t n, first, last;
    bool in_order;
};
static bool see(void *ctx, const struct device_event *event, struct kw_span record)
{
    struct seen *it = ctx;

    (void)record;
    it->in_order = it->n == 0 || (it->in_order && event->id == it->last + 1);
    it->first = it->n == 0 ? event->id : it->first;
    it->last = event->id;
    it->n++;
    return true;
}

static struct seen read_all(void)
{
    struct seen seen = {0};
    AUTO(events_file) *file = open_log();

    events_file_each(file, 1, see, &seen);
    assert_int_equal(events_file_end(file)->id, seen.last);
    assert_int_equal(events_file_end(file)->first, seen.n ? seen.first : 1);
    return seen;
}

static void name(char path[128], const char *file)
{
    (void)snprintf(path, 128, "%s/%s", dir, file);
}

static struct kw_bytes *slurp(const char *path)
{
    struct kw_bytes *octets = NULL;
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    assert_true(kw_ok(os_file_read(&op, path, 1 << 20, &octets)));
    return octets;
}

static void spit(const char *path, struct kw_span octets)
{
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    assert_true(kw_ok(os_file_write(&op, path, 0600, octets)));
}

/* --- tests ------------------------------------------------------------------------------------ */

static void round_and_round(void **state)
{
    enum { MANY = 1750 };
    char text[192];

    (void)state;
    for (uint64_t id = 1; id <= MANY;) {
        AUTO(events_file) *file = open_log();
        assert_int_equal(events_file_end(file)->id, id - 1);
        for (unsigned i = 0; i < 250; i++, id++) {
            (void)snprintf(text, sizeof(text), "%0*d", (int)(1 + id % 180), (int)id);
            write_one(file, id, text);
        }
    }
    struct seen seen = read_all();
    assert_true(seen.in_order);
    assert_int_equal(seen.last, MANY);
    assert_true(seen.n > 400 && seen.n < 1300); /* bounded, and at least one file full of them */
}

static void torn_everywhere(void **state)
{
    char path[128];

    (void)state;
    name(path, "events-a");
    write_next("one");
    write_next("two");
    AUTO(kw_bytes) *before = slurp(path);
    write_next("three");
    AUTO(kw_bytes) *after = slurp(path);
    AUTO(kw_bytes) *torn = NULL;
    assert_true(kw_ok(kw_bytes_copy(kw_bytes_span(before), &torn)));
    unsigned points = 0;
    for (size_t i = 0; i < before->len; i++) {
        if (memcmp(torn->p + i, after->p + i, after->len - i) == 0) {
            break; /* it is whole */
        }
        if (before->p[i] != after->p[i]) {
            spit(path, kw_bytes_span(torn));
            assert_int_equal(read_all().n, 2);
            points++;
        }
        torn->p[i] = after->p[i];
    }
    print_message("# %u of %u torn writes: the log ends with the record before\n", points, points);
    assert_true(points > 100);
    write_next("three again");
    struct seen seen = read_all();
    assert_true(seen.in_order && seen.n == 3);
}

/* Cut at each octet of a file's new beginning: the other one goes on. */
static void torn_turns(void **state)
{
    char a[128], b[128];
    uint64_t id = 0;

    (void)state;
    name(a, "events-a");
    name(b, "events-b");
    AUTO(kw_bytes) *before_a = NULL;
    AUTO(kw_bytes) *before_b = NULL;
    for (;;) { /* up to the record that makes it turn */
        kw_bytes_free(before_a);
        kw_bytes_free(before_b);
        before_a = before_b = NULL;
        id = read_all().last;
        if (id == 0) {
            write_next("x");
            continue;
        }
        before_a = slurp(a);
        before_b = slurp(b);
        AUTO(events_file) *file = open_log();
        for (unsigned i = 0; i < (id < 700 ? 100 : 1); i++) {
            write_one(file, ++id, "a detail of some length, so that it does not take so long");
        }
        events_file_close(TAKE(file));
        AUTO(kw_bytes) *now = slurp(b);
        if (!kw_span_equal(kw_bytes_span(now), kw_bytes_span(before_b))) {
            break;
        }
    }
    AUTO(kw_bytes) *after = slurp(b);
    for (size_t cut = 0; cut < 64; cut += 5) {
        AUTO(kw_bytes) *torn = NULL;
        assert_true(kw_ok(kw_bytes_copy(kw_bytes_span(before_b), &torn)));
        memcpy(torn->p, after->p, cut);
        spit(a, kw_bytes_span(before_a));
        spit(b, kw_bytes_span(torn));
        struct seen seen = read_all();
        assert_true(seen.in_order);
        write_next("after the cut");
        assert_int_equal(read_all().last, seen.last + 1);
    }
}

static void any_octet_damaged(void **state)
{
    char path[128];

    (void)state;
    name(path, "events-a");
    for (unsigned i = 0; i < 3; i++) {
        write_next("something");
    }
    AUTO(kw_bytes) *whole = slurp(path);
    for (size_t at = 0; at < 64 + 3 * 137; at += 3) {
        AUTO(kw_bytes) *bad = NULL;
        assert_true(kw_ok(kw_bytes_copy(kw_bytes_span(whole), &bad)));
        bad->p[at] ^= 0x40;
        spit(path, kw_bytes_span(bad));
        assert_true(read_all().n < 3);
        write_next("it goes on");
    }
}

static void strange_files(void **state)
{
    static uint8_t noise[EVENTS_FILE_BYTES + 100];
    char path[128];

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        for (size_t k = 0; k < sizeof(noise); k++) {
            noise[k] = (uint8_t)((k * 2654435761U + i * 40503U) >> 7);
        }
        name(path, i % 2 ? "events-a" : "events-b");
        spit(path, KW_SPAN(noise, (i * 7919U) % sizeof(noise)));
        write_next("whatever lies there");
        assert_true(read_all().in_order);
    }
}

static void two_at_once(void **state)
{
    enum { WRITERS = 4, EACH = 25 };
    pid_t pids[WRITERS];

    (void)state;
    for (unsigned i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            for (unsigned n = 0; n < EACH; n++) {
                write_next("mine");
            }
            _exit(0);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        int status = 1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    struct seen seen = read_all();
    assert_true(seen.in_order);
    assert_int_equal(seen.n, WRITERS * EACH);
}

/* --- the warning ------------------------------------------------------------------------------ */

struct told {
    uint64_t warnings, at; /* at: the first one's id */
    size_t before;         /* octets of the records before it */
};
static bool find_warnings(void *ctx, const struct device_event *event, struct kw_span record)
{
    struct told *it = ctx;

    if (strcmp(event->type, "log.warning") == 0 && strcmp(event->result, "full") == 0) {
        it->at = it->warnings++ ? it->at : event->id;
    }
    it->before += it->warnings ? 0 : record.len;
    return true;
}

static struct told note_until(struct device *device, uint64_t id)
{
    static const char long_detail[] =
        "what an application has to say, at length, so that the log is full before long: "
        "0123456789 0123456789 0123456789 0123456789";
    struct told told = {0};
    struct kw_op op;

    for (;;) {
        AUTO(events_file) *file = open_log();
        if (events_file_end(file)->id >= id) {
            events_file_each(file, 1, find_warnings, &told);
            return told;
        }
        events_file_close(TAKE(file));
        kw_op_init(&op, NULL, os_clock_mono_ms() + 20000);
        assert_true(kw_ok(events_note_app(&op, device, "app.test", "success", long_detail)));
    }
}

static struct told note_until_told(struct device *device, uint64_t from, uint64_t max)
{
    struct told told = {0};

    for (uint64_t id = from; told.warnings == 0 && id <= max; id += 25) {
        told = note_until(device, id);
    }
    return told;
}

/* One warning while the server has less than a fifth of what fits, and again only for what it has
 * not seen. Noting goes on in any case. */
static void warned_at_four_fifths(void **state)
{
    static const size_t room = (size_t)EVENTS_FILES * EVENTS_FILE_BYTES;
    struct device device = {0};
    char sent[128], text[32];

    (void)state;
    (void)KW_TEXT_SET(device.dir, dir);
    struct told told = note_until_told(&device, 25, 5000);
    assert_int_equal(told.warnings, 1);
    assert_true(told.before >= room / 100 * 80 && told.before < room / 100 * 81);
    assert_int_equal(note_until(&device, told.at + 50).warnings, 1); /* not at each event */

    name(sent, EVENTS_SENT_FILE); /* the server has all: there is room again */
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)told.at + 50);
    spit(sent, kw_span_text(text));
    uint64_t delivered = told.at + 50;
    told = note_until(&device, delivered + 100);
    assert_true(told.warnings == 0 || told.at < delivered);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(round_and_round),       TEST(torn_everywhere), TEST(torn_turns),
        TEST(any_octet_damaged),     TEST(strange_files),   TEST(two_at_once),
        TEST(warned_at_four_fifths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
