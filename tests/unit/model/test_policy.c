/* The encoded policy: one encoding for each policy, nothing else is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/policy.h"

/* xorshift64*: the same "random" policies on every run. */
static uint64_t rng_state = 88172645463325252u;

static uint32_t random_below(uint32_t n)
{
    rng_state ^= rng_state >> 12;
    rng_state ^= rng_state << 25;
    rng_state ^= rng_state >> 27;
    return (uint32_t)(rng_state * 2685821657736338717u >> 33) % n;
}

static int64_t random_time(void)
{
    return (int64_t)random_below(UINT32_MAX) << random_below(20);
}

static void random_octets(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)random_below(256);
    }
}

/* min..max letters, now and then one that takes two octets. */
static void random_text(char *text, uint32_t min, uint32_t max)
{
    uint32_t len = min + random_below(max - min + 1);

    for (uint32_t i = 0; i < len; i++) {
        text[i] = (char)('a' + random_below(26));
    }
    if (len >= 2 && random_below(4) == 0) {
        memcpy(text + len - 2, "\xc3\xa9", 2);
    }
}

static void random_rule(struct policy_rule *rule, uint32_t i)
{
    random_text(rule->name, 3, KW_NAME_MAX - 1);
    rule->name[0] = (char)('A' + i);
    rule->is_ca = (uint8_t)random_below(2);
    rule->path_len = rule->is_ca ? (uint8_t)random_below(256) : 0;
    rule->key_birth = rule->is_ca ? 0 : (uint8_t)random_below(2);
    rule->max_validity_s = random_time();
    rule->max_backdate_s = random_below(UINT32_MAX);
    rule->key_algs = random_below(16) << 1;
    rule->key_usage = random_below(128);
    rule->ext_allowed = random_below(2048);
    rule->ext_required = rule->ext_allowed & random_below(2048);
    rule->san_kinds = random_below(16);
    rule->n_eku = random_below(POLICY_EKU_MAX + 1);
    for (uint32_t e = 0; e < rule->n_eku; e++) {
        (void)snprintf(rule->eku[e], sizeof(rule->eku[e]), "1.3.6.1.%u.%u", random_below(999999),
                       e);
    }
    rule->subject_within_len = random_below(KW_DN_MAX + 1);
    random_octets(rule->subject_within, rule->subject_within_len);
}

static void random_use(struct key_policy *policy)
{
    policy->processing_until = policy->not_after + random_time();
    policy->usage_max = (uint64_t)random_time();
    policy->rate_per_minute = random_below(UINT32_MAX);
    policy->overlap_s = random_below(UINT32_MAX);
    policy->activate = (uint8_t)random_below(POLICY_ACTIVATE_MAX);
    policy->escrow = key_class_signs(policy->class_) ? 0 : (uint8_t)random_below(2);
    if (random_below(2) == 0) {
        random_text(policy->lineage, 1, KW_NAME_MAX / 2);
        policy->generation = 1 + random_below(3);
        memset(policy->key_id, 0, sizeof(policy->key_id));
        assert_true(policy_key_id(policy->lineage, policy->generation, policy->key_id));
    }
}

static void random_terms(struct key_policy *policy)
{
    random_text(policy->tuf_role, 0, POLICY_ROLE_MAX - 1);
    policy->tuf_max_s = random_time();
    random_text(policy->fw_version, 0, POLICY_PATTERN_MAX - 1);
    policy->n_scopes = random_below(POLICY_SCOPES_MAX + 1);
    for (uint32_t i = 0; i < policy->n_scopes && i < POLICY_SCOPES_MAX; i++) {
        random_text(policy->scopes[i], 3, POLICY_SCOPE_MAX - 1);
        policy->scopes[i][0] = (char)('A' + i);
    }
}

static void random_policy(struct key_policy *policy)
{
    memset(policy, 0, sizeof(*policy));
    random_text(policy->key_id, 1, KW_NAME_MAX - 1);
    policy->class_ = (enum key_class)(1 + random_below(KEY_CLASS_MAX - 1));
    policy->alg = key_class_symmetric(policy->class_) ? 32 : 1 + random_below(4);
    policy->not_before = random_time() - random_time();
    policy->not_after = policy->not_before + random_time();
    random_use(policy);
    policy->issuer_dn_len = random_below(KW_DN_MAX + 1);
    random_octets(policy->issuer_dn, policy->issuer_dn_len);
    random_octets(policy->ca_key_sha1, sizeof(policy->ca_key_sha1));
    random_octets(policy->ca_key_sha256, sizeof(policy->ca_key_sha256));
    policy->crl_max_s = random_time();
    policy->ocsp_max_s = random_time();
    random_text(policy->log_origin, 0, KW_NAME_MAX - 1);
    policy->n_rules = random_below(POLICY_RULES_MAX + 1);
    for (uint32_t i = 0; i < policy->n_rules; i++) {
        random_rule(&policy->rules[i], i);
    }
    random_terms(policy);
}

static struct kw_span encoded(const struct key_policy *policy, uint8_t room[POLICY_ENCODED_MAX])
{
    struct kw_out out = {room, POLICY_ENCODED_MAX, 0};

    assert_int_equal(policy_encode(policy, &out).code, KW_CODE_OK);
    return kw_out_span(&out);
}

static void test_what_was_encoded_is_what_is_decoded(void **state)
{
    (void)state;
    static struct key_policy policy, back;
    static uint8_t room[POLICY_ENCODED_MAX], again[POLICY_ENCODED_MAX];

    for (unsigned round = 0; round < 2000; round++) {
        random_policy(&policy);
        struct kw_span first = encoded(&policy, room);
        assert_int_equal(policy_decode(first, &back).code, KW_CODE_OK);
        assert_memory_equal(&back, &policy, sizeof(policy));
        assert_true(kw_span_equal(first, encoded(&back, again)));
    }
}

static void test_every_cut_and_every_tail_is_refused(void **state)
{
    (void)state;
    static struct key_policy policy, back;
    static uint8_t room[POLICY_ENCODED_MAX + 1];

    for (unsigned round = 0; round < 5; round++) {
        random_policy(&policy);
        struct kw_span whole = encoded(&policy, room);
        for (size_t len = 0; len < whole.len; len++) {
            assert_int_equal(policy_decode(KW_SPAN(room, len), &back).code, KW_E_INPUT);
        }
        room[whole.len] = 0;
        assert_int_equal(policy_decode(KW_SPAN(room, whole.len + 1), &back).code, KW_E_INPUT);
    }
}

/* What a flipped bit turns into is either refused or has exactly this encoding. */
static void test_no_policy_has_a_second_encoding(void **state)
{
    (void)state;
    static struct key_policy policy, back;
    static uint8_t room[POLICY_ENCODED_MAX], again[POLICY_ENCODED_MAX];

    random_policy(&policy);
    policy.n_rules = 2;
    memset(policy.rules, 0, sizeof(policy.rules));
    random_rule(&policy.rules[0], 0);
    random_rule(&policy.rules[1], 1);
    struct kw_span whole = encoded(&policy, room);
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        room[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (kw_ok(policy_decode(whole, &back))) {
            assert_true(kw_span_equal(whole, encoded(&back, again)));
        }
        room[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_room_that_is_too_small(void **state)
{
    (void)state;
    static struct key_policy policy;
    static uint8_t room[POLICY_ENCODED_MAX];

    random_policy(&policy);
    struct kw_span whole = encoded(&policy, room);
    struct kw_out out = {room, whole.len - 1, 0};
    assert_int_equal(policy_encode(&policy, &out).code, KW_E_TOO_LARGE);
    out = (struct kw_out){room, whole.len, 0};
    assert_int_equal(policy_encode(&policy, &out).code, KW_CODE_OK);
}

/* Everything at its most: the promise of POLICY_ENCODED_MAX. */
static void test_the_largest_policy_fits(void **state)
{
    (void)state;
    static struct key_policy policy, back;
    static uint8_t room[POLICY_ENCODED_MAX];

    memset(&policy, 0, sizeof(policy));
    memset(policy.key_id, 'k', KW_NAME_MAX - 1);
    memset(policy.log_origin, 'o', KW_NAME_MAX - 1);
    policy.class_ = KEY_CLASS_ISSUING_CA;
    policy.alg = 1;
    policy.issuer_dn_len = KW_DN_MAX;
    policy.n_rules = POLICY_RULES_MAX;
    for (unsigned i = 0; i < POLICY_RULES_MAX; i++) {
        struct policy_rule *rule = &policy.rules[i];
        memset(rule->name, 'a' + (int)i, KW_NAME_MAX - 1);
        rule->n_eku = POLICY_EKU_MAX;
        for (unsigned e = 0; e < POLICY_EKU_MAX; e++) {
            (void)snprintf(rule->eku[e], POLICY_OID_MAX,
                           "2.25.1234567890.1234567890.1234567890.1234567.%u", e);
            assert_int_equal(strlen(rule->eku[e]), POLICY_OID_MAX - 1);
        }
        rule->subject_within_len = KW_DN_MAX;
    }
    memset(policy.tuf_role, 'r', POLICY_ROLE_MAX - 1);
    memset(policy.fw_version, 'v', POLICY_PATTERN_MAX - 1);
    policy.n_scopes = POLICY_SCOPES_MAX;
    for (unsigned i = 0; i < POLICY_SCOPES_MAX; i++) {
        memset(policy.scopes[i], 'a' + (int)i, POLICY_SCOPE_MAX - 1);
    }
    assert_int_equal(policy_decode(encoded(&policy, room), &back).code, KW_CODE_OK);
    assert_memory_equal(&back, &policy, sizeof(policy));
}

static struct key_policy good_policy(void)
{
    struct key_policy policy;

    memset(&policy, 0, sizeof(policy));
    (void)KW_TEXT_SET(policy.key_id, "ca-devices");
    policy.class_ = KEY_CLASS_ISSUING_CA;
    policy.alg = 1;
    policy.not_after = 100;
    policy.n_rules = 2;
    (void)KW_TEXT_SET(policy.rules[0].name, "ldevid");
    (void)KW_TEXT_SET(policy.rules[0].eku[0], "1.3.6.1.5.5.7.3.2");
    policy.rules[0].n_eku = 1;
    policy.rules[0].ext_allowed = 3;
    (void)KW_TEXT_SET(policy.rules[1].name, "idevid");
    return policy;
}

static void make_key_id_empty(struct key_policy *p)
{
    p->key_id[0] = '\0';
}
static void make_key_id_endless(struct key_policy *p)
{
    memset(p->key_id, 'x', KW_NAME_MAX);
}
static void make_key_id_control(struct key_policy *p)
{
    p->key_id[1] = '\n';
}
static void make_key_id_no_utf8(struct key_policy *p)
{
    p->key_id[1] = (char)0xff;
}
static void make_class_none(struct key_policy *p)
{
    p->class_ = KEY_CLASS_NONE;
}
static void make_class_unknown(struct key_policy *p)
{
    p->class_ = KEY_CLASS_MAX;
}
static void make_alg_none(struct key_policy *p)
{
    p->alg = 0;
}
static void make_alg_unknown(struct key_policy *p)
{
    p->alg = 5;
}
static void make_period_backward(struct key_policy *p)
{
    p->not_before = 101;
}
static void make_processing_short(struct key_policy *p)
{
    p->processing_until = 99;
}
static void make_activate_three(struct key_policy *p)
{
    p->activate = 3;
}
static void make_escrow_of_signer(struct key_policy *p)
{
    p->escrow = 1;
}
static void make_alg_secret(struct key_policy *p)
{
    p->alg = 32;
}
static void make_kek_asymmetric(struct key_policy *p)
{
    p->class_ = KEY_CLASS_KEK;
}
static void make_lineage_of_none(struct key_policy *p)
{
    p->generation = 1;
}
static void make_lineage_without_number(struct key_policy *p)
{
    (void)KW_TEXT_SET(p->lineage, p->key_id);
}
static void make_lineage_of_another(struct key_policy *p)
{
    (void)KW_TEXT_SET(p->lineage, "ca-device");
    p->generation = 1;
}
static void make_generation_another(struct key_policy *p)
{
    (void)KW_TEXT_SET(p->lineage, p->key_id);
    p->generation = 2;
}
static void make_dn_long(struct key_policy *p)
{
    p->issuer_dn_len = KW_DN_MAX + 1;
}
static void make_crl_negative(struct key_policy *p)
{
    p->crl_max_s = -1;
}
static void make_ocsp_negative(struct key_policy *p)
{
    p->ocsp_max_s = -1;
}
static void make_rules_many(struct key_policy *p)
{
    p->n_rules = POLICY_RULES_MAX + 1;
}
static void make_rule_nameless(struct key_policy *p)
{
    p->rules[1].name[0] = '\0';
}
static void make_rule_twice(struct key_policy *p)
{
    (void)KW_TEXT_SET(p->rules[1].name, "ldevid");
}
static void make_key_birth_two(struct key_policy *p)
{
    p->rules[0].key_birth = 2;
}

static void make_key_birth_of_ca(struct key_policy *p)
{
    p->rules[0].is_ca = 1;
    p->rules[0].key_birth = 1;
}

static void make_is_ca_two(struct key_policy *p)
{
    p->rules[0].is_ca = 2;
}
static void make_path_len_of_leaf(struct key_policy *p)
{
    p->rules[0].path_len = 1;
}
static void make_validity_negative(struct key_policy *p)
{
    p->rules[0].max_validity_s = -1;
}
static void make_alg_bit_unknown(struct key_policy *p)
{
    p->rules[0].key_algs = 1;
}
static void make_ku_bit_unknown(struct key_policy *p)
{
    p->rules[0].key_usage = 128;
}
static void make_ext_other(struct key_policy *p)
{
    p->rules[0].ext_allowed |= 1u << 31;
}
static void make_ext_required_forbidden(struct key_policy *p)
{
    p->rules[0].ext_required = 4;
}
static void make_san_unknown(struct key_policy *p)
{
    p->rules[0].san_kinds = 16;
}
static void make_ekus_many(struct key_policy *p)
{
    p->rules[0].n_eku = POLICY_EKU_MAX + 1;
}
static void make_eku_empty(struct key_policy *p)
{
    p->rules[0].eku[0][0] = '\0';
}
static void make_eku_word(struct key_policy *p)
{
    (void)KW_TEXT_SET(p->rules[0].eku[0], "any");
}
static void make_within_long(struct key_policy *p)
{
    p->rules[0].subject_within_len = 513;
}

static void make_tuf_negative(struct key_policy *p)
{
    p->tuf_max_s = -1;
}
static void make_role_control(struct key_policy *p)
{
    (void)KW_TEXT_SET(p->tuf_role, "ro\not");
}
static void make_pattern_no_utf8(struct key_policy *p)
{
    (void)KW_TEXT_SET(p->fw_version, "1.\xff");
}
static void make_scopes_many(struct key_policy *p)
{
    p->n_scopes = POLICY_SCOPES_MAX + 1;
}
static void make_scope_empty(struct key_policy *p)
{
    p->n_scopes = 1;
}
static void make_scope_twice(struct key_policy *p)
{
    p->n_scopes = 2;
    (void)KW_TEXT_SET(p->scopes[0], "lock");
    (void)KW_TEXT_SET(p->scopes[1], "lock");
}

static void make_eku_twice(struct key_policy *p)
{
    p->rules[0].n_eku = 2;
    (void)KW_TEXT_SET(p->rules[0].eku[1], p->rules[0].eku[0]);
}

static void test_members_out_of_range_are_not_encoded(void **state)
{
    (void)state;
    static void (*const spoil[])(struct key_policy *) = {
        make_key_id_empty,       make_key_id_endless,
        make_key_id_control,     make_key_id_no_utf8,
        make_class_none,         make_class_unknown,
        make_alg_none,           make_alg_unknown,
        make_period_backward,    make_dn_long,
        make_crl_negative,       make_ocsp_negative,
        make_rules_many,         make_rule_nameless,
        make_rule_twice,         make_is_ca_two,
        make_key_birth_two,      make_key_birth_of_ca,
        make_path_len_of_leaf,   make_validity_negative,
        make_alg_bit_unknown,    make_ku_bit_unknown,
        make_ext_other,          make_san_unknown,
        make_ekus_many,          make_eku_empty,
        make_eku_word,           make_within_long,
        make_eku_twice,          make_ext_required_forbidden,
        make_processing_short,   make_activate_three,
        make_escrow_of_signer,   make_alg_secret,
        make_kek_asymmetric,     make_lineage_of_none,
        make_lineage_of_another, make_lineage_without_number,
        make_generation_another, make_tuf_negative,
        make_role_control,       make_pattern_no_utf8,
        make_scopes_many,        make_scope_empty,
        make_scope_twice,
    };
    static uint8_t room[POLICY_ENCODED_MAX];
    static struct key_policy policy;

    policy = good_policy();
    assert_true(encoded(&policy, room).len > 0);
    for (size_t i = 0; i < KW_COUNT(spoil); i++) {
        struct kw_out out = {room, sizeof(room), 0};
        policy = good_policy();
        spoil[i](&policy);
        assert_int_equal(policy_encode(&policy, &out).code, KW_E_INPUT);
        assert_int_equal(out.len, 0);
    }
}

/* Offsets into the encoding of good_policy(), after the layout in policy.c. */
enum {
    KEY_ID = 6,
    CLASS = KEY_ID + 2 + 10,
    PERIOD = CLASS + 8,
    USE = PERIOD + 16,
    ACTIVATE = USE + 8 + 8 + 4 + 4,
    DN = ACTIVATE + 2 + 2 + 4,
    CRL = DN + 2 + 52,
    RULES = CRL + 16 + 2,
    NAME = RULES + 1,
    IS_CA = NAME + 2 + 6,
    VALIDITY = IS_CA + 2,
    BITS = VALIDITY + 8 + 4,
    KEY_BIRTH = BITS + 20,
    N_EKU = KEY_BIRTH + 1
};

static const struct {
    unsigned offset;
    uint8_t octet;
} spoilt_octets[] = {
    {0,            'k' }, /* magic */
    {5,            1   }, /* version */
    {5,            3   },
    {5,            0   },
    {KEY_ID + 1,   0   }, /* no key id: what follows shifts */
    {KEY_ID + 2,   '\n'},
    {CLASS,        1   }, /* a class beyond 2^24 */
    {CLASS + 3,    0   },
    {CLASS + 7,    9   },
    {CLASS + 7,    32  },
    {USE,          0x80}, /* processing_until before not_after */
    {USE + 7,      99  },
    {ACTIVATE,     3   },
    {ACTIVATE + 1, 1   }, /* escrow of a signing key */
    {ACTIVATE + 7, 1   }, /* a generation without a line */
    {DN,           3   }, /* longer than KW_DN_MAX */
    {CRL,          0x80},
    {CRL + 8,      0x80},
    {RULES,        13  },
    {RULES,        255 },
    {IS_CA,        2   },
    {IS_CA + 1,    1   },
    {VALIDITY,     0x80},
    {BITS + 12,    0x80}, /* ext_allowed: other */
    {BITS + 19,    16  },
    {KEY_BIRTH,    2   },
    {N_EKU,        5   },
    {N_EKU + 3,    'x' },
};

/* The same members, spoilt in the encoding. */
static void test_encodings_out_of_range_are_not_decoded(void **state)
{
    (void)state;
    static uint8_t room[POLICY_ENCODED_MAX];
    static struct key_policy policy, back;

    policy = good_policy();
    size_t len = encoded(&policy, room).len;
    assert_int_equal(room[RULES], 2);
    assert_int_equal(room[NAME + 2], 'l');
    assert_int_equal(room[N_EKU], 1);
    for (size_t i = 0; i < KW_COUNT(spoilt_octets); i++) {
        uint8_t kept = room[spoilt_octets[i].offset];
        room[spoilt_octets[i].offset] = spoilt_octets[i].octet;
        assert_int_equal(policy_decode(KW_SPAN(room, len), &back).code, KW_E_INPUT);
        room[spoilt_octets[i].offset] = kept;
    }
    assert_int_equal(policy_decode(KW_SPAN(room, len), &back).code, KW_CODE_OK);
}

/* Keys that were sealed under version 2 must stay readable: the octets themselves, written down. */
/* clang-format off */
static const uint8_t version_2_octets[] =
    "KWPO\0\2" "\0\3k.7" "\0\0\0\2" "\0\0\0\1" "\0\0\0\0\0\0\0\1" "\0\0\0\0\0\0\0\2"
    "\0\0\0\0\0\0\0\3" "\0\0\0\0\0\0\0\4" "\0\0\0\5" "\0\0\0\6" "\1\0" "\0\1k" "\0\0\0\7"
    "\0\2\x30\0"
    "\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\x22\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\3" "\0\0\0\0\0\0\0\4" "\0\1o" "\1"
    "\0\1r" "\1" "\2" "\0\0\0\0\0\0\0\5" "\0\0\0\6" "\0\0\0\2" "\0\0\0\x60" "\0\0\0\1"
    "\0\0\0\3" "\0\0\0\7" "\0" "\1\0\3" "1.2" "\0\1\x31"
    "\0\4root" "\0\0\0\0\0\0\0\x8" "\0\3#.#" "\2" "\0\1p" "\0\1q";

static const struct key_policy version_2_policy = {
    .key_id = "k.7", .class_ = KEY_CLASS_ISSUING_CA, .alg = 1, .not_before = 1, .not_after = 2,
    .processing_until = 3, .usage_max = 4, .rate_per_minute = 5, .overlap_s = 6, .activate = 1,
    .lineage = "k", .generation = 7,
    .issuer_dn = {0x30, 0}, .issuer_dn_len = 2, .ca_key_sha1 = {0x11}, .ca_key_sha256 = {0x22},
    .crl_max_s = 3, .ocsp_max_s = 4, .log_origin = "o", .n_rules = 1,
    .rules = {{
        .name = "r", .is_ca = 1, .path_len = 2, .max_validity_s = 5, .max_backdate_s = 6,
        .key_algs = 2, .key_usage = 0x60, .ext_required = 1, .ext_allowed = 3, .san_kinds = 7,
        .n_eku = 1, .eku = {"1.2"}, .subject_within = {0x31}, .subject_within_len = 1}},
    .tuf_role = "root", .tuf_max_s = 8, .fw_version = "#.#", .n_scopes = 2, .scopes = {"p", "q"},
};
/* clang-format on */

static void test_version_2_stays_as_it_is(void **state)
{
    (void)state;
    static struct key_policy back;
    static uint8_t room[POLICY_ENCODED_MAX];

    struct kw_span whole = encoded(&version_2_policy, room);
    assert_int_equal(whole.len, sizeof(version_2_octets) - 1);
    assert_memory_equal(whole.p, version_2_octets, whole.len);
    assert_int_equal(policy_decode(whole, &back).code, KW_CODE_OK);
    assert_memory_equal(&back, &version_2_policy, sizeof(back));
}

static void test_rules_are_found_by_name(void **state)
{
    (void)state;
    struct key_policy policy = good_policy();

    assert_ptr_equal(policy_rule_find(&policy, "idevid"), &policy.rules[1]);
    assert_null(policy_rule_find(&policy, "idevi"));
    assert_null(policy_rule_find(&policy, ""));
    policy.n_rules = 1;
    assert_null(policy_rule_find(&policy, "idevid"));
}

static void test_oids(void **state)
{
    (void)state;
    static const char *const good[] = {"1.3", "0.0", "2.999.1", "1.3.6.1.5.5.7.3.2"};
    static const char *const bad[] = {"",    "1",    "1.",    "1..2",         ".1.2",
                                      "3.1", "1.2.", "1.02",  "1.2 ",         "1.-2",
                                      "a.b", "12.3", "1.2,3", "1.12345678901"};

    for (size_t i = 0; i < KW_COUNT(good); i++) {
        assert_true(policy_oid_valid(good[i]));
    }
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_false(policy_oid_valid(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_encoded_is_what_is_decoded),
        cmocka_unit_test(test_every_cut_and_every_tail_is_refused),
        cmocka_unit_test(test_no_policy_has_a_second_encoding),
        cmocka_unit_test(test_room_that_is_too_small),
        cmocka_unit_test(test_the_largest_policy_fits),
        cmocka_unit_test(test_members_out_of_range_are_not_encoded),
        cmocka_unit_test(test_encodings_out_of_range_are_not_decoded),
        cmocka_unit_test(test_version_2_stays_as_it_is),
        cmocka_unit_test(test_rules_are_found_by_name),
        cmocka_unit_test(test_oids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
