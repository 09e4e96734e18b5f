/* When something is due, whatever the clock does, and how long what failed waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/dn.h"
#include "device/device.h"
#include "os/clock.h"

enum { DAY = 86400, LIFE = 90 * DAY };
static int64_t begin_s; /* when the library was built: no time is believed to be before that */

/* --- clocks that a test sets ------------------------------------------------------------------ */

static int64_t unix_s, up_s; /* what somebody set; what nobody can */

int64_t __wrap_os_clock_unix_ms(void);
int64_t __wrap_os_clock_unix_ms(void)
{
    return unix_s * 1000;
}

int64_t __wrap_os_clock_up_s(void);
int64_t __wrap_os_clock_up_s(void)
{
    return up_s;
}

int64_t __wrap_os_clock_mono_ms(void);
int64_t __wrap_os_clock_mono_ms(void)
{
    return up_s * 1000;
}

static void pass(int64_t seconds)
{
    unix_s += seconds;
    up_s += seconds;
}

static struct cert *make_cert(unsigned number)
{
    uint8_t serial[KW_SERIAL_BYTES] = {0x11, [15] = (uint8_t)number}, room[KW_DN_MAX];
    const struct dn_part parts[] = {
        {"CN", "DEV1"}
    };
    struct kw_out name = KW_OUT_ARRAY(room);
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(privkey_generate(&op, KEY_ALG_EC_P256, &key)));
    assert_true(kw_ok(dn_build(&op, parts, 1, &name)));
    struct cert_spec spec = {.subject_dn = kw_out_span(&name),
                             .issuer_dn = kw_out_span(&name),
                             .serial = KW_SPAN_ARRAY(serial),
                             .not_before = begin_s,
                             .not_after = begin_s + LIFE,
                             .key = privkey_public(key),
                             .path_len = -1,
                             .key_usage = CERT_KU_DIGITAL_SIGNATURE};
    assert_true(kw_ok(cert_build(&op, &spec, key, &der)));
    assert_true(kw_ok(cert_parse(&op, kw_bytes_span(der), &cert)));
    return cert;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void waits_double_up_to_an_hour(void **state)
{
    static const struct {
        unsigned failures;
        uint32_t asked_s;
        int64_t least_ms, most_ms;
    } rows[] = {
        {0,          0,          0,        0       },
        {0,          30,         0,        0       }, /* nothing failed: nothing waits */
        {1,          0,          500,      1000    },
        {2,          0,          1000,     2000    },
        {5,          0,          8000,     16000   },
        {12,         0,          1024000,  2048000 },
        {13,         0,          1800000,  3600000 },
        {4000000000, 0,          1800000,  3600000 },
        {1,          60,         60000,    66000   }, /* never before what the server asks for */
        {5,          17,         17000,    18700   },
        {12,         60,         1024000,  2048000 },
        {1,          4000000000, 86400000, 95040000}, /* but a device comes back */
    };

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(rows); i++) {
        for (unsigned random = 0; random <= UINT16_MAX; random += 771) {
            int64_t wait_ms = device_wait_ms(rows[i].failures, rows[i].asked_s, (uint16_t)random);
            assert_true(wait_ms >= rows[i].least_ms && wait_ms <= rows[i].most_ms);
        }
    }
}

/* Devices that failed at the same moment do not come back at the same moment. */
static void the_wait_is_spread(void **state)
{
    (void)state;
    assert_true(device_wait_ms(10, 0, UINT16_MAX) - device_wait_ms(10, 0, 0) > 200000);
    assert_true(device_wait_ms(1, 600, UINT16_MAX) - device_wait_ms(1, 600, 0) > 50000);
}

static void what_fails_waits_and_what_succeeds_does_not(void **state)
{
    struct device device = {.retry_after_s = 120};

    (void)state;
    device_note(&device, DEVICE_TASK_HELLO, KW_FAIL(KW_E_UNAVAILABLE));
    assert_int_equal(device.tries[DEVICE_TASK_HELLO].failures, 1);
    assert_true(device.tries[DEVICE_TASK_HELLO].again_ms >= up_s * 1000 + 120000);
    assert_int_equal(device.tries[DEVICE_TASK_RENEW].failures, 0); /* each has its own */
    device_note(&device, DEVICE_TASK_HELLO, KW_OK);
    assert_int_equal(device.tries[DEVICE_TASK_HELLO].failures, 0);
    assert_int_equal(device.tries[DEVICE_TASK_HELLO].again_ms, 0);
}

/* --- renewal ---------------------------------------------------------------------------------- */

static void renewal_is_due_at_two_thirds(void **state)
{
    AUTO(cert) *cert = make_cert(1);
    struct device device = {0};

    (void)state;
    unix_s = begin_s;
    int64_t in_s = device_renew_in_s(&device, cert);
    assert_true(in_s >= LIFE / 3 * 2 && in_s <= LIFE / 3 * 2 + LIFE / 20);
    pass(in_s - 1);
    assert_int_equal(device_renew_in_s(&device, cert), 1);
    pass(1);
    assert_int_equal(device_renew_in_s(&device, cert), 0);
}

static void a_batch_is_spread(void **state)
{
    int64_t first = INT64_MAX, last = 0;

    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        AUTO(cert) *cert = make_cert(i);
        int64_t at = device_renew_at(cert);
        first = at < first ? at : first;
        last = at > last ? at : last;
        assert_int_equal(device_renew_at(cert), at); /* the same each time */
    }
    assert_true(last - first > DAY); /* of four and a half; 32 equal ones: never */
}

/* Set back by years, ahead by years, and both: never later than by the uptime. */
static void a_clock_that_is_set_makes_nothing_late(void **state)
{
    AUTO(cert) *cert = make_cert(1);
    struct device device = {0};

    (void)state;
    unix_s = begin_s;
    int64_t in_s = device_renew_in_s(&device, cert);
    pass(10 * DAY);
    unix_s -= 20000LL * DAY; /* 1972 */
    assert_true(device_renew_in_s(&device, cert) <= in_s - 10 * DAY);
    pass(in_s - 10 * DAY);
    assert_int_equal(device_renew_in_s(&device, cert), 0);

    AUTO(cert) *next = make_cert(2); /* another certificate is counted anew */
    unix_s = begin_s;
    assert_true(device_renew_in_s(&device, next) > 0);
    in_s = device_renew_in_s(&device, next);
    unix_s = 4291747200; /* 2106: nobody vouches for that */
    assert_int_equal(device_renew_in_s(&device, next), in_s);
    unix_s = begin_s + 300LL * DAY; /* this might be */
    assert_int_equal(device_renew_in_s(&device, next), 0);
}

static void the_server_may_ask_for_it(void **state)
{
    AUTO(cert) *cert = make_cert(1);
    struct device device = {.config.renew_asked = true};

    (void)state;
    unix_s = begin_s;
    assert_int_equal(device_renew_in_s(&device, cert), 0);
    device_note(&device, DEVICE_TASK_RENEW, KW_OK); /* and it is not content with what came */
    assert_true(device.tries[DEVICE_TASK_RENEW].again_ms > up_s * 1000);
}

static int setup(void **state)
{
    static const struct device none;

    (void)state;
    begin_s = device_floor_ms(&none) / 1000;
    unix_s = begin_s;
    up_s = 1000;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(waits_double_up_to_an_hour, setup),
        cmocka_unit_test_setup(the_wait_is_spread, setup),
        cmocka_unit_test_setup(what_fails_waits_and_what_succeeds_does_not, setup),
        cmocka_unit_test_setup(renewal_is_due_at_two_thirds, setup),
        cmocka_unit_test_setup(a_batch_is_spread, setup),
        cmocka_unit_test_setup(a_clock_that_is_set_makes_nothing_late, setup),
        cmocka_unit_test_setup(the_server_may_ask_for_it, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
