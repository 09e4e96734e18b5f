/* Statements: one way to write each, nothing else is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/statement.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define RELEASE_HEAD "firmware-release v1\nproduct: lock\nhardware: rev-b\n"
#define RELEASE                                                                                    \
    RELEASE_HEAD "version: 1.4.0+7\nimage-sha256: " HASH "\nimage-size: 4096\nsecurity-counter: 7\n"

static struct statement parsed(const char *text)
{
    struct statement statement;

    assert_true(kw_ok(statement_parse(kw_span_text(text), &statement, NULL)));
    return statement;
}

static void refused(const char *text, size_t len, const char *wrong)
{
    struct statement statement;
    const char *said = NULL;

    assert_int_equal(statement_parse(KW_SPAN(text, len), &statement, &said).code, KW_E_INPUT);
    assert_string_equal(said, wrong);
}

static void a_release_is_read(void **state)
{
    struct statement release = parsed(RELEASE);
    uint8_t hash[KW_HASH_BYTES];

    (void)state;
    assert_int_equal(release.kind, STATEMENT_FIRMWARE_RELEASE);
    assert_true(statement_is(&release, "product", "lock"));
    assert_true(statement_is(&release, "version", "1.4.0+7"));
    assert_int_equal(statement_number(&release, "security-counter"), 7);
    assert_int_equal(statement_number(&release, "image-size"), 4096);
    statement_hash(&release, "image-sha256", hash);
    assert_int_equal(hash[1], 0x11);
    assert_int_equal(hash[31], 0xff);
}

static const char *good_value(enum statement_form form)
{
    static const char *const values[] = {
        [STATEMENT_TOKEN] = "DEV-1_a.b+c",
        [STATEMENT_TEXT] = "sealed file, 以軟體封存",
        [STATEMENT_SHA256] = HASH,
        [STATEMENT_HASH_OR_NONE] = "none",
        [STATEMENT_HASHES] = HASH "," HASH,
        [STATEMENT_NUMBER] = "9223372036854775807",
        [STATEMENT_TIME] = "2026-11-21T02:22:42Z",
    };
    return values[form];
}

/* clang-format off */
static const char *const bad_values[][8] = {
    [STATEMENT_TOKEN] = {"", "a b", "a/b", ".a", "-a", "a:b", "\xc3\xa9", "a,b"},
    [STATEMENT_TEXT] = {"", " a", "a ", "\x01", "\xff", "a\x7f", "a\tb", "\xc2\x85"},
    [STATEMENT_SHA256] = {"", "none", HASH "00", "0", "A" HASH, HASH "\r", " " HASH, "g"},
    [STATEMENT_HASH_OR_NONE] = {"", "None", "none ", "nil", HASH HASH, HASH ",", "no", "0"},
    [STATEMENT_HASHES] = {"", ",", HASH ",", "," HASH, HASH HASH, HASH " " HASH, "none",
                          HASH ", " HASH},
    [STATEMENT_NUMBER] = {"", "-1", "+1", "01", "1.0", "0x1", "9223372036854775808",
                          "99999999999999999999"},
    [STATEMENT_TIME] = {"", "2026-11-21", "2026-11-21T02:22:42.000Z", "2026-11-21T02:22:42",
                        "2026-11-21t02:22:42Z", "2026-13-21T02:22:42Z", "2026-11-21 02:22:42Z",
                        "2026-11-21T02:22:42+00:00"},
};
/* clang-format on */

/* Every kind: as written it is read; each field in each bad form is refused by its name. */
static void each_field_has_its_form(void **state)
{
    (void)state;
    for (unsigned k = STATEMENT_NONE + 1; k < STATEMENT_KIND_MAX; k++) {
        const char *values[STATEMENT_FIELDS_MAX];
        unsigned n = 0;
        const struct statement_field *fields = statement_fields((enum statement_kind)k, &n);
        char room[STATEMENT_MAX];
        struct kw_out out = KW_OUT_ARRAY(room);

        assert_true(n > 0 && n <= STATEMENT_FIELDS_MAX);
        for (unsigned i = 0; i < n; i++) {
            values[i] = good_value(fields[i].form);
        }
        assert_true(kw_ok(statement_write((enum statement_kind)k, values, n, &out)));
        for (unsigned i = 0; i < n; i++) {
            for (unsigned j = 0; j < KW_COUNT(bad_values[0]); j++) {
                const char *good = values[i];
                values[i] = bad_values[fields[i].form][j];
                out.len = 0;
                assert_int_equal(statement_write((enum statement_kind)k, values, n, &out).code,
                                 KW_E_INPUT);
                refused(room, out.len, fields[i].name);
                values[i] = good;
            }
        }
        assert_int_equal(statement_write((enum statement_kind)k, values, n - 1, &out).code,
                         KW_E_INPUT);
    }
}

/* A field left out, twice, in another order, or with other white space; something behind. */
static void one_way_to_write_it(void **state)
{
    static const struct {
        const char *text, *wrong;
    } rows[] = {
        {"",                                               "the first line"                  },
        {"firmware-release v1",                            "the first line"                  },
        {"firmware-release v2\n",                          "the first line"                  },
        {"firmware-release  v1\n",                         "the first line"                  },
        {"Firmware-release v1\n",                          "the first line"                  },
        {"firmware-release v1\r\n",                        "the first line"                  },
        {"none v1\n",                                      "the first line"                  },
        {"firmware-release v1\n",                          "product"                         },
        {"firmware-release v1\nhardware: b\nproduct: a\n", "product"                         },
        {"firmware-release v1\nproduct:a\n",               "product"                         },
        {"firmware-release v1\nproduct:  a\n",             "product"                         },
        {"firmware-release v1\nproduct: a\nproduct: a\n",  "hardware"                        },
        {"firmware-release v1\nproduct: a\r\n",            "product"                         },
        {"\nfirmware-release v1\n",                        "the first line"                  },
        {"firmware-release v1\n\nproduct: a\n",            "product"                         },
        {RELEASE "\n",                                     "what stands behind the last line"},
        {RELEASE RELEASE,                                  "what stands behind the last line"},
        {RELEASE "note: x\n",                              "what stands behind the last line"},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        refused(rows[i].text, strlen(rows[i].text), rows[i].wrong);
    }
    for (size_t n = 0; n < strlen(RELEASE); n++) {
        struct statement statement;
        assert_false(kw_ok(statement_parse(KW_SPAN(RELEASE, n), &statement, NULL)));
    }
}

/* Values of every form. */
#define WHOLE                                                                                      \
    "provisioning-record v1\ndevice: DEV1\nserial: S-1\nbatch: B-1\nstation: ST-03\n"              \
    "keys-sha256: " HASH "\ndate: 2026-01-04T09:12:03Z\nrecord-sha256: " HASH                      \
    "\nprev-sha256: none\n"

static bool is_taken(const char *text, size_t len)
{
    struct statement statement;

    return kw_ok(statement_parse(KW_SPAN(text, len), &statement, NULL));
}

/* A NUL, a control character or an octet that is no UTF-8, in the place of any and between any. */
static void no_odd_octets(void **state)
{
    static const char odd[] = {'\0', '\x01', '\x7f', '\xff', '\x1b'};
    char text[sizeof(WHOLE) + 1];
    size_t n = strlen(WHOLE);

    (void)state;
    assert_true(is_taken(WHOLE, n));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < sizeof(odd); j++) {
            memcpy(text, WHOLE, n);
            text[i] = odd[j];
            assert_false(is_taken(text, n));
            memcpy(text, WHOLE, i);
            memcpy(text + i + 1, &WHOLE[i], n - i);
            assert_false(is_taken(text, n + 1));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_is_read),
        cmocka_unit_test(each_field_has_its_form),
        cmocka_unit_test(one_way_to_write_it),
        cmocka_unit_test(no_odd_octets),
    };
    return cmocka_run_group_tests_name("model_statement", tests, NULL, NULL);
}
