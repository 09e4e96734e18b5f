/*
 * Encoded policy, version 2. Numbers are big-endian; text and octets stand behind a u16 length,
 * text is UTF-8 without control characters; every field is always there, so one policy has exactly
 * one encoding.
 *
 *   u8[4]  "KWPO"
 *   u16    version, 2
 *   text   key_id, 1..95 octets
 *   u32    class, u32 alg                     alg 32 for symmetric classes and only for them
 *   i64    not_before, i64 not_after          Unix seconds, not_before <= not_after
 *   i64    processing_until                   0, or not_after <= it
 *   u64    usage_max, u32 rate_per_minute, u32 overlap_s
 *   u8     activate (0, 1, 2), u8 escrow (0, 1; 0 for a private key's class)
 *   text   lineage, 0..95 octets, u32 generation   both empty, or key_id is the line's n-th id
 *   octets issuer_dn, 0..512
 *   u8[20] ca_key_sha1, u8[32] ca_key_sha256
 *   i64    crl_max_s, i64 ocsp_max_s          not negative
 *   text   log_origin, 0..95 octets
 *   u8     number of rules, 0..16, then each:
 *     text   name, 1..95 octets, none twice
 *     u8     is_ca (0, 1), u8 path_len (0 without is_ca)
 *     i64    max_validity_s, not negative; u32 max_backdate_s
 *     u32    key_algs, key_usage, ext_required, ext_allowed (holds ext_required), san_kinds; known
 *            bits of x509_bits.h and enum policy_san only
 *     u8     key_birth (0, 1; not with is_ca)
 *     u8     number of EKUs, 0..4, then each a text: dotted OID of at most 47 octets, none twice
 *     octets subject_within, 0..512
 *   text   tuf_role, 0..15 octets, i64 tuf_max_s, not negative
 *   text   fw_version, 0..63 octets
 *   u8     number of scopes, 0..8, then each a text of 1..127 octets, none twice
 *
 * Another version is refused: it may hold limits that this program does not know how to keep.
 */
#include "model/policy.h"

#include <stdio.h>

#include "base/reader.h"
#include "base/utf8.h"
#include "base/writer.h"
#include "model/x509_bits.h"

static const uint8_t magic[4] = {'K', 'W', 'P', 'O'};
enum {
    VERSION = 2,
    RULE_MAX = (2 + KW_NAME_MAX) + 2 + 8 + 6 * 4 + 1 + POLICY_EKU_MAX * (2 + POLICY_OID_MAX) +
               (2 + KW_DN_MAX),
    HEAD_MAX =
        4 + 2 + 3 * (2 + KW_NAME_MAX) + 5 * 4 + 4 * 8 + 2 + (2 + KW_DN_MAX) + 20 + 32 + 2 * 8 + 1,
    TERMS_MAX = (2 + POLICY_ROLE_MAX) + 8 + (2 + POLICY_PATTERN_MAX) + 1 +
                POLICY_SCOPES_MAX * (2 + POLICY_SCOPE_MAX),
    SAN_ALL = POLICY_SAN_DNS | POLICY_SAN_IP | POLICY_SAN_URI | POLICY_SAN_HW,
};
_Static_assert(HEAD_MAX + POLICY_RULES_MAX * RULE_MAX + TERMS_MAX <= POLICY_ENCODED_MAX,
               "room of POLICY_ENCODED_MAX always suffices");

/* What is in range is told here alone: the encoder asks before, the decoder after. */
static bool text_in_range(const char *text, size_t cap, size_t min)
{
    size_t len = strnlen(text, cap);

    return len >= min && len < cap && kw_utf8_is_plain(KW_SPAN(text, len));
}

/* One arc behind *text: digits without a leading zero. Moves *text behind them. */
static bool take_arc(const char **text)
{
    const char *digits = *text;
    size_t n = strspn(digits, "0123456789");

    *text = digits + n;
    return n > 0 && n <= 10 && (n == 1 || digits[0] != '0');
}

bool policy_oid_valid(const char *oid)
{
    unsigned n_arcs = 1;

    /* X.660: the first arc is 0, 1 or 2. */
    if (strnlen(oid, POLICY_OID_MAX) == POLICY_OID_MAX || oid[0] < '0' || oid[0] > '2' ||
        oid[1] != '.') {
        return false;
    }
    for (oid++; *oid == '.'; n_arcs++) {
        oid++;
        if (!take_arc(&oid)) {
            return false;
        }
    }
    return *oid == '\0' && n_arcs >= 2;
}

static bool ekus_in_range(const struct policy_rule *rule)
{
    if (rule->n_eku > POLICY_EKU_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < rule->n_eku; i++) {
        if (!policy_oid_valid(rule->eku[i])) {
            return false;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(rule->eku[i], rule->eku[j]) == 0) {
                return false;
            }
        }
    }
    return true;
}

/* Bits that this program does not know would be limits that it cannot keep. */
static bool bits_in_range(const struct policy_rule *rule)
{
    return (rule->key_algs & ~(uint32_t)MODEL_KEY_ALG_ALL) == 0 &&
           (rule->key_usage & ~(uint32_t)MODEL_KU_ALL) == 0 &&
           (rule->ext_allowed & ~(uint32_t)MODEL_EXT_ALL) == 0 &&
           (rule->ext_required & ~rule->ext_allowed) == 0 &&
           (rule->san_kinds & ~(uint32_t)SAN_ALL) == 0;
}

static bool rule_in_range(const struct policy_rule *rule)
{
    return text_in_range(rule->name, sizeof(rule->name), 1) && rule->is_ca <= 1 &&
           rule->key_birth <= 1 && !(rule->key_birth && rule->is_ca) &&
           (rule->is_ca || rule->path_len == 0) && rule->max_validity_s >= 0 &&
           bits_in_range(rule) && rule->subject_within_len <= KW_DN_MAX && ekus_in_range(rule);
}

static bool rules_in_range(const struct key_policy *policy)
{
    if (policy->n_rules > POLICY_RULES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < policy->n_rules; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (!rule_in_range(rule) || policy_rule_find(policy, rule->name) != rule) {
            return false;
        }
    }
    return true;
}

bool policy_key_id(const char *lineage, uint32_t generation, char ret[KW_NAME_MAX])
{
    char id[KW_NAME_MAX];
    int n = generation == 1 ? snprintf(id, sizeof(id), "%s", lineage)
                            : snprintf(id, sizeof(id), "%s.%u", lineage, generation);

    if (generation == 0 || n <= 0 || (size_t)n >= sizeof(id)) {
        return false;
    }
    memcpy(ret, id, (size_t)n + 1);
    return true;
}

static bool lineage_in_range(const struct key_policy *policy)
{
    char id[KW_NAME_MAX];

    if (!text_in_range(policy->lineage, sizeof(policy->lineage), 0)) {
        return false;
    }
    if (policy->lineage[0] == '\0') {
        return policy->generation == 0;
    }
    return policy_key_id(policy->lineage, policy->generation, id) &&
           strcmp(id, policy->key_id) == 0;
}

static bool alg_in_range(const struct key_policy *policy)
{
    if (key_class_symmetric(policy->class_)) {
        return policy->alg == MODEL_KEY_ALG_SECRET_256;
    }
    return policy->alg > 0 && policy->alg < MODEL_KEY_ALG_NUMBER_MAX;
}

static bool use_in_range(const struct key_policy *policy)
{
    return policy->not_before <= policy->not_after &&
           (policy->processing_until == 0 || policy->processing_until >= policy->not_after) &&
           policy->activate < POLICY_ACTIVATE_MAX && policy->escrow <= 1 &&
           (policy->escrow == 0 || !key_class_signs(policy->class_)) && lineage_in_range(policy);
}

static bool scope_in_range(const struct key_policy *policy, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++) {
        if (strcmp(policy->scopes[i], policy->scopes[j]) == 0) {
            return false;
        }
    }
    return text_in_range(policy->scopes[i], sizeof(policy->scopes[i]), 1);
}

static bool terms_in_range(const struct key_policy *policy)
{
    if (policy->n_scopes > POLICY_SCOPES_MAX || policy->tuf_max_s < 0 ||
        !text_in_range(policy->tuf_role, sizeof(policy->tuf_role), 0) ||
        !text_in_range(policy->fw_version, sizeof(policy->fw_version), 0)) {
        return false;
    }
    for (uint32_t i = 0; i < policy->n_scopes; i++) {
        if (!scope_in_range(policy, i)) {
            return false;
        }
    }
    return true;
}

static bool policy_in_range(const struct key_policy *policy)
{
    return text_in_range(policy->key_id, sizeof(policy->key_id), 1) &&
           policy->class_ > KEY_CLASS_NONE && policy->class_ < KEY_CLASS_MAX &&
           alg_in_range(policy) && use_in_range(policy) && policy->issuer_dn_len <= KW_DN_MAX &&
           policy->crl_max_s >= 0 && policy->ocsp_max_s >= 0 &&
           text_in_range(policy->log_origin, sizeof(policy->log_origin), 0) &&
           rules_in_range(policy) && terms_in_range(policy);
}

static void put_i64(struct kw_writer *w, int64_t v)
{
    kw_writer_u64(w, (uint64_t)v);
}

static void encode_rule(struct kw_writer *w, const struct policy_rule *rule)
{
    kw_writer_text(w, rule->name);
    kw_writer_u8(w, rule->is_ca);
    kw_writer_u8(w, rule->path_len);
    put_i64(w, rule->max_validity_s);
    kw_writer_u32(w, rule->max_backdate_s);
    kw_writer_u32(w, rule->key_algs);
    kw_writer_u32(w, rule->key_usage);
    kw_writer_u32(w, rule->ext_required);
    kw_writer_u32(w, rule->ext_allowed);
    kw_writer_u32(w, rule->san_kinds);
    kw_writer_u8(w, rule->key_birth);
    kw_writer_u8(w, (uint8_t)rule->n_eku);
    for (uint32_t i = 0; i < rule->n_eku; i++) {
        kw_writer_text(w, rule->eku[i]);
    }
    kw_writer_span16(w, KW_SPAN(rule->subject_within, rule->subject_within_len));
}

enum { RULE_ENCODED_MAX = KW_DN_MAX + 512 };

bool policy_rule_equal(const struct policy_rule *a, const struct policy_rule *b)
{
    uint8_t rooms[2][RULE_ENCODED_MAX];
    struct kw_out out[2] = {KW_OUT_ARRAY(rooms[0]), KW_OUT_ARRAY(rooms[1])};
    const struct policy_rule *rules[2] = {a, b};

    for (unsigned i = 0; i < 2; i++) {
        struct kw_writer w = kw_writer_of(&out[i]);
        encode_rule(&w, rules[i]);
        if (!kw_ok(kw_writer_end(&w))) {
            return false;
        }
    }
    return kw_span_equal(kw_out_span(&out[0]), kw_out_span(&out[1]));
}

static void encode_use(struct kw_writer *w, const struct key_policy *policy)
{
    put_i64(w, policy->processing_until);
    kw_writer_u64(w, policy->usage_max);
    kw_writer_u32(w, policy->rate_per_minute);
    kw_writer_u32(w, policy->overlap_s);
    kw_writer_u8(w, policy->activate);
    kw_writer_u8(w, policy->escrow);
    kw_writer_text(w, policy->lineage);
    kw_writer_u32(w, policy->generation);
}

static void encode_terms(struct kw_writer *w, const struct key_policy *policy)
{
    kw_writer_text(w, policy->tuf_role);
    put_i64(w, policy->tuf_max_s);
    kw_writer_text(w, policy->fw_version);
    kw_writer_u8(w, (uint8_t)policy->n_scopes);
    for (uint32_t i = 0; i < policy->n_scopes; i++) {
        kw_writer_text(w, policy->scopes[i]);
    }
}

kw_status policy_encode(const struct key_policy *policy, struct kw_out *out)
{
    if (!policy_in_range(policy)) {
        return KW_FAIL(KW_E_INPUT);
    }
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, KW_SPAN_ARRAY(magic));
    kw_writer_u16(&w, VERSION);
    kw_writer_text(&w, policy->key_id);
    kw_writer_u32(&w, (uint32_t)policy->class_);
    kw_writer_u32(&w, policy->alg);
    put_i64(&w, policy->not_before);
    put_i64(&w, policy->not_after);
    encode_use(&w, policy);
    kw_writer_span16(&w, KW_SPAN(policy->issuer_dn, policy->issuer_dn_len));
    kw_writer_put(&w, KW_SPAN_ARRAY(policy->ca_key_sha1));
    kw_writer_put(&w, KW_SPAN_ARRAY(policy->ca_key_sha256));
    put_i64(&w, policy->crl_max_s);
    put_i64(&w, policy->ocsp_max_s);
    kw_writer_text(&w, policy->log_origin);
    kw_writer_u8(&w, (uint8_t)policy->n_rules);
    for (uint32_t i = 0; i < policy->n_rules; i++) {
        encode_rule(&w, &policy->rules[i]);
    }
    encode_terms(&w, policy);
    return kw_writer_end(&w);
}

static int64_t get_i64(struct kw_reader *r)
{
    return (int64_t)kw_reader_u64(r);
}

static uint32_t get_dn(struct kw_reader *r, uint8_t dn[KW_DN_MAX])
{
    struct kw_span der = kw_reader_span16(r, KW_DN_MAX);

    if (der.len > 0) {
        memcpy(dn, der.p, der.len);
    }
    return (uint32_t)der.len;
}

/* A count that is too large would run over an array before anything is looked at. */
static uint32_t get_count(struct kw_reader *r, uint32_t max)
{
    uint32_t n = kw_reader_u8(r);

    if (n > max) {
        kw_reader_reject(r);
        return 0;
    }
    return n;
}

static void decode_rule(struct kw_reader *r, struct policy_rule *rule)
{
    kw_reader_text(r, rule->name, sizeof(rule->name));
    rule->is_ca = kw_reader_u8(r);
    rule->path_len = kw_reader_u8(r);
    rule->max_validity_s = get_i64(r);
    rule->max_backdate_s = kw_reader_u32(r);
    rule->key_algs = kw_reader_u32(r);
    rule->key_usage = kw_reader_u32(r);
    rule->ext_required = kw_reader_u32(r);
    rule->ext_allowed = kw_reader_u32(r);
    rule->san_kinds = kw_reader_u32(r);
    rule->key_birth = kw_reader_u8(r);
    rule->n_eku = get_count(r, POLICY_EKU_MAX);
    for (uint32_t i = 0; i < rule->n_eku; i++) {
        kw_reader_text(r, rule->eku[i], sizeof(rule->eku[i]));
    }
    rule->subject_within_len = get_dn(r, rule->subject_within);
}

static void decode_use(struct kw_reader *r, struct key_policy *policy)
{
    policy->processing_until = get_i64(r);
    policy->usage_max = kw_reader_u64(r);
    policy->rate_per_minute = kw_reader_u32(r);
    policy->overlap_s = kw_reader_u32(r);
    policy->activate = kw_reader_u8(r);
    policy->escrow = kw_reader_u8(r);
    kw_reader_text(r, policy->lineage, sizeof(policy->lineage));
    policy->generation = kw_reader_u32(r);
}

static void decode_head(struct kw_reader *r, struct key_policy *policy)
{
    kw_reader_text(r, policy->key_id, sizeof(policy->key_id));
    policy->class_ = (enum key_class)kw_reader_u32(r);
    policy->alg = kw_reader_u32(r);
    policy->not_before = get_i64(r);
    policy->not_after = get_i64(r);
    decode_use(r, policy);
    policy->issuer_dn_len = get_dn(r, policy->issuer_dn);
    kw_reader_copy(r, policy->ca_key_sha1, sizeof(policy->ca_key_sha1));
    kw_reader_copy(r, policy->ca_key_sha256, sizeof(policy->ca_key_sha256));
    policy->crl_max_s = get_i64(r);
    policy->ocsp_max_s = get_i64(r);
    kw_reader_text(r, policy->log_origin, sizeof(policy->log_origin));
}

static void decode_terms(struct kw_reader *r, struct key_policy *policy)
{
    kw_reader_text(r, policy->tuf_role, sizeof(policy->tuf_role));
    policy->tuf_max_s = get_i64(r);
    kw_reader_text(r, policy->fw_version, sizeof(policy->fw_version));
    policy->n_scopes = get_count(r, POLICY_SCOPES_MAX);
    for (uint32_t i = 0; i < policy->n_scopes; i++) {
        kw_reader_text(r, policy->scopes[i], sizeof(policy->scopes[i]));
    }
}

kw_status policy_decode(struct kw_span encoded, struct key_policy *ret)
{
    struct kw_reader r = kw_reader_of(encoded);
    struct key_policy policy;

    /* Also the padding: a policy may be compared and copied as octets. */
    memset(&policy, 0, sizeof(policy));
    if (!kw_span_equal(kw_reader_take(&r, sizeof(magic)), KW_SPAN_ARRAY(magic)) ||
        kw_reader_u16(&r) != VERSION) {
        return KW_FAIL(KW_E_INPUT);
    }
    decode_head(&r, &policy);
    policy.n_rules = get_count(&r, POLICY_RULES_MAX);
    for (uint32_t i = 0; i < policy.n_rules; i++) {
        decode_rule(&r, &policy.rules[i]);
    }
    decode_terms(&r, &policy);
    if (!kw_ok(kw_reader_end(&r)) || !policy_in_range(&policy)) {
        return KW_FAIL(KW_E_INPUT);
    }
    *ret = policy;
    return KW_OK;
}

const struct policy_rule *policy_rule_find(const struct key_policy *policy, const char *name)
{
    for (uint32_t i = 0; i < policy->n_rules && i < POLICY_RULES_MAX; i++) {
        if (strcmp(policy->rules[i].name, name) == 0) {
            return &policy->rules[i];
        }
    }
    return NULL;
}
