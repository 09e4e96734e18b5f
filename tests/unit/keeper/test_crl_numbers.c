#include "cmd/keywright-keeper/crl_numbers.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/base/check.h"

static struct state *state;
static struct key_record *ca, *other;

static int make_state(void **unused)
{
    (void)unused;
    state = calloc(1, sizeof(*state));
    assert_non_null(state);
    assert_ok(state_add(NULL, state, "other", &other));
    assert_ok(state_add(NULL, state, "ca", &ca));
    return 0;
}

static int free_state(void **unused)
{
    (void)unused;
    free(state);
    return 0;
}

static bool allowed(const char *url, uint64_t number, uint64_t base, int64_t at)
{
    struct crl_claim claim = {url, number, base, at};
    const struct crl_numbers *numbers = crl_numbers_find(state, ca, url);

    return crl_numbers_has_base(numbers, &claim) && crl_numbers_rise(numbers, &claim);
}

static void sign(struct key_record *record, const char *url, uint64_t number, uint64_t base,
                 int64_t at)
{
    struct crl_claim claim = {url, number, base, at};
    struct crl_numbers before;

    assert_ok(crl_numbers_set(NULL, state, record, &claim, &before));
}

static void numbers_rise_in_each_scope(void **unused)
{
    (void)unused;
    assert_false(allowed("", 0, 0, 1));
    assert_true(allowed("", 5, 0, 1));
    sign(ca, "", 5, 0, 1);
    assert_false(allowed("", 5, 0, 1));
    assert_false(allowed("", 4, 0, 2));
    assert_true(allowed("", 6, 0, 2));
    assert_true(allowed("u", 1, 0, 1)); /* another scope */
    sign(other, "u", 9, 0, 1);          /* another key's */
    assert_true(allowed("u", 1, 0, 1));
    assert_int_equal(ca->crl_number, 5);
    sign(ca, "u", 3, 0, 1);
    assert_int_equal(ca->crl_number, 5); /* the highest of all */
    assert_false(allowed("u", 3, 0, 1));
}

static void deltas_need_one_of_two_bases(void **unused)
{
    (void)unused;
    assert_false(allowed("", 2, 1, 1));
    sign(ca, "", 1, 0, 1);
    assert_true(allowed("", 2, 1, 1));
    sign(ca, "", 2, 1, 2);
    assert_false(allowed("", 3, 2, 2)); /* a delta is no base */
    assert_true(allowed("", 3, 1, 2));
    sign(ca, "", 3, 0, 3);
    assert_true(allowed("", 4, 1, 4));
    assert_true(allowed("", 4, 3, 4));
    sign(ca, "", 5, 0, 5);
    assert_false(allowed("", 6, 1, 6));
    assert_true(allowed("", 6, 3, 6));
}

/* RFC 5280 section 5.2.4: "they MUST have the same CRL number" where both are of one moment. */
static void a_delta_may_have_its_twins_number(void **unused)
{
    (void)unused;
    sign(ca, "", 1, 0, 1);
    sign(ca, "", 2, 0, 7);
    assert_true(allowed("", 2, 1, 7));
    assert_false(allowed("", 2, 1, 8));
    assert_false(allowed("", 2, 2, 7)); /* not to itself */
    assert_false(allowed("", 2, 0, 7));
    sign(ca, "", 2, 1, 7);
    assert_false(allowed("", 2, 1, 7));
    assert_true(allowed("", 3, 2, 8));
}

static void what_was_not_signed_is_taken_back(void **unused)
{
    struct crl_claim claim = {"", 7, 0, 1};
    struct crl_numbers before;

    (void)unused;
    sign(ca, "", 5, 0, 1);
    assert_ok(crl_numbers_set(NULL, state, ca, &claim, &before));
    assert_false(allowed("", 7, 0, 1));
    crl_numbers_take_back(state, &before);
    assert_true(allowed("", 6, 0, 1));
    assert_true(allowed("", 6, 5, 1));
}

/* The successor's numbers go on; its deltas need a list of its own key. */
static void a_successor_goes_on(void **unused)
{
    struct key_record *next = NULL;

    (void)unused;
    sign(ca, "", 5, 0, 1);
    sign(ca, "u", 8, 0, 1);
    sign(other, "v", 3, 0, 1);
    assert_ok(state_add(NULL, state, "ca.2", &next));
    assert_ok(crl_numbers_inherit(NULL, state, ca, next));
    ca = next;
    assert_false(allowed("", 5, 0, 2));
    assert_true(allowed("", 6, 0, 2));
    assert_false(allowed("", 6, 5, 2));
    assert_false(allowed("u", 8, 0, 2));
    assert_true(allowed("v", 1, 0, 2));
}

/* No number of a destroyed key will be asked for: its places are given to others. */
static void scopes_are_bounded(void **unused)
{
    struct crl_numbers before;
    char url[32];

    (void)unused;
    for (unsigned i = 0; i < STATE_SCOPES_MAX; i++) {
        (void)snprintf(url, sizeof(url), "u%u", i);
        sign(other, url, 1, 0, 1);
    }
    struct crl_claim claim = {"", 1, 0, 1};
    assert_int_equal(crl_numbers_set(NULL, state, ca, &claim, &before).code, KW_E_LIMIT);
    other->state = KEY_DESTROYED;
    sign(ca, "", 1, 0, 1);
    assert_int_equal(state->n_scopes, 1);
    assert_false(allowed("", 1, 0, 2));
}

static void the_state_keeps_them(void **unused)
{
    struct state *back = calloc(1, sizeof(*back));
    uint8_t *room = malloc(STATE_ENCODED_MAX);
    struct kw_out out = {.p = room, .cap = STATE_ENCODED_MAX};

    (void)unused;
    assert_true(back && room);
    sign(ca, "", 5, 0, 1);
    sign(ca, "u", 8, 0, 1);
    sign(ca, "u", 9, 8, 1);
    sign(other, "v", 3, 0, 1);
    assert_ok(state_encode(state, &out));
    assert_ok(state_decode(kw_out_span(&out), back));
    free(state);
    state = back;
    ca = state_find(state, "ca");
    assert_int_equal(state->n_scopes, 3);
    assert_false(allowed("u", 9, 0, 1));
    assert_true(allowed("u", 10, 8, 1));
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_rise_in_each_scope, make_state, free_state),
        cmocka_unit_test_setup_teardown(deltas_need_one_of_two_bases, make_state, free_state),
        cmocka_unit_test_setup_teardown(a_delta_may_have_its_twins_number, make_state, free_state),
        cmocka_unit_test_setup_teardown(what_was_not_signed_is_taken_back, make_state, free_state),
        cmocka_unit_test_setup_teardown(a_successor_goes_on, make_state, free_state),
        cmocka_unit_test_setup_teardown(scopes_are_bounded, make_state, free_state),
        cmocka_unit_test_setup_teardown(the_state_keeps_them, make_state, free_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
