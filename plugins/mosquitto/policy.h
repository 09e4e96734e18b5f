/* Who may do what on the broker: a file that operators write (docs/MQTT.md). Immutable once read.
 */
#ifndef PLUGIN_POLICY_H
#define PLUGIN_POLICY_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "mosquitto/topic.h"

enum {
    POLICY_ROLES_MAX = 16,
    POLICY_PROFILES_MAX = 8,
    POLICY_TOPICS_MAX = 16,
    POLICY_VERDICTS_MAX = 4,
    POLICY_STALE_MIN_S = 5, /* one call of the feed waits up to a third of it */
    POLICY_STALE_MAX_S = 86400,
};

/* Attestation verdicts, as the server names them. */
enum verdict { VERDICT_NONE, VERDICT_TRUSTED, VERDICT_SUSPECT, VERDICT_FAILED, VERDICT_MAX };
const char *verdict_text(enum verdict verdict);
/* VERDICT_FAILED for words that this program does not know. */
enum verdict verdict_from_text(const char *text);

typedef char policy_topic[TOPIC_MAX];

struct policy_topics {
    unsigned n;
    policy_topic at[POLICY_TOPICS_MAX];
};
struct policy_role {
    char name[32];
    char kind[16]; /* of the owner: "device" of "device:DEV1" */
    unsigned n_profiles;
    char profiles[POLICY_PROFILES_MAX][KW_NAME_MAX]; /* of the certificate */
    char client_id[TOPIC_MAX];                       /* pattern: "{id}", "{id}/+" */
    unsigned n_attestation;
    char attestation[POLICY_VERDICTS_MAX][16];
    unsigned verdicts; /* the same as bits; not in the file */
    uint32_t level;    /* assurance level at least */
    struct policy_topics read, write, retain;
    uint32_t payload_max; /* octets of a message */
};
struct policy {
    uint32_t stale_s;       /* the feed may be silent for so long */
    char stale_sessions[8]; /* keep, cut */
    unsigned n_roles;
    struct policy_role roles[POLICY_ROLES_MAX];
};

/* KW_E_INPUT with what is wrong; free with policy_free(). */
kw_status policy_parse(struct kw_op *op, struct kw_span text, struct policy **ret);
kw_status policy_load(struct kw_op *op, const char *path, struct policy **ret);
void policy_free(struct policy *policy);
KW_OWNED(policy, struct policy, policy_free)

/* The first role for certificates of this profile of such owners; NULL: none. */
const struct policy_role *policy_role(const struct policy *policy, const char *kind,
                                      const char *profile);
/* Does one of the patterns cover it? */
bool policy_allows(const struct policy_topics *topics, const char *id, const char *filter);

#endif
