/*
 * The decisions, on the broker's thread: who comes in, who may do what, who has to go. Knows
 * nothing of Mosquitto. docs/MQTT.md
 */
#ifndef PLUGIN_DOOR_H
#define PLUGIN_DOOR_H

#include "mosquitto/feed.h"

enum refusal {
    REFUSAL_NONE,
    REFUSAL_NO_CERTIFICATE,
    REFUSAL_STALE,
    REFUSAL_UNKNOWN,
    REFUSAL_STANDING,
    REFUSAL_ENDED,
    REFUSAL_ROLE,
    REFUSAL_ATTESTATION,
    REFUSAL_IDENTITY,
    REFUSAL_CLIENT_ID,
    REFUSAL_CLIENT_ID_TAKEN,
    REFUSAL_TOPIC,
    REFUSAL_RETAIN,
    REFUSAL_PAYLOAD,
    REFUSAL_MEMORY,
    REFUSAL_MAX
};
_Static_assert((int)REFUSAL_MAX <= (int)FEED_REASONS_MAX, "each is counted");
const char *refusal_text(enum refusal refusal); /* a sentence */

enum access { ACCESS_READ = 1, ACCESS_WRITE, ACCESS_SUBSCRIBE };

struct session {
    struct session *next;
    const void *client; /* the broker's; NULL: it is away, its subscriptions are kept */
    uint8_t sha256[KW_HASH_BYTES];
    char owner[BROKER_OWNER_MAX];
    const char *id; /* in owner, behind the colon */
    const struct policy_role *role;
    unsigned generation; /* as of which it was found good */
    bool going;          /* is being kicked */
    char client_id[];
};

struct door;
/* The feed is borrowed; the policy is the door's from here on. */
kw_status door_new(struct kw_op *op, struct feed *feed, struct policy *policy, struct door **ret);
void door_free(struct door *door);
/* Another policy: sessions that it does not let in go at the next sweep. */
void door_policy(struct door *door, struct policy *policy);

/* why: room for what the log is told. sha256 NULL: no certificate. */
enum refusal door_enter(struct door *door, const void *client, const char *client_id,
                        const uint8_t *sha256, char why[256], const struct session **ret);
void door_leave(struct door *door, const void *client, const char *client_id, bool keeps);
struct door_request {
    const char *client_id, *topic;
    enum access access;
    bool retain;
    uint32_t octets;
};
enum refusal door_may(struct door *door, const struct door_request *request, char why[256]);
/* Look at all sessions where there is a reason to: kick() is called for each that has to go. */
typedef void (*door_kick_fn)(void *ctx, const char *client_id, const char *why);
void door_sweep(struct door *door, door_kick_fn kick, void *ctx);
/* How many are there. */
unsigned door_sessions(const struct door *door);

#endif
