/* Keys that operators may ask for: the policy that is made of it is one that the keeper takes. */
#include "cmd/keywright-keeper/policy_checks.h"
#include "os/clock.h"
#include "service/keys/verbs.h"
#include "unit/base/check.h"

/* clang-format off */
static const struct {
    struct key_birth birth;
    const char *refused; /* by whom and why; NULL: it is taken */
} rows[] = {
    {{.class_ = "data-kek"}, NULL},
    {{.class_ = "data-mac"}, NULL},
    {{.class_ = "kdf-master", .labels = "session/,osdp/"}, NULL},
    {{.class_ = "kdf-master"}, "policy-terms:"},
    {{.class_ = "kdf-master", .labels = "session/,"}, "labels"},
    {{.class_ = "kdf-master", .labels = "a,b,c,d,e,f,g,h,i"}, "labels"},
    {{.class_ = "firmware-signer", .product = "lock"}, NULL},
    {{.class_ = "firmware-signer", .product = "lock", .versions = "2.#.*"}, NULL},
    {{.class_ = "firmware-signer", .product = "lock", .versions = "2.**"}, "policy-version:"},
    {{.class_ = "firmware-signer", .product = "lock", .labels = "door"}, "policy-terms:"},
    {{.class_ = "firmware-signer"}, "policy-terms:"},
    {{.class_ = "firmware-signer", .product = "lock", .alg = "rsa-3072"}, "policy-algorithm:"},
    {{.class_ = "tuf-role", .tuf_role = "timestamp"}, NULL},
    {{.class_ = "tuf-role", .tuf_role = "mirror"}, "no TUF role"},
    {{.class_ = "tuf-role"}, "policy-terms:"},
    {{.class_ = "provisioning-signer"}, NULL},
    {{.class_ = "evidence-signer"}, NULL},
    {{.class_ = "data-kek", .product = "lock"}, "policy-terms-class:"},
    {{.class_ = "data-mac", .tuf_role = "root"}, "policy-terms-class:"},
    {{.class_ = "data-mac", .versions = "1"}, "policy-terms-class:"},
};
/* clang-format on */

static void what_is_asked_for_is_taken_or_named(void **state)
{
    static struct key_policy policy;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct key_birth birth = rows[i].birth;
        struct kw_op op;
        kw_op_init(&op, "test", 0);
        assert_true(KW_TEXT_SET(birth.id, "new"));
        kw_status status = key_birth_policy(&op, &birth, &policy);
        if (kw_ok(status)) {
            status = policy_check(&op, &policy, os_clock_unix_s());
        }
        if (kw_ok(status) != !rows[i].refused ||
            (rows[i].refused && !strstr(kw_op_cause(&op), rows[i].refused))) {
            fail_msg("row %zu (%s): %s", i, birth.class_, kw_op_cause(&op));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_is_taken_or_named),
    };
    return cmocka_run_group_tests_name("service_birth", tests, NULL, NULL);
}
