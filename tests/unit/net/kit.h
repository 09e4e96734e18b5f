/* cmocka and the rig. */
#ifndef TESTS_NET_KIT_H
#define TESTS_NET_KIT_H

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rig.h"

#define assert_ok(op, expr)                                                                        \
    do {                                                                                           \
        kw_status assert_status_ = (expr);                                                         \
        if (!kw_ok(assert_status_)) {                                                              \
            char text_[512];                                                                       \
            fail_msg("%s: %s", kw_code_text(assert_status_.code),                                  \
                     kw_op_message((op), text_, sizeof(text_)));                                   \
        }                                                                                          \
    } while (0)

#define assert_code(op, expr, want)                                                                \
    do {                                                                                           \
        kw_status assert_status_ = (expr);                                                         \
        if (assert_status_.code != (want)) {                                                       \
            char text_[512];                                                                       \
            fail_msg("%s, not %s: %s", kw_code_text(assert_status_.code), kw_code_text(want),      \
                     kw_op_message((op), text_, sizeof(text_)));                                   \
        }                                                                                          \
    } while (0)

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!strstr((text), (part))) {                                                             \
            fail_msg("no '%s' in '%s'", (part), (text));                                           \
        }                                                                                          \
    } while (0)

#define assert_lacks(text, part)                                                                   \
    do {                                                                                           \
        if (strstr((text), (part))) {                                                              \
            fail_msg("'%s' in '%s'", (part), (text));                                              \
        }                                                                                          \
    } while (0)

#define TEST_OP(op)                                                                                \
    struct kw_op op;                                                                               \
    kw_op_init(&op, "test", 0)

/* Body as text. */
static inline const char *body_text(const struct http_answer *answer, char *room, size_t cap)
{
    (void)snprintf(room, cap, "%.*s", (int)answer->body->len, (const char *)answer->body->p);
    return room;
}

/* GET path and expect this status; the answer's body goes away. */
static inline void expect_get(struct http_client *client, const char *path, int status)
{
    TEST_OP(op);
    struct http_answer answer = {0};
    struct http_call call = {.method = HTTP_GET, .path = path};

    assert_ok(&op, http_client_call(&op, client, &call, &answer));
    assert_int_equal(answer.status, status);
    http_answer_done(&answer);
}

static inline kw_status try_get(struct kw_op *op, struct http_client *client, const char *path)
{
    struct http_answer answer = {0};
    struct http_call call = {.method = HTTP_GET, .path = path};

    kw_status status = http_client_call(op, client, &call, &answer);
    http_answer_done(&answer);
    return status;
}

/* Wait up to 5 s until a counter has this value. */
static inline void wait_for(const atomic_uint *counter, unsigned value)
{
    for (unsigned i = 0; i < 1000 && atomic_load(counter) != value; i++) {
        (void)usleep(5000);
    }
    assert_int_equal(atomic_load(counter), value);
}

/* A write to a closed socket is an error to us, not the end of the program. */
static inline int kit_run(const struct CMUnitTest *tests, size_t n, const char *name)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)n;
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
#define KIT_RUN(tests, name) kit_run((tests), KW_COUNT(tests), (name))

#endif
