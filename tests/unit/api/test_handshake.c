/* What of failed TLS handshakes reaches the log, and what the figures say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api/api.h"

static unsigned n_lines;
static char last[512];

static void complain(const char *what, const struct kw_op *op)
{
    n_lines++;
    (void)snprintf(last, sizeof(last), "%s: %s", what, kw_op_cause(op));
}

static struct api *start(void)
{
    static struct api api;

    api = (struct api){.service = calloc(1, sizeof(struct service))};
    assert_non_null(api.service);
    api.service->complain = complain;
    n_lines = 0;
    return &api;
}

static void fail_at(struct api *api, enum tls_end end, unsigned times)
{
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    (void)FAIL(&op, KW_E_UNAVAILABLE, "the keeper did not answer in time");
    for (unsigned i = 0; i < times; i++) {
        api_observe_handshake(api, end, "192.0.2.7:4711", &op);
    }
}

static void what_we_refuse_is_said_with_cause_and_next_step(void **state)
{
    struct api *api = start();

    (void)state;
    fail_at(api, TLS_END_SERVER, 1);
    assert_int_equal(n_lines, 1);
    assert_string_equal(
        last, "TLS handshake with 192.0.2.7:4711 refused (see 'keywright doctor', and whether the "
              "keeper runs): the keeper did not answer in time");
    free(api->service);
}

static void a_flood_is_one_line_of_each_kind(void **state)
{
    struct api *api = start();

    (void)state;
    for (enum tls_end end = 0; end < TLS_END_MAX; end++) {
        fail_at(api, end, 1000);
    }
    assert_int_equal(n_lines, 2); /* one hides none of the other kind */
    atomic_fetch_sub(&api->refused_handshakes[TLS_END_SERVER].said_ms, 60000); /* a minute later */
    fail_at(api, TLS_END_SERVER, 2);
    assert_int_equal(n_lines, 3);
    assert_non_null(strstr(last, "(and 999 since the last such line)"));
    free(api->service);
}

static void garbage_makes_no_line(void **state)
{
    static const enum tls_end garbage[] = {TLS_END_GONE, TLS_END_ALERT, TLS_END_PROTOCOL};
    struct api *api = start();

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(garbage); i++) {
        fail_at(api, garbage[i], 1);
    }
    assert_int_equal(n_lines, 0);
    free(api->service);
}

static void the_figures_name_every_reason(void **state)
{
    static const char *const reasons[] = {"client_gone", "client_alert", "protocol",
                                          "client_certificate", "server"};
    struct http_server_stats stats = {
        .handshakes_failed = {1, 2, 3, 4, 5}
    };
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_true(kw_ok(kw_bytes_new(1024, &text)));
    assert_true(kw_ok(api_put_handshakes(&stats, text)));
    assert_true(kw_ok(kw_bytes_append(text, KW_SPAN("", 1))));
    for (unsigned i = 0; i < KW_COUNT(reasons); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "keywright_handshakes_failed_total{reason=\"%s\"} %u\n",
                       reasons[i], i + 1);
        assert_non_null(strstr((const char *)text->p, line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_refuse_is_said_with_cause_and_next_step),
        cmocka_unit_test(a_flood_is_one_line_of_each_kind),
        cmocka_unit_test(garbage_makes_no_line),
        cmocka_unit_test(the_figures_name_every_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
