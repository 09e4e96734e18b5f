#include "hostile/keeper/attack.h"

#include "hostile/keeper/rig_people.h"

#include <assert.h>

struct rig *attack_rig;

void attack_begin(void)
{
    static unsigned n;

    (void)snprintf(attack_rig->request_id, sizeof(attack_rig->request_id), "attack-%u", ++n);
}

int attack_setup_serving(void **state)
{
    (void)state;
    attack_rig = rig_new();
    rig_start(attack_rig, /* ceremony= */ false);
    return 0;
}

int attack_setup_people(void **state)
{
    (void)state;
    attack_rig = rig_new();
    rig_enrol(attack_rig, NULL);
    rig_start(attack_rig, /* ceremony= */ false);
    return 0;
}

int attack_teardown(void **state)
{
    (void)state;
    rig_free(attack_rig);
    return 0;
}

void attack_check(const struct keeper_row *row, const struct keeper_reply *reply, enum kw_code code,
                  const char *reason)
{
    char line[96];

    (void)snprintf(line, sizeof(line), " %s %s ", attack_rig->request_id, row->name);
    if (!strstr(reply->text, reason)) {
        print_error("'%s' is not said in '%s'\n", reason, reply->text);
        fail();
    }
    if (reply->code != code) {
        print_error("%s\n", reply->text);
    }
    assert_string_equal(kw_code_text(reply->code), kw_code_text(code));
    assert_int_equal(1, rig_refused(attack_rig, line, kw_code_text(code), reason));
    rig_right_request(attack_rig);
}

void attack_add(struct attack_suite *suite, const char *name, CMUnitTestFunction run,
                const void *row)
{
    assert(suite->n < ATTACKS_MAX);
    suite->tests[suite->n++] = (struct CMUnitTest){
        .name = name, .test_func = run, .initial_state = (void *)(uintptr_t)row};
}

int attack_run(const char *name, const struct attack_suite *suite)
{
    return _cmocka_run_group_tests(name, suite->tests, suite->n, attack_setup_serving,
                                   attack_teardown);
}

int attack_run_people(const char *name, const struct attack_suite *suite)
{
    return _cmocka_run_group_tests(name, suite->tests, suite->n, attack_setup_people,
                                   attack_teardown);
}
