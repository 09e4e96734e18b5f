/* Which label is which handle: the TPM's index file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "rot/tpm2/index.h"

static const uint32_t first = TPM2_HANDLE_BASE + TPM2_HANDLE_FIRST;

static struct tpm2_index *index_of(unsigned n)
{
    struct tpm2_index *index = calloc(1, sizeof(*index));
    assert_non_null(index);
    for (unsigned i = 0; i < n; i++) {
        struct tpm2_entry entry = {
            .handle = first + i,
            .alg = i % 2 ? KEY_ALG_EC_P384 : KEY_ALG_EC_P256,
            .state = i % 3 ? TPM2_ENTRY_READY : TPM2_ENTRY_PENDING,
            .name = {0, 11, (uint8_t)i}
        };
        (void)snprintf(entry.label, sizeof(entry.label), "a-label-of-32-characters-is-%04u",
                       i % 10000u);
        assert_true(kw_ok(tpm2_index_add(NULL, index, &entry)));
    }
    return index;
}

static void same(const struct tpm2_index *a, const struct tpm2_index *b)
{
    assert_int_equal(a->n, b->n);
    for (unsigned i = 0; i < a->n; i++) {
        assert_string_equal(a->at[i].label, b->at[i].label);
        assert_int_equal(a->at[i].handle, b->at[i].handle);
        assert_int_equal(a->at[i].alg, b->at[i].alg);
        assert_int_equal(a->at[i].state, b->at[i].state);
        assert_memory_equal(a->at[i].name, b->at[i].name, TPM2_NAME_BYTES);
    }
}

static void round_trip(void **state)
{
    static const unsigned sizes[] = {0, 1, 2, TPM2_HANDLE_COUNT};
    (void)state;
    for (size_t i = 0; i < KW_COUNT(sizes); i++) {
        AUTO(tpm2_index) *index = index_of(sizes[i]);
        AUTO(tpm2_index) *back = index_of(0);
        AUTO(kw_bytes) *octets = NULL;
        assert_true(kw_ok(tpm2_index_encode(index, &octets)));
        assert_true(octets->len <= TPM2_INDEX_FILE_MAX);
        assert_true(kw_ok(tpm2_index_parse(kw_bytes_span(octets), back)));
        same(index, back);
    }
}

static void full_is_full(void **state)
{
    AUTO(tpm2_index) *index = index_of(TPM2_HANDLE_COUNT);
    struct tpm2_entry entry = {.label = "x", .handle = first};
    (void)state;
    assert_int_equal(tpm2_index_add(NULL, index, &entry).code, KW_E_FULL);
}

static void any_flip_or_cut_is_refused(void **state)
{
    AUTO(tpm2_index) *index = index_of(3);
    AUTO(tpm2_index) *back = index_of(0);
    AUTO(kw_bytes) *octets = NULL;

    (void)state;
    assert_true(kw_ok(tpm2_index_encode(index, &octets)));
    for (size_t i = 0; i < octets->len; i++) {
        assert_false(kw_ok(tpm2_index_parse(KW_SPAN(octets->p, i), back)));
        octets->p[i] ^= 1;
        assert_false(kw_ok(tpm2_index_parse(kw_bytes_span(octets), back)));
        octets->p[i] ^= 1;
    }
}

/* With a checksum that is right again. */
static enum kw_code parse_changed(size_t at, uint8_t value)
{
    uint8_t sum[KW_HASH_BYTES];
    AUTO(tpm2_index) *index = index_of(2);
    AUTO(tpm2_index) *back = index_of(0);
    AUTO(kw_bytes) *octets = NULL;

    assert_true(kw_ok(tpm2_index_encode(index, &octets)));
    octets->p[at] = value;
    digest_sha256(KW_SPAN(octets->p, octets->len - sizeof(sum)), sum);
    memcpy(octets->p + octets->len - sizeof(sum), sum, sizeof(sum));
    return tpm2_index_parse(kw_bytes_span(octets), back).code;
}

static void bad_fields_are_refused(void **state)
{
    enum { ENTRY = 8, LABEL = ENTRY + 2, HANDLE = LABEL + 32, ALG = HANDLE + 4, STATE = ALG + 2 };
    enum { NEXT = STATE + 1 + TPM2_NAME_BYTES - ENTRY };
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {
        {0,                 0          },
        {5,                 2          },
        {6,                 1          },
        {6,                 0xff       },
        {7,                 1          },
        {7,                 3          }, /* magic, version, count */
        {LABEL - 1,         33         },
        {LABEL - 1,         0          },
        {LABEL,             0          },
        {LABEL,             0xff       },
        {HANDLE,            0x80       },
        {HANDLE + 2,        0x4a       },
        {HANDLE + 2,        0x4c       },
        {HANDLE + 3,        1          }, /* the second one's */
        {LABEL + 31 + NEXT, '0'        }, /* the first one's label */
        {ALG + 1,           0          },
        {ALG + 1,           KEY_ALG_MAX},
        {ALG,               1          },
        {STATE,             0          },
        {STATE,             3          },
    };
    (void)state;
    assert_int_equal(parse_changed(0, 'K'), KW_CODE_OK);
    for (size_t i = 0; i < KW_COUNT(wrong); i++) {
        assert_int_equal(parse_changed(wrong[i].at, wrong[i].value), KW_E_INPUT);
    }
}

static void find_and_remove(void **state)
{
    AUTO(tpm2_index) *index = index_of(3);
    struct tpm2_entry *middle = tpm2_index_find(index, "a-label-of-32-characters-is-0001");

    (void)state;
    assert_non_null(middle);
    assert_null(tpm2_index_find(index, "a-label"));
    tpm2_index_remove(index, middle);
    assert_int_equal(index->n, 2);
    assert_null(tpm2_index_find(index, "a-label-of-32-characters-is-0001"));
    assert_non_null(tpm2_index_find(index, "a-label-of-32-characters-is-0002"));
    assert_false(tpm2_index_has_handle(index, first + 1));
    assert_true(tpm2_index_has_handle(index, first + 2));
    tpm2_index_remove(index, &index->at[1]);
    tpm2_index_remove(index, &index->at[0]);
    assert_int_equal(index->n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(full_is_full),
        cmocka_unit_test(any_flip_or_cut_is_refused),
        cmocka_unit_test(bad_fields_are_refused),
        cmocka_unit_test(find_and_remove),
    };
    return cmocka_run_group_tests_name("rot/tpm2/index", tests, NULL, NULL);
}
