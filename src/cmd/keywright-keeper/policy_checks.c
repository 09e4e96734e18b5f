#include "cmd/keywright-keeper/policy_checks.h"

#include "cmd/keywright-keeper/purposes.h"
#include "crypto/cert.h"
#include "keeper/msg.h"
#include "model/version_pattern.h"

static bool is_zero(const uint8_t *octets, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++) {
        any |= octets[i];
    }
    return any == 0;
}

static bool id_valid(const struct key_policy *policy, int64_t now)
{
    (void)now;
    return keeper_key_id_valid(policy->key_id);
}

static bool class_lives_here(const struct key_policy *policy, int64_t now)
{
    (void)now;
    return class_row_of(policy->class_) != NULL;
}

static bool alg_suits_class(const struct key_policy *policy, int64_t now)
{
    (void)now;
    return class_takes_alg(policy->class_, policy->alg);
}

static bool period_not_over(const struct key_policy *policy, int64_t now)
{
    return policy->not_before < policy->not_after && policy->not_after > now;
}

static bool has_issuer(const struct key_policy *policy, int64_t now)
{
    (void)now;
    return policy->issuer_dn_len > 0 ||
           (policy->class_ != KEY_CLASS_ISSUING_CA && policy->class_ != KEY_CLASS_OCSP_SIGNER &&
            policy->class_ != KEY_CLASS_CMP);
}

static bool has_terms(const struct key_policy *policy, int64_t now)
{
    (void)now;
    switch (policy->class_) {
    case KEY_CLASS_ISSUING_CA:
        return policy->n_rules > 0 && policy->crl_max_s > 0;
    case KEY_CLASS_OCSP_SIGNER:
        return policy->ocsp_max_s > 0 && !is_zero(policy->ca_key_sha1, sizeof(policy->ca_key_sha1));
    case KEY_CLASS_LOG_SIGNER:
        return policy->log_origin[0] != '\0';
    case KEY_CLASS_TUF:
        return policy->tuf_role[0] != '\0' && policy->tuf_max_s > 0;
    case KEY_CLASS_FIRMWARE: /* the product: its counter goes with the key */
        return policy->n_scopes == 1;
    case KEY_CLASS_KDF: /* labels */
        return policy->n_scopes > 0;
    default:
        return true;
    }
}

/* A limit that nothing looks at would only seem to be one. */
static bool terms_of_this_class(const struct key_policy *policy, int64_t now)
{
    bool is_firmware = policy->class_ == KEY_CLASS_FIRMWARE;
    bool is_tuf = policy->class_ == KEY_CLASS_TUF;
    bool has_scopes =
        is_firmware || policy->class_ == KEY_CLASS_KDF || policy->class_ == KEY_CLASS_ISSUING_CA;

    (void)now;
    return (is_tuf || (policy->tuf_role[0] == '\0' && policy->tuf_max_s == 0)) &&
           (is_firmware || policy->fw_version[0] == '\0') && (has_scopes || policy->n_scopes == 0);
}

static bool tuf_role_known(const struct key_policy *policy, int64_t now)
{
    static const char *const roles[] = {"root", "targets", "snapshot", "timestamp"};

    (void)now;
    for (size_t i = 0; i < KW_COUNT(roles); i++) {
        if (strcmp(policy->tuf_role, roles[i]) == 0) {
            return true;
        }
    }
    return policy->class_ != KEY_CLASS_TUF;
}

static bool version_pattern_known(const struct key_policy *policy, int64_t now)
{
    (void)now;
    return version_pattern_valid(policy->fw_version);
}

static bool rules_only_for_ca(const struct key_policy *policy, int64_t now)
{
    (void)now;
    return policy->n_rules == 0 || policy->class_ == KEY_CLASS_ISSUING_CA;
}

/* A leaf's key must never be able to issue, whatever a profile says. */
static bool leaves_do_not_issue(const struct key_policy *policy, int64_t now)
{
    (void)now;
    for (unsigned i = 0; i < policy->n_rules; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        bool issues = (rule->key_usage & CERT_KU_KEY_CERT_SIGN) != 0;
        if (issues != (rule->is_ca != 0)) {
            return false;
        }
    }
    return true;
}

static bool rules_name_extensions(const struct key_policy *policy, int64_t now)
{
    enum { ALWAYS = CERT_EXT_KEY_USAGE | CERT_EXT_AKI };

    (void)now;
    for (unsigned i = 0; i < policy->n_rules; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        uint32_t needed = rule->is_ca ? ALWAYS | CERT_EXT_BASIC_CONSTRAINTS : ALWAYS;
        if ((rule->ext_required & needed) != needed || (rule->ext_allowed & CERT_EXT_OTHER) ||
            (rule->ext_required & ~rule->ext_allowed)) {
            return false;
        }
    }
    return true;
}

/* Only KEY_ROTATE makes the others. */
static bool first_of_line(const struct key_policy *policy, int64_t now)
{
    (void)now;
    return policy->generation <= 1;
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
static const struct policy_check_row {
    const char *name;
    bool (*holds)(const struct key_policy *policy, int64_t now);
    const char *says;
} checks[] = {
    ROW("key-id", id_valid, "a key id has letters, digits, '-', '_' and '.', not first a dot"),
    ROW("class", class_lives_here, "keys of this class do not live in the keeper"),
    ROW("algorithm", alg_suits_class, "this class does not take this algorithm"),
    ROW("period", period_not_over, "the originator-usage period is empty or over"),
    ROW("issuer", has_issuer,
        "a CA's, OCSP or CMP signer's policy needs the name that it signs for"),
    ROW("terms", has_terms,
        "the limits of this class are missing (rules, CRL, OCSP, origin, role, scopes)"),
    ROW("terms-class", terms_of_this_class, "there are limits that belong to another class"),
    ROW("tuf-role", tuf_role_known, "the role is none of root, targets, snapshot, timestamp"),
    ROW("version", version_pattern_known, "the pattern of firmware versions is none"),
    ROW("line", first_of_line, "a successor is made by rotating its predecessor"),
    ROW("rules", rules_only_for_ca, "only a CA has rules for certificates"),
    ROW("leaves", leaves_do_not_issue, "keyCertSign goes with CA rules and only with them"),
    ROW("extensions", rules_name_extensions,
        "each rule must require keyUsage and AKI (a CA basicConstraints), none unknown"),
};

kw_status policy_check(struct kw_op *op, const struct key_policy *policy, int64_t now_unix)
{
    for (size_t i = 0; i < KW_COUNT(checks); i++) {
        ENSURE(op, checks[i].holds(policy, now_unix), KW_E_DENIED, "policy-%s: %s", checks[i].name,
               checks[i].says);
    }
    return KW_OK;
}
