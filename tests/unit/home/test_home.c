/* examples/home: what it takes for a message, and what waits in its queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "message.h"
#include "queue.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings),
        cmocka_unit_test(too_long),
        cmocka_unit_test(commands_and_receipts),
        cmocka_unit_test(topics),
        cmocka_unit_test(queue),
    };

    return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
