#include "../base/check.h"
#include "mosquitto/policy.h"

#define ROLE                                                                                       \
    "  - name: device\n    kind: device\n    profiles: [ldevid, odm]\n    client_id: \"{id}\"\n"   \
    "    attestation: [none, trusted]\n"

static struct kw_op op;
static struct policy *policy;

static kw_status parse(const char *text)
{
    policy_free(policy);
    policy = NULL;
    kw_op_init(&op, NULL, 0);
    return policy_parse(&op, kw_span_text(text), &policy);
}

static int teardown(void **state)
{
    (void)state;
    policy_free(policy);
    policy = NULL;
    return 0;
}

static void a_policy_is_read_with_its_defaults(void **state)
{
    (void)state;
    assert_ok(parse("roles:\n" ROLE "    read: [\"devices/{id}/command\"]\n"));
    assert_int_equal(policy->stale_s, 60);
    assert_string_equal(policy->stale_sessions, "keep");
    assert_int_equal(policy->roles[0].payload_max, 262144);
    assert_int_equal(policy->roles[0].level, 0);
    assert_int_equal(policy->roles[0].verdicts, 1U << VERDICT_NONE | 1U << VERDICT_TRUSTED);
    assert_true(policy_allows(&policy->roles[0].read, "D", "devices/D/command"));
    assert_false(policy_allows(&policy->roles[0].read, "D", "devices/E/command"));
    assert_false(policy_allows(&policy->roles[0].write, "D", "devices/D/command"));
}

static void a_role_is_found_by_kind_and_profile(void **state)
{
    (void)state;
    assert_ok(parse("roles:\n" ROLE));
    assert_ptr_equal(policy_role(policy, "device", "odm"), &policy->roles[0]);
    assert_null(policy_role(policy, "service", "odm"));
    assert_null(policy_role(policy, "device", "idevid"));
    assert_null(policy_role(policy, "", ""));
}

static void what_would_open_too_much_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "roles: 1\n",
        "stale_s: 4\nroles:\n" ROLE,
        "stale_s: 86401\nroles:\n" ROLE,
        "stale_sessions: maybe\nroles:\n" ROLE,
        "unknown: 1\nroles:\n" ROLE,
        "roles:\n" ROLE "    level: 4\n",
        "roles:\n" ROLE "    read: [\"a/#/b\"]\n",
        "roles:\n" ROLE "    read: [\"a/x{id}\"]\n",
        "roles:\n" ROLE "    read: [\"$share/g/a\"]\n",
        "roles:\n" ROLE "    write: [\"$SYS/a\"]\n",
        "roles:\n" ROLE "    write: [\"\"]\n",
        "roles:\n" ROLE "    retain: [\"$SYS/a\"]\n",
        "roles:\n  - name: d\n    kind: device\n    profiles: [ldevid]\n    client_id: \"+\"\n"
        "    attestation: [none]\n",
        "roles:\n  - name: d\n    kind: device\n    profiles: [ldevid]\n    client_id: \"{id}\"\n"
        "    attestation: [good]\n",
        "roles:\n  - name: d\n    kind: device\n    profiles: [ldevid]\n    client_id: \"{id}\"\n",
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(wrong); i++) {
        if (kw_ok(parse(wrong[i]))) {
            fail_msg("taken: %s", wrong[i]);
        }
        assert_null(policy);
    }
    assert_ok(parse("roles:\n" ROLE "    read: [\"$SYS/#\"]\n"));
}

static void unknown_verdicts_count_as_failed(void **state)
{
    (void)state;
    assert_int_equal(verdict_from_text("trusted"), VERDICT_TRUSTED);
    assert_int_equal(verdict_from_text("splendid"), VERDICT_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_policy_is_read_with_its_defaults, teardown),
        cmocka_unit_test_teardown(a_role_is_found_by_kind_and_profile, teardown),
        cmocka_unit_test_teardown(what_would_open_too_much_is_refused, teardown),
        cmocka_unit_test(unknown_verdicts_count_as_failed),
    };
    return cmocka_run_group_tests_name("mosquitto_policy", tests, NULL, NULL);
}
