/* examples/home: what it takes for a message, and what waits in its queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "options.h"
#include "queue.h"
#include "spool.h"

#define TAKEN(parse, text, into) parse(text, strlen(text), into)
#define ID "0123456789abcdef0123456789abcdef"
#define HASH ID ID

/* The founding reference's Python hub sends no more than that. */
static void readings(void **state)
{
    static const char *const bad[] = {
        "",
        "25.5",
        "[]",
        "{}",
        "{\"sensor\":\"temperature\"}",
        "{\"sensor\":\"temperature\",\"value\":\"25\"}",
        "{\"sensor\":\"temperature\",\"value\":1,\"value\":2}",
        "{\"sensor\":\"\",\"value\":1}",
        "{\"sensor\":\"a b\",\"value\":1}",
        "{\"sensor\":\"a\\u0000b\",\"value\":1}",
        "{\"sensor\":\"123456789012345678901234567890123\",\"value\":1}",
        "{\"sensor\":\"t\",\"value\":1e999}",
        "{\"sensor\":\"t\",\"value\":NaN}",
        "{\"sensor\":\"t\",\"value\":1,\"time\":-1}",
        "{\"sensor\":\"t\",\"value\":1,\"time\":1.5}",
        "{\"sensor\":\"t\",\"value\":1,\"number\":1}",
        "{\"sensor\":\"t\",\"value\":1,\"boot\":\"01234567\"}",
        "{\"sensor\":\"t\",\"value\":1,\"boot\":\"0123456G\",\"number\":1}",
        "{\"sensor\":\"t\",\"value\":1} x",
    };
    struct reading reading;
    char text[MESSAGE_MAX];

    (void)state;
    assert_true(TAKEN(reading_parse, "{\"sensor\": \"temperature\", \"value\": 27.12, \"x\": []}",
                      &reading));
    assert_string_equal(reading.sensor, "temperature");
    assert_true(reading.value > 27.11 && reading.value < 27.13 && reading.time == 0);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (TAKEN(reading_parse, bad[i], &reading)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    reading = (struct reading){"humidity", 40, 1795000000, "89abcdef", 7, 3};
    assert_true(reading_write(&reading, text));
    assert_string_equal(text, "{\"sensor\":\"humidity\",\"value\":40.0,\"time\":1795000000,"
                              "\"boot\":\"89abcdef\",\"number\":7,\"lost\":3}");
}

static void too_long(void **state)
{
    char text[MESSAGE_MAX + 64];
    struct reading reading;

    (void)state;
    (void)snprintf(text, sizeof(text), "{\"sensor\":\"t\",\"value\":1}%*s", MESSAGE_MAX - 24, "");
    assert_false(TAKEN(reading_parse, text, &reading));
    text[MESSAGE_MAX - 1] = '\0';
    assert_true(TAKEN(reading_parse, text, &reading));
}

static void commands_and_receipts(void **state)
{
    static const char *const bad[] = {
        "{\"id\":\"" ID "\"}",
        "{\"cmd\":\"X\"}",
        "{\"id\":\"" ID "\",\"cmd\":\"X\",\"more\":1}",
        "{\"id\":\"" ID "0\",\"cmd\":\"X\"}",
        "{\"id\":\"0123\",\"cmd\":\"X\"}",
        "{\"id\":\"" ID "\",\"cmd\":\"rm -rf /\"}",
        "{\"id\":1,\"cmd\":\"X\"}",
    };
    struct command command;
    struct receipt receipt;

    (void)state;
    assert_true(TAKEN(command_parse, "{\"id\":\"" ID "\",\"cmd\":\"TURN_LIGHT_ON\"}", &command));
    assert_string_equal(command.cmd, "TURN_LIGHT_ON");
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (TAKEN(command_parse, bad[i], &command)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_true(TAKEN(receipt_parse,
                      "{\"message\":\"" HASH
                      "\",\"result\":\"refused\",\"reason\":\"replayed\",\"light\":\"off\"}",
                      &receipt));
    assert_string_equal(receipt.reason, "replayed");
    assert_false(TAKEN(receipt_parse,
                       "{\"message\":\"" HASH "\",\"result\":\"maybe\",\"light\":\"off\"}",
                       &receipt));
    assert_false(TAKEN(receipt_parse,
                       "{\"message\":\"" HASH "\",\"result\":\"obeyed\",\"light\":\"dim\"}",
                       &receipt));
    assert_false(TAKEN(receipt_parse,
                       "{\"message\":\"" ID "\",\"result\":\"obeyed\",\"light\":\"on\"}",
                       &receipt));
}

static void topics(void **state)
{
    static const char *const bad[] = {"devices//data",   "devices/a/b/data", "devices/a/datas",
                                      "/devices/a/data", "devices/a",        "devices/a/",
                                      "device/a/data"};
    char id[96];

    (void)state;
    assert_true(topic_device("devices/iot-hub-001/data", "data", id));
    assert_string_equal(id, "iot-hub-001");
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(topic_device(bad[i], "data", id));
    }
}

static void queue(void **state)
{
    struct queue queue;

    (void)state;
    assert_true(queue_init(&queue, "t", 3));
    assert_null(queue_head(&queue));
    for (char c = 'a'; c <= 'e'; c++) {
        assert_true(queue_push(&queue, NULL, &c, 1));
    }
    assert_int_equal(queue.dropped, 2); /* the oldest */
    assert_int_equal(queue.gone, 2);
    for (const char *c = "cde"; *c; c++) {
        assert_int_equal(queue_head(&queue)->payload[0], *c);
        queue_pop(&queue);
    }
    assert_null(queue_head(&queue));
    assert_true(queue_push(&queue, "own", "", 0));
    assert_string_equal(queue_head(&queue)->topic, "own");
    queue_done(&queue);
}

/* --- what outlives the program -----------------------------------------------------------------
 */

static char work[] = "/tmp/kw-home-XXXXXX", file[64];
static struct queue waiting;
static struct spool spool;

static int setup_spool(void **state)
{
    (void)state;
    memcpy(work + sizeof(work) - 7, "XXXXXX", 6);
    (void)snprintf(file, sizeof(file), "%s/spool", mkdtemp(work));
    return queue_init(&waiting, "t", 3) && spool_open(&spool, file, &waiting) ? 0 : -1;
}

static int teardown_spool(void **state)
{
    (void)state;
    spool_close(&spool);
    queue_done(&waiting);
    (void)unlink(file);
    return rmdir(work);
}

static void push(const char *text)
{
    assert_true(queue_push(&waiting, NULL, text, strlen(text)));
}

static void start_again(unsigned cap)
{
    spool_close(&spool);
    queue_done(&waiting);
    assert_true(queue_init(&waiting, "t", cap));
    assert_true(spool_open(&spool, file, &waiting));
}

/* One letter each. */
static void assert_waits(const char *letters, unsigned long dropped)
{
    char found[64] = "";

    for (unsigned i = 0; i < waiting.n && i < sizeof(found) - 1; i++) {
        found[i] = waiting.at[(waiting.head + i) % waiting.cap].payload[0];
    }
    assert_string_equal(found, letters);
    assert_int_equal(waiting.dropped, dropped);
}

static off_t size_of(void)
{
    struct stat now;

    assert_int_equal(stat(file, &now), 0);
    return now.st_size;
}

static void what_waits_outlives_the_program(void **state)
{
    (void)state;
    push("a");
    push("b c");
    assert_true(spool_follow(&spool, &waiting));
    push("c"); /* came after, and is lost with the power */
    start_again(3);
    assert_waits("ab", 0);
    assert_string_equal(waiting.at[1].payload, "b c");
    for (char c = 'd'; c <= 'f'; c++) {
        push((char[]){c, 0});
        assert_true(spool_follow(&spool, &waiting));
    }
    start_again(3);
    assert_waits("def", 2);
    queue_pop(&waiting); /* sent; what follows is told with what waits by then */
    push("g");
    assert_true(spool_follow(&spool, &waiting));
    start_again(3);
    assert_waits("efg", 2);
    start_again(2);
    assert_waits("fg", 3);
}

static void the_file_is_bounded_and_empty_when_all_was_sent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        push("x");
        assert_true(spool_follow(&spool, &waiting));
        assert_in_range(size_of(), 1, 200);
    }
    while (waiting.n > 0) {
        queue_pop(&waiting);
    }
    assert_true(spool_follow(&spool, &waiting));
    assert_int_equal(size_of(), 0);
    start_again(3);
    assert_waits("", 0);
}

static void half_a_line_and_nonsense_are_passed_over(void **state)
{
    static const char text[] = "0 1 a\n\n 1 b\n5\n0 0 c\nx y z\n0 2 d\n0 3 e";
    int fd = open(file, O_WRONLY | O_TRUNC);

    (void)state;
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    (void)close(fd);
    start_again(3);
    assert_waits("ad", 0);
}

/* Whatever cannot be written is written once it can. */
static void a_full_disk_loses_nothing_that_waits(void **state)
{
    int own = spool.fd;

    (void)state;
    push("a");
    spool.fd = open("/dev/full", O_WRONLY);
    assert_false(spool_follow(&spool, &waiting));
    (void)close(spool.fd);
    spool.fd = own;
    push("b");
    assert_true(spool_follow(&spool, &waiting));
    start_again(3);
    assert_waits("ab", 0);
}

/* --- options -----------------------------------------------------------------------------------
 */

static void options(void **state)
{
    static const char *text;
    static double number;
    static const char *list[3];
    const struct option_row rows[] = {
        {"--text", "T", "", .text = &text},
        {"--number", "N", "", .number = &number, .min = 1, .max = 9},
        {"--list", "L", "", .list = list, .list_max = 2},
        {0},
    };
    static const struct {
        const char *argv[8];
        enum options want;
    } cases[] = {
        {{"p", "--help"},                                        OPTIONS_HELP },
        {{"p", "--text", "x", "-h"},                             OPTIONS_HELP },
        {{"p", "--other", "x"},                                  OPTIONS_WRONG},
        {{"p", "--text"},                                        OPTIONS_WRONG},
        {{"p", "--text", ""},                                    OPTIONS_WRONG},
        {{"p", "--number", "0"},                                 OPTIONS_WRONG},
        {{"p", "--number", "nan"},                               OPTIONS_WRONG},
        {{"p", "--number", "2x"},                                OPTIONS_WRONG},
        {{"p", "--text", "x", "--number", "2.5", "--list", "a"}, OPTIONS_TAKEN},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int n = 0;
        while (n < 8 && cases[i].argv[n]) {
            n++;
        }
        assert_int_equal(options_take(n, (char **)(uintptr_t)cases[i].argv, rows), cases[i].want);
    }
    assert_string_equal(text, "x");
    assert_true(number > 2.4 && number < 2.6);
    assert_string_equal(list[0], "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings),
        cmocka_unit_test(too_long),
        cmocka_unit_test(commands_and_receipts),
        cmocka_unit_test(topics),
        cmocka_unit_test(queue),
        cmocka_unit_test_setup_teardown(what_waits_outlives_the_program, setup_spool,
                                        teardown_spool),
        cmocka_unit_test_setup_teardown(the_file_is_bounded_and_empty_when_all_was_sent,
                                        setup_spool, teardown_spool),
        cmocka_unit_test_setup_teardown(half_a_line_and_nonsense_are_passed_over, setup_spool,
                                        teardown_spool),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing_that_waits, setup_spool,
                                        teardown_spool),
        cmocka_unit_test(options),
    };

    return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
