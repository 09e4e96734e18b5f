/* The sealed key file of the soft root of trust, as octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rot/soft/keyfile.h"

static const struct soft_keyfile sample = {
    .label = "idevid",
    .alg = KEY_ALG_EC_P256,
    .spki = {(const uint8_t *)"public", 6},
};

static struct kw_out encode(uint8_t *room, size_t cap)
{
    struct kw_out out = {room, cap, 0};
    assert_true(kw_ok(soft_keyfile_encode_head(&sample, &out)));
    assert_true(kw_ok(soft_keyfile_encode_sealed(kw_span_text("sealed"), &out)));
    return out;
}

static void round_trip(void **state)
{
    uint8_t room[128];
    struct soft_keyfile file;
    struct kw_out out = encode(room, sizeof(room));

    (void)state;
    assert_true(kw_ok(soft_keyfile_parse(kw_out_span(&out), &file)));
    assert_string_equal(file.label, "idevid");
    assert_int_equal(file.alg, KEY_ALG_EC_P256);
    assert_true(kw_span_equal(file.spki, kw_span_text("public")));
    assert_true(kw_span_equal(file.sealed, kw_span_text("sealed")));
    assert_int_equal(file.head.len + 2 + file.sealed.len, out.len);
    assert_ptr_equal(file.head.p, room);
}

static void octets_are_pinned(void **state)
{
    static const uint8_t want[] = "KWSK\0\1\0\6idevid\0\1\0\6public\0\6sealed";
    uint8_t room[128];
    struct kw_out out = encode(room, sizeof(room));

    (void)state;
    assert_int_equal(out.len, sizeof(want) - 1);
    assert_memory_equal(room, want, out.len);
}

static void every_cut_and_extra_octet_is_refused(void **state)
{
    uint8_t room[128] = {0};
    struct soft_keyfile file;
    struct kw_out out = encode(room, sizeof(room));

    (void)state;
    for (size_t len = 0; len <= out.len + 1; len++) {
        kw_status status = soft_keyfile_parse(KW_SPAN(room, len), &file);
        assert_int_equal(kw_ok(status), len == out.len);
    }
}

static void bad_fields_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {
        {0,  'X'        },
        {5,  2          },
        {7,  40         },
        {8,  0          },
        {8,  0xff       },
        {15, 0          },
        {15, KEY_ALG_MAX},
        {14, 1          }
    };
    uint8_t room[128];
    struct soft_keyfile file;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(wrong); i++) {
        struct kw_out out = encode(room, sizeof(room));
        room[wrong[i].at] = wrong[i].value;
        assert_int_equal(soft_keyfile_parse(kw_out_span(&out), &file).code, KW_E_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(octets_are_pinned),
        cmocka_unit_test(every_cut_and_extra_octet_is_refused),
        cmocka_unit_test(bad_fields_are_refused),
    };
    return cmocka_run_group_tests_name("rot/soft/keyfile", tests, NULL, NULL);
}
