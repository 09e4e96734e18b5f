/* Profiles become rules that the key holder keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "model/profile.h"
#include "model/rule_gap.h"
#include "model/x509_bits.h"

#define EKU_CLIENT "1.3.6.1.5.5.7.3.2"
#define EKU_OCSP "1.3.6.1.5.5.7.3.9"
#define USAGES "digitalSignature, keyAgreement"

static struct profile ldevid(void)
{
    struct profile profile = {
        .name = "ldevid",
        .ca = "devices",
        .subject = "device",
        .enrol = "idevid",
        .approval = "none",
        .channel_binding = "none",
        .attest = "none",
        .n_protocols = 2,
        .protocols = {"est", "cmp"},
        .key_class = "device-ldevid",
        .validity_hours = 2160,
        .overlap_hours = 72,
        .n_key_algs = 2,
        .key_algs = {"ec-p256", "ec-p384"},
        .n_key_usage = 1,
        .key_usage = {"digitalSignature"},
        .n_eku = 1,
        .eku = {EKU_CLIENT},
        .crl_url = true,
        .ocsp_url = true
    };
    profile_fill_defaults(&profile);
    return profile;
}

/* Of somebody who asks an operator. */
static struct profile asked_over_rest(const char *subject)
{
    struct profile profile = ldevid();

    (void)KW_TEXT_SET(profile.subject, subject);
    profile.n_subject_dn = 0;
    profile_fill_defaults(&profile);
    (void)KW_TEXT_SET(profile.enrol, "none");
    (void)KW_TEXT_SET(profile.key_class, "service");
    (void)KW_TEXT_SET(profile.protocols[0], "rest");
    profile.n_protocols = 1;
    return profile;
}

static struct policy_rule rule_of(const struct profile *profile)
{
    struct policy_rule rule;

    assert_int_equal(profile_rule(profile, KW_SPAN(NULL, 0), &rule).code, KW_CODE_OK);
    return rule;
}

static void test_device_profile(void **state)
{
    (void)state;
    static const uint8_t prefix[] = {0x31, 0x00, 0x31};
    const uint32_t basic = MODEL_EXT_KEY_USAGE | MODEL_EXT_SKI | MODEL_EXT_AKI;
    struct profile profile = ldevid();
    struct policy_rule rule;

    assert_int_equal(profile_rule(&profile, KW_SPAN_ARRAY(prefix), &rule).code, KW_CODE_OK);
    assert_string_equal(rule.name, "ldevid");
    assert_int_equal(rule.is_ca, 0);
    assert_int_equal(rule.max_validity_s, 90 * 86400);
    assert_int_equal(rule.max_backdate_s, 3600);
    assert_int_equal(rule.key_algs, MODEL_KEY_ALG_EC_P256 | MODEL_KEY_ALG_EC_P384);
    assert_int_equal(rule.key_usage, MODEL_KU_DIGITAL_SIGNATURE);
    assert_int_equal(rule.ext_required, basic | MODEL_EXT_EKU | MODEL_EXT_CRL_DP | MODEL_EXT_AIA);
    assert_int_equal(rule.ext_allowed, rule.ext_required);
    assert_int_equal(rule.san_kinds, 0);
    assert_int_equal(rule.n_eku, 1);
    assert_string_equal(rule.eku[0], EKU_CLIENT);
    assert_int_equal(rule.subject_within_len, sizeof(prefix));
    assert_memory_equal(rule.subject_within, prefix, sizeof(prefix));
}

static void test_idevid_has_no_end_and_names_its_hardware(void **state)
{
    (void)state;
    struct profile profile = ldevid();

    profile.no_end = true;
    profile.validity_hours = profile.overlap_hours = profile.n_eku = 0;
    profile.hardware_module_name = true;
    struct policy_rule rule = rule_of(&profile);
    assert_int_equal(rule.max_validity_s, 0);
    assert_int_equal(rule.n_eku, 0);
    assert_int_equal(rule.ext_allowed & MODEL_EXT_EKU, 0);
    assert_int_equal(rule.ext_required & MODEL_EXT_SAN, MODEL_EXT_SAN);
    assert_int_equal(rule.san_kinds, POLICY_SAN_HW);
    assert_int_equal(profile_not_after(&profile, 12345), KW_TIME_NEVER);
}

static void test_server_must_and_service_may_have_names(void **state)
{
    (void)state;
    struct profile profile = asked_over_rest("server");

    profile.san_from_request = profile.san_required = true;
    assert_int_equal(rule_of(&profile).ext_required & MODEL_EXT_SAN, MODEL_EXT_SAN);
    profile = asked_over_rest("service");
    profile.san_from_request = true;
    profile.crl_url = false;
    profile.ca_issuers_url = true;
    profile.n_policies = 1;
    (void)KW_TEXT_SET(profile.policies[0], "2.999.1");
    struct policy_rule rule = rule_of(&profile);
    assert_int_equal(rule.ext_required & MODEL_EXT_SAN, 0);
    assert_int_equal(rule.ext_allowed, rule.ext_required | MODEL_EXT_SAN);
    assert_int_equal(rule.san_kinds, POLICY_SAN_DNS | POLICY_SAN_IP);
    assert_int_equal(rule.ext_required & MODEL_EXT_AIA, MODEL_EXT_AIA);
    assert_int_equal(rule.ext_required & MODEL_EXT_CRL_DP, 0);
    assert_int_equal(rule.ext_required & MODEL_EXT_POLICIES, MODEL_EXT_POLICIES);
    assert_int_equal(profile_subject_of(&profile), PROFILE_SUBJECT_SERVICE);
}

static void test_ocsp_signer(void **state)
{
    (void)state;
    struct profile profile = asked_over_rest("ocsp-signer");

    profile.n_protocols = 0;
    (void)KW_TEXT_SET(profile.eku[0], EKU_OCSP);
    profile.crl_url = profile.ocsp_url = false;
    profile.ocsp_nocheck = true;
    struct policy_rule rule = rule_of(&profile);
    assert_int_equal(rule.ext_required, MODEL_EXT_KEY_USAGE | MODEL_EXT_SKI | MODEL_EXT_AKI |
                                            MODEL_EXT_EKU | MODEL_EXT_OCSP_NOCHECK);
    assert_int_equal(rule.ext_allowed, rule.ext_required);
}

static void test_not_after_is_validity_later(void **state)
{
    (void)state;
    struct profile profile = ldevid();

    assert_int_equal(profile_not_after(&profile, 1000), 1000 + 2160 * 3600);
    profile.validity_hours = UINT32_MAX;
    assert_int_equal(profile_not_after(&profile, 1000), 1000 + (int64_t)UINT32_MAX * 3600);
}

/* A rule never exceeds what the policy encoding takes. */
static void test_rules_fit_into_a_policy(void **state)
{
    (void)state;
    static struct key_policy policy;
    static uint8_t room[POLICY_ENCODED_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct profile profile = ldevid();

    policy =
        (struct key_policy){.key_id = "ca", .class_ = KEY_CLASS_ISSUING_CA, .alg = 1, .n_rules = 1};
    policy.rules[0] = rule_of(&profile);
    assert_int_equal(policy_encode(&policy, &out).code, KW_CODE_OK);
}

/* --- laws ------------------------------------------------------------------------------------- */

#define SET(member, text) (void)KW_TEXT_SET(p->member, text)

/* One mistake each; the law that is broken is the field's named beside it. */
#define MISTAKES(X)                                                                                \
    X(no_name, "name", p->name[0] = '\0')                                                          \
    X(name_of_path, "name", SET(name, "../x"))                                                     \
    X(name_upper, "name", SET(name, "IDevID"))                                                     \
    X(no_ca, "ca", p->ca[0] = '\0')                                                                \
    X(bad_subject, "subject", SET(subject, "root"))                                                \
    X(part_without_type, "subject_dn", SET(subject_dn[2], "{id}"))                                 \
    X(part_unknown_word, "subject_dn", SET(subject_dn[2], "CN={mac}"))                             \
    X(part_open, "subject_dn", SET(subject_dn[2], "CN={id"))                                       \
    X(parts_many, "subject_dn", p->n_subject_dn = SUBJECT_PARTS_MAX + 1)                           \
    X(foreign_organization, "subject_dn", SET(subject_dn[0], "O=Somebody Else"))                   \
    X(same_for_all, "subject_dn", p->n_subject_dn = 1)                                             \
    X(nameless_person, "subject_dn", *p = asked_over_rest("user"); SET(subject_dn[1], "CN=x"))     \
    X(person_with_serial, "subject_dn", *p = asked_over_rest("user");                              \
      SET(subject_dn[1], "CN={name}{serial}"))                                                     \
    X(device_with_name, "subject_dn", SET(subject_dn[2], "CN={id}{name}"))                         \
    X(type_unknown, "subject_dn", SET(subject_dn[2], "UID={id}"))                                  \
    X(type_twice, "subject_dn", SET(subject_dn[1], "CN={serial}"))                                 \
    X(device_without_serial, "subject_dn", SET(subject_dn[1], "OU={serial}"))                      \
    X(bad_class, "key_class", SET(key_class, "none"))                                              \
    X(bad_enrol, "enrol", SET(enrol, "password"))                                                  \
    X(device_without_proof, "enrol", SET(enrol, "none"))                                           \
    X(person_with_secret, "enrol", *p = asked_over_rest("user"); SET(enrol, "secret"))             \
    X(bad_approval, "approval", SET(approval, "maybe"))                                            \
    X(no_approval, "approval", p->approval[0] = '\0')                                              \
    X(bad_protocol, "protocols", SET(protocols[1], "acme"))                                        \
    X(protocol_twice, "protocols", SET(protocols[1], "est"))                                       \
    X(protocols_many, "protocols", p->n_protocols = PROFILE_PROTOCOLS_MAX + 1)                     \
    X(device_over_rest, "protocols", SET(protocols[1], "rest"))                                    \
    X(device_unreachable, "protocols", p->n_protocols = 0)                                         \
    X(person_over_est, "protocols", *p = asked_over_rest("user"); SET(protocols[0], "est"))        \
    X(ra_for_person, "ra", *p = asked_over_rest("user"); p->ra = true)                             \
    X(unlabelled_person, "unlabelled", *p = asked_over_rest("user"); p->unlabelled = true)         \
    X(keygen_for_person, "server_keygen", *p = asked_over_rest("user"); p->server_keygen = true)   \
    X(keygen_over_cmp, "server_keygen", p->server_keygen = true; SET(protocols[0], "cmp");         \
      p->n_protocols = 1)                                                                          \
    X(bad_binding, "channel_binding", SET(channel_binding, "tls"))                                 \
    X(bad_attest, "attest", SET(attest, "always"))                                                 \
    X(level_of_nothing, "attest_level", p->attest_level = 3)                                       \
    X(attest_at_birth, "attest", SET(attest, "required"); SET(enrol, "secret"))                    \
    X(binding_over_cmp, "channel_binding", SET(channel_binding, "required");                       \
      SET(protocols[0], "cmp"); p->n_protocols = 1)                                                \
    X(no_validity, "validity_hours", p->validity_hours = p->overlap_hours = 0)                     \
    X(endless_but_ends, "validity_hours", p->no_end = true)                                        \
    X(overlap_long, "overlap_hours", p->overlap_hours = p->validity_hours + 1)                     \
    X(late_for_ever, "renew_expired_hours", p->renew_expired_hours = p->validity_hours + 1)        \
    X(late_person, "renew_expired_hours", *p = asked_over_rest("user");                            \
      p->renew_expired_hours = 1)                                                                  \
    X(no_algs, "key_algs", p->n_key_algs = 0)                                                      \
    X(algs_many, "key_algs", p->n_key_algs = PROFILE_LIST_MAX + 1)                                 \
    X(alg_unknown, "key_algs", SET(key_algs[1], "rsa-1024"))                                       \
    X(alg_twice, "key_algs", SET(key_algs[1], "ec-p256"))                                          \
    X(no_usage, "key_usage", p->n_key_usage = 0)                                                   \
    X(usages_many, "key_usage", p->n_key_usage = PROFILE_LIST_MAX + 1)                             \
    X(usage_unknown, "key_usage", SET(key_usage[0], "sign"))                                       \
    X(usage_of_ca, "key_usage", SET(key_usage[0], "keyCertSign"))                                  \
    X(usage_of_crl, "key_usage", SET(key_usage[0], "cRLSign"))                                     \
    X(usage_of_rsa, "key_usage", SET(key_usage[0], "keyEncipherment"))                             \
    X(agreement_ed25519, "key_usage", SET(key_usage[0], "keyAgreement");                           \
      SET(key_algs[1], "ed25519"))                                                                 \
    X(agreement_rsa, "key_usage", SET(key_usage[0], "keyAgreement"); SET(key_algs[1], "rsa-3072")) \
    X(purpose_of_no_usage, "eku", SET(key_usage[0], "nonRepudiation"))                             \
    X(server_purpose_without_names, "san_required", SET(eku[0], "1.3.6.1.5.5.7.3.1"))              \
    X(status_nowhere, "crl_url", p->crl_url = p->ocsp_url = false)                                 \
    X(ekus_many, "eku", p->n_eku = POLICY_EKU_MAX + 1)                                             \
    X(eku_word, "eku", SET(eku[0], "clientAuth"))                                                  \
    X(eku_twice, "eku", p->n_eku = 2; SET(eku[1], EKU_CLIENT))                                     \
    X(eku_any, "eku", SET(eku[0], "2.5.29.37.0"))                                                  \
    X(eku_ra, "eku", SET(eku[0], "1.3.6.1.5.5.7.3.28"))                                            \
    X(eku_ocsp, "eku", SET(eku[0], EKU_OCSP))                                                      \
    X(eku_cmp, "eku", SET(eku[0], "1.3.6.1.5.5.7.3.27"))                                           \
    X(ocsp_without_eku, "eku", *p = asked_over_rest("ocsp-signer"); p->n_protocols = 0)            \
    X(policies_many, "policies", p->n_policies = 3)                                                \
    X(policy_word, "policies", p->n_policies = 1; SET(policies[0], "1.2.x"))                       \
    X(nocheck_device, "ocsp_nocheck", p->ocsp_nocheck = true)                                      \
    X(required_but_not_taken, "san_required", p->san_required = true)                              \
    X(nameless_server, "san_required", *p = asked_over_rest("server"); p->san_from_request = true) \
    X(hardware_person, "hardware_module_name", *p = asked_over_rest("user");                       \
      p->hardware_module_name = true)

#define X(name, field, ...)                                                                        \
    static void name(struct profile *p)                                                            \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
MISTAKES(X)
#undef X

static const struct mistake {
    const char *name, *field;
    void (*make)(struct profile *);
} mistakes[] = {
#define X(name, field, ...) {#name, field, name},
    MISTAKES(X)
#undef X
};

static void test_mistakes_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(mistakes); i++) {
        struct profile profile = ldevid();
        struct policy_rule rule = {.name = "untouched"};
        assert_null(profile_broken(&profile));
        mistakes[i].make(&profile);
        const struct profile_law *broken = profile_broken(&profile);
        if (!broken || strcmp(broken->field, mistakes[i].field) != 0) {
            fail_msg("%s: %s instead of %s", mistakes[i].name, broken ? broken->field : "nothing",
                     mistakes[i].field);
        }
        assert_int_equal(profile_rule(&profile, KW_SPAN(NULL, 0), &rule).code, KW_E_INPUT);
        assert_string_equal(rule.name, "untouched");
    }
    static const uint8_t long_prefix[KW_DN_MAX + 1];
    struct profile profile = ldevid();
    struct policy_rule rule;
    assert_int_equal(profile_rule(&profile, KW_SPAN_ARRAY(long_prefix), &rule).code, KW_E_INPUT);
}

/* Every law is broken by one of the mistakes: none stands there for nothing. */
static void test_every_law_refuses_something(void **state)
{
    (void)state;
    for (size_t k = 0; k < profile_laws_count; k++) {
        unsigned n = 0;
        for (size_t i = 0; i < KW_COUNT(mistakes); i++) {
            struct profile profile = ldevid();
            mistakes[i].make(&profile);
            n += profile_broken(&profile) == &profile_laws[k];
        }
        if (n == 0) {
            fail_msg("nothing breaks '%s'", profile_laws[k].says);
        }
        assert_true(*profile_laws[k].source);
    }
}

static void test_crl_signer_signs_crls_alone(void **state)
{
    (void)state;
    struct profile profile = asked_over_rest("signer");

    profile.n_eku = 0;
    (void)KW_TEXT_SET(profile.key_usage[0], "cRLSign");
    assert_int_equal(rule_of(&profile).key_usage, MODEL_KU_CRL_SIGN);
    profile.n_key_usage = 2;
    (void)KW_TEXT_SET(profile.key_usage[1], "digitalSignature");
    assert_string_equal(profile_broken(&profile)->field, "key_usage");
}

static void test_words(void **state)
{
    (void)state;
    struct profile profile = ldevid();

    assert_string_equal(profile_word("approval", 0), "none");
    assert_string_equal(profile_word("approval", 1), "officer");
    assert_null(profile_word("approval", 2));
    assert_null(profile_word("doc", 0));
    assert_true(profile_speaks(&profile, "est"));
    assert_false(profile_speaks(&profile, "rest"));
}

static void test_rsa_may_encipher(void **state)
{
    (void)state;
    struct profile profile = ldevid();

    (void)KW_TEXT_SET(profile.key_usage[0], "keyEncipherment");
    profile.n_eku = 0; /* a TLS client signs or agrees */
    profile.n_key_algs = 1;
    (void)KW_TEXT_SET(profile.key_algs[0], "rsa-3072");
    assert_int_equal(rule_of(&profile).key_usage, MODEL_KU_KEY_ENCIPHERMENT);
}

/* --- beside what was sealed ------------------------------------------------------------------- */

static void longer(struct profile *profile)
{
    profile->validity_hours = 8760;
}

static void endless(struct profile *profile)
{
    profile->no_end = true;
    profile->validity_hours = profile->overlap_hours = 0;
}

static void more_algs(struct profile *profile)
{
    (void)KW_TEXT_SET(profile->key_algs[profile->n_key_algs++], "ed25519");
}

static void other_usage(struct profile *profile)
{
    (void)KW_TEXT_SET(profile->key_usage[profile->n_key_usage++], "keyAgreement");
}

static void no_eku(struct profile *profile)
{
    profile->n_eku = 0;
}

static void hardware(struct profile *profile)
{
    profile->hardware_module_name = true;
}

static void birth(struct profile *profile)
{
    profile->server_keygen = true;
}

static void no_crl(struct profile *profile)
{
    profile->crl_url = false;
}

static void no_ocsp(struct profile *profile)
{
    profile->ocsp_url = false;
}

static void a_policy(struct profile *profile)
{
    (void)KW_TEXT_SET(profile->policies[profile->n_policies++], "1.2.3.4");
}

/* The keeper would refuse: each is told with both values. */
static void test_beyond_what_was_sealed(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct profile *profile);
        const char *field, *now, *sealed;
    } cases[] = {
        {longer,      "validity_hours",           "8760",                      "2160"            },
        {endless,     "validity_hours",           "no end",                    "2160"            },
        {more_algs,   "key_algs",                 "ec-p256, ec-p384, ed25519", "ec-p256, ec-p384"},
        {other_usage, "key_usage",                USAGES,                      "digitalSignature"},
        {no_eku,      "eku",                      "none",                      EKU_CLIENT        },
        {hardware,    "hardware_module_name",     "true",                      "false"           },
        {birth,       "server_keygen",            "true",                      "false"           },
        {no_crl,      "crl_url",                  "no",                        "yes"             },
        {no_ocsp,     "ocsp_url, ca_issuers_url", "no",                        "yes"             },
        {a_policy,    "policies",                 "yes",                       "no"              },
    };

    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        struct profile before = ldevid(), after = ldevid();
        struct rule_gap gap;
        unsigned at = 0;
        cases[i].change(&after);
        const struct policy_rule sealed = rule_of(&before), now = rule_of(&after);
        assert_true(rule_gap_next(&sealed, &now, &at, &gap));
        assert_string_equal(gap.field, cases[i].field);
        assert_string_equal(gap.now, cases[i].now);
        assert_string_equal(gap.sealed, cases[i].sealed);
    }
}

static void test_less_than_was_sealed(void **state)
{
    (void)state;
    struct profile before = ldevid(), after = ldevid();
    struct rule_gap gap;
    unsigned at = 0;

    after.validity_hours = 720;
    after.n_key_algs = 1;
    const struct policy_rule sealed = rule_of(&before), now = rule_of(&after);
    assert_false(rule_gap_next(&sealed, &now, &at, &gap));
    at = 0;
    assert_false(rule_gap_next(&sealed, &sealed, &at, &gap));
}

/* A server's names: sealed as a must, and as a may. */
static void test_names_beyond_what_was_sealed(void **state)
{
    (void)state;
    struct profile without = asked_over_rest("server"), may = asked_over_rest("service"),
                   must = may;
    struct rule_gap gap;
    unsigned at = 0;

    (void)KW_TEXT_SET(without.subject, "service");
    may.san_from_request = must.san_from_request = must.san_required = true;
    const struct policy_rule none = rule_of(&without), some = rule_of(&may), all = rule_of(&must);
    assert_true(rule_gap_next(&none, &some, &at, &gap));
    assert_string_equal(gap.field, "san_from_request");
    at = 0;
    assert_true(rule_gap_next(&all, &some, &at, &gap));
    assert_string_equal(gap.field, "san_required");
    at = 0;
    assert_false(rule_gap_next(&some, &all, &at, &gap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_profile),
        cmocka_unit_test(test_idevid_has_no_end_and_names_its_hardware),
        cmocka_unit_test(test_server_must_and_service_may_have_names),
        cmocka_unit_test(test_ocsp_signer),
        cmocka_unit_test(test_not_after_is_validity_later),
        cmocka_unit_test(test_rules_fit_into_a_policy),
        cmocka_unit_test(test_mistakes_are_refused),
        cmocka_unit_test(test_every_law_refuses_something),
        cmocka_unit_test(test_crl_signer_signs_crls_alone),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_rsa_may_encipher),
        cmocka_unit_test(test_beyond_what_was_sealed),
        cmocka_unit_test(test_less_than_was_sealed),
        cmocka_unit_test(test_names_beyond_what_was_sealed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
