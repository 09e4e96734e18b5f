/* Profiles become rules that the key holder keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "model/profile.h"
#include "model/x509_bits.h"

#define EKU_CLIENT "1.3.6.1.5.5.7.3.2"
#define EKU_OCSP "1.3.6.1.5.5.7.3.9"

static struct profile ldevid(void)
{
    return (struct profile){
        .name = "ldevid",
        .ca = "devices",
        .subject = "device",
        .enrol = "idevid",
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

static void test_server_may_but_need_not_have_names(void **state)
{
    (void)state;
    struct profile profile = ldevid();

    (void)KW_TEXT_SET(profile.subject, "server");
    profile.san_from_request = true;
    profile.crl_url = profile.ocsp_url = false;
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
    assert_int_equal(profile_subject_of(&profile), PROFILE_SUBJECT_SERVER);
}

static void test_ocsp_signer(void **state)
{
    (void)state;
    struct profile profile = ldevid();

    (void)KW_TEXT_SET(profile.subject, "ocsp-signer");
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

static void no_name(struct profile *p)
{
    p->name[0] = '\0';
}
static void no_ca(struct profile *p)
{
    p->ca[0] = '\0';
}
static void bad_subject(struct profile *p)
{
    (void)KW_TEXT_SET(p->subject, "person");
}
static void bad_enrol(struct profile *p)
{
    (void)KW_TEXT_SET(p->enrol, "anybody");
}
static void bad_class(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_class, "device");
}
static void no_validity(struct profile *p)
{
    p->validity_hours = 0;
    p->overlap_hours = 0;
}
static void endless_but_ends(struct profile *p)
{
    p->no_end = true;
}
static void overlap_long(struct profile *p)
{
    p->overlap_hours = p->validity_hours + 1;
}
static void no_algs(struct profile *p)
{
    p->n_key_algs = 0;
}
static void algs_many(struct profile *p)
{
    p->n_key_algs = PROFILE_LIST_MAX + 1;
}
static void alg_unknown(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_algs[0], "rsa-2048");
}
static void alg_twice(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_algs[0], "ec-p384");
}
static void no_usage(struct profile *p)
{
    p->n_key_usage = 0;
}
static void usages_many(struct profile *p)
{
    p->n_key_usage = PROFILE_LIST_MAX + 1;
}
static void usage_unknown(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_usage[0], "signing");
}
static void usage_of_ca(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_usage[0], "keyCertSign");
}
static void usage_of_crl(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_usage[0], "cRLSign");
}
static void usage_of_rsa(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_usage[0], "keyEncipherment");
}
static void ekus_many(struct profile *p)
{
    p->n_eku = POLICY_EKU_MAX + 1;
}
static void eku_word(struct profile *p)
{
    (void)KW_TEXT_SET(p->eku[0], "clientAuth");
}
static void policies_many(struct profile *p)
{
    p->n_policies = 3;
}
static void policy_word(struct profile *p)
{
    p->n_policies = 1;
}
static void nocheck_device(struct profile *p)
{
    p->ocsp_nocheck = true;
}

static void eku_twice(struct profile *p)
{
    p->n_eku = 2;
    (void)KW_TEXT_SET(p->eku[1], p->eku[0]);
}

static void agreement_ed25519(struct profile *p)
{
    (void)KW_TEXT_SET(p->key_usage[0], "keyAgreement");
    (void)KW_TEXT_SET(p->key_algs[1], "ed25519");
}

static void test_mistakes_are_refused(void **state)
{
    (void)state;
    static void (*const mistakes[])(struct profile *) = {
        no_name,           no_ca,        bad_subject,   bad_enrol,     bad_class,    no_validity,
        endless_but_ends,  overlap_long, no_algs,       algs_many,     alg_unknown,  alg_twice,
        no_usage,          usages_many,  usage_unknown, usage_of_ca,   usage_of_crl, usage_of_rsa,
        ekus_many,         eku_word,     eku_twice,     policies_many, policy_word,  nocheck_device,
        agreement_ed25519,
    };

    for (size_t i = 0; i < KW_COUNT(mistakes); i++) {
        struct profile profile = ldevid();
        struct policy_rule rule = {.name = "untouched"};
        mistakes[i](&profile);
        assert_int_equal(profile_rule(&profile, KW_SPAN(NULL, 0), &rule).code, KW_E_INPUT);
        assert_string_equal(rule.name, "untouched");
    }
    static const uint8_t long_prefix[KW_DN_MAX + 1];
    struct profile profile = ldevid();
    struct policy_rule rule;
    assert_int_equal(profile_rule(&profile, KW_SPAN_ARRAY(long_prefix), &rule).code, KW_E_INPUT);
}

static void test_rsa_may_encipher(void **state)
{
    (void)state;
    struct profile profile = ldevid();

    usage_of_rsa(&profile);
    profile.n_key_algs = 1;
    (void)KW_TEXT_SET(profile.key_algs[0], "rsa-3072");
    assert_int_equal(rule_of(&profile).key_usage, MODEL_KU_KEY_ENCIPHERMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_profile),
        cmocka_unit_test(test_idevid_has_no_end_and_names_its_hardware),
        cmocka_unit_test(test_server_may_but_need_not_have_names),
        cmocka_unit_test(test_ocsp_signer),
        cmocka_unit_test(test_not_after_is_validity_later),
        cmocka_unit_test(test_rules_fit_into_a_policy),
        cmocka_unit_test(test_mistakes_are_refused),
        cmocka_unit_test(test_rsa_may_encipher),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
