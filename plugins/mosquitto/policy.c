#include "mosquitto/policy.h"

#include <stdlib.h>
#include <string.h>

#include "codec/yaml.h"
#include "os/files.h"

enum { POLICY_FILE_MAX = 65536, PAYLOAD_DEFAULT = 262144, STALE_DEFAULT_S = 60 };

/* --- words ------------------------------------------------------------------------------------ */

static const char *const verdicts[VERDICT_MAX] = {
    [VERDICT_NONE] = "none",
    [VERDICT_TRUSTED] = "trusted",
    [VERDICT_SUSPECT] = "suspect",
    [VERDICT_FAILED] = "failed",
};

const char *verdict_text(enum verdict verdict)
{
    return verdicts[verdict];
}

enum verdict verdict_from_text(const char *text)
{
    for (unsigned i = 0; i < VERDICT_MAX; i++) {
        if (strcmp(verdicts[i], text) == 0) {
            return (enum verdict)i;
        }
    }
    return VERDICT_FAILED;
}

/* --- the file --------------------------------------------------------------------------------- */

#define TOPICS(name_, member_, doc_)                                                               \
    FIELD_STRINGS(name_, struct policy_role, member_.at, member_.n, 0, doc_)

static const struct codec_field role_fields[] = {
    FIELD_STRING("name", struct policy_role, name, CODEC_REQUIRED, "of the role"),
    FIELD_STRING("kind", struct policy_role, kind, CODEC_REQUIRED,
                 "whose: device, service, gateway, user"),
    FIELD_STRINGS("profiles", struct policy_role, profiles, n_profiles, CODEC_REQUIRED,
                  "of its certificates"),
    FIELD_STRING("client_id", struct policy_role, client_id, CODEC_REQUIRED,
                 "what it must call itself: {id}, or {id}/+"),
    FIELD_STRINGS("attestation", struct policy_role, attestation, n_attestation, CODEC_REQUIRED,
                  "verdicts that are let in: none, trusted, suspect, failed"),
    FIELD_INT("level", struct policy_role, level, 0, 0, 3, "assurance level at least"),
    TOPICS("read", read, "what it may subscribe to"),
    TOPICS("write", write, "what it may publish to"),
    TOPICS("retain", retain, "of these, where it may leave retained messages"),
    FIELD_INT("payload_max", struct policy_role, payload_max, 0, 0, 268435455,
              "octets of a message; 0: 262144"),
};
static const struct codec_field policy_fields[] = {
    FIELD_INT("stale_s", struct policy, stale_s, 0, POLICY_STALE_MIN_S, POLICY_STALE_MAX_S,
              "so long after the server's last word nobody new is let in"),
    FIELD_STRING("stale_sessions", struct policy, stale_sessions, 0,
                 "keep or cut those that are there then"),
    FIELD_ARRAY("roles", struct policy, roles, n_roles, CODEC_REQUIRED, role_fields,
                "the first that fits counts"),
};

static kw_status check_topics(struct kw_op *op, const struct policy_role *role, const char *what,
                              const struct policy_topics *topics, bool may_dollar)
{
    for (unsigned i = 0; i < topics->n; i++) {
        const char *topic = topics->at[i];
        ENSURE(op, topic_is_pattern(topic), KW_E_INPUT, "role '%s': %s: '%s' is no topic pattern",
               role->name, what, topic);
        ENSURE(op, strncmp(topic, "$share", 6) != 0 && (may_dollar || topic[0] != '$'), KW_E_INPUT,
               "role '%s': %s: nobody gets '%s'", role->name, what, topic);
    }
    return KW_OK;
}

static kw_status take_verdicts(struct kw_op *op, struct policy_role *role)
{
    role->verdicts = 0;
    for (unsigned i = 0; i < role->n_attestation; i++) {
        enum verdict verdict = verdict_from_text(role->attestation[i]);
        ENSURE(op, strcmp(verdicts[verdict], role->attestation[i]) == 0, KW_E_INPUT,
               "role '%s': '%s' is no verdict of attestation", role->name, role->attestation[i]);
        role->verdicts |= 1U << verdict;
    }
    return KW_OK;
}

static kw_status check_role(struct kw_op *op, struct policy_role *role)
{
    ENSURE(op, topic_is_pattern(role->client_id) && strstr(role->client_id, "{id}"), KW_E_INPUT,
           "role '%s': client_id '%s' does not hold {id}", role->name, role->client_id);
    TRY(op, take_verdicts(op, role));
    TRY(op, check_topics(op, role, "read", &role->read, /* may_dollar= */ true));
    TRY(op, check_topics(op, role, "write", &role->write, /* may_dollar= */ false));
    TRY(op, check_topics(op, role, "retain", &role->retain, /* may_dollar= */ false));
    role->payload_max = role->payload_max ? role->payload_max : PAYLOAD_DEFAULT;
    return KW_OK;
}

static kw_status check(struct kw_op *op, struct policy *policy)
{
    bool known =
        strcmp(policy->stale_sessions, "keep") == 0 || strcmp(policy->stale_sessions, "cut") == 0;

    ENSURE(op, known, KW_E_INPUT, "stale_sessions is keep or cut, not '%s'",
           policy->stale_sessions);
    for (unsigned i = 0; i < policy->n_roles; i++) {
        TRY(op, check_role(op, &policy->roles[i]));
    }
    return KW_OK;
}

kw_status policy_parse(struct kw_op *op, struct kw_span text, struct policy **ret)
{
    AUTO(policy) *policy = calloc(1, sizeof(*policy));

    ENSURE(op, policy, KW_E_MEMORY, "no memory for a policy");
    policy->stale_s = STALE_DEFAULT_S;
    KW_TEXT_SET(policy->stale_sessions, "keep");
    TRY(op, codec_yaml_decode(op, text, policy_fields, KW_COUNT(policy_fields), policy));
    TRY(op, check(op, policy));
    *ret = TAKE(policy);
    return KW_OK;
}

kw_status policy_load(struct kw_op *op, const char *path, struct policy **ret)
{
    AUTO(kw_bytes) *text = NULL;

    TRY(op, os_file_read(op, path, POLICY_FILE_MAX, &text), "topic policy");
    TRY(op, policy_parse(op, kw_bytes_span(text), ret), "%s", path);
    return KW_OK;
}

void policy_free(struct policy *policy)
{
    free(policy);
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool has_profile(const struct policy_role *role, const char *profile)
{
    for (unsigned i = 0; i < role->n_profiles; i++) {
        if (strcmp(role->profiles[i], profile) == 0) {
            return true;
        }
    }
    return false;
}

const struct policy_role *policy_role(const struct policy *policy, const char *kind,
                                      const char *profile)
{
    for (unsigned i = 0; i < policy->n_roles; i++) {
        const struct policy_role *role = &policy->roles[i];
        if (strcmp(role->kind, kind) == 0 && has_profile(role, profile)) {
            return role;
        }
    }
    return NULL;
}

bool policy_allows(const struct policy_topics *topics, const char *id, const char *filter)
{
    for (unsigned i = 0; i < topics->n; i++) {
        if (topic_covers(topics->at[i], id, filter)) {
            return true;
        }
    }
    return false;
}
