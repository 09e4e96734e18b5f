#include "mosquitto/door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"

enum { BUCKETS = 4096, LOOK_MS = 5000 };

struct door {
    struct feed *feed;
    struct policy *policy;
    struct session *buckets[BUCKETS];
    unsigned n_live;
    bool looked; /* once, as of: */
    unsigned generation;
    int64_t looked_ms;
};

static const char *const refusals[REFUSAL_MAX] = {
    [REFUSAL_NONE] = "none",
    [REFUSAL_NO_CERTIFICATE] = "no client certificate",
    [REFUSAL_STALE] = "the server was not heard of for too long",
    [REFUSAL_UNKNOWN] = "the certificate is not among those in force",
    [REFUSAL_STANDING] = "the certificate or its device is not in force",
    [REFUSAL_ENDED] = "the certificate has ended",
    [REFUSAL_ROLE] = "no role is for such certificates",
    [REFUSAL_ATTESTATION] = "attestation does not suffice",
    [REFUSAL_IDENTITY] = "the identity does not fit into a topic",
    [REFUSAL_CLIENT_ID] = "the client id is not that of the certificate",
    [REFUSAL_CLIENT_ID_TAKEN] = "the client id is another identity's",
    [REFUSAL_TOPIC] = "the topic is not its own",
    [REFUSAL_RETAIN] = "it may not leave retained messages there",
    [REFUSAL_PAYLOAD] = "the message is too large",
    [REFUSAL_MEMORY] = "no memory",
};
static const char *const names[REFUSAL_MAX] = {
    [REFUSAL_NONE] = "none",
    [REFUSAL_NO_CERTIFICATE] = "no_certificate",
    [REFUSAL_STALE] = "stale",
    [REFUSAL_UNKNOWN] = "unknown",
    [REFUSAL_STANDING] = "standing",
    [REFUSAL_ENDED] = "ended",
    [REFUSAL_ROLE] = "role",
    [REFUSAL_ATTESTATION] = "attestation",
    [REFUSAL_IDENTITY] = "identity",
    [REFUSAL_CLIENT_ID] = "client_id",
    [REFUSAL_CLIENT_ID_TAKEN] = "client_id_taken",
    [REFUSAL_TOPIC] = "topic",
    [REFUSAL_RETAIN] = "retain",
    [REFUSAL_PAYLOAD] = "payload",
    [REFUSAL_MEMORY] = "memory",
};

const char *refusal_text(enum refusal refusal)
{
    return refusals[refusal];
}

const char *feed_reason_name(unsigned reason)
{
    return reason < REFUSAL_MAX ? names[reason] : NULL;
}

static enum refusal refuse(struct door *door, enum refusal refusal, char why[256],
                           const char *detail)
{
    atomic_fetch_add(&feed_figures(door->feed)->refused[refusal], 1);
    (void)snprintf(why, 256, "%s%s%.160s", refusals[refusal], *detail ? ": " : "", detail);
    return refusal;
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct session **bucket_of(struct door *door, const char *client_id)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (const char *c = client_id; *c; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619U;
    }
    return &door->buckets[hash % BUCKETS];
}

static struct session *find(struct door *door, const char *client_id)
{
    struct session *at = *bucket_of(door, client_id);

    while (at && strcmp(at->client_id, client_id) != 0) {
        at = at->next;
    }
    return at;
}

static struct session *add(struct door *door, const char *client_id)
{
    struct session **bucket = bucket_of(door, client_id);
    size_t n = strlen(client_id) + 1;
    struct session *session = calloc(1, sizeof(*session) + n);

    if (session) {
        memcpy(session->client_id, client_id, n);
        session->next = *bucket;
        *bucket = session;
    }
    return session;
}

static void drop(struct door *door, struct session *session)
{
    struct session **at = bucket_of(door, session->client_id);

    while (*at != session) {
        at = &(*at)->next;
    }
    *at = session->next;
    free(session);
}

kw_status door_new(struct kw_op *op, struct feed *feed, struct policy *policy, struct door **ret)
{
    struct door *door = calloc(1, sizeof(*door));

    ENSURE(op, door, KW_E_MEMORY, "no memory for sessions");
    door->feed = feed;
    door->policy = policy;
    *ret = door;
    return KW_OK;
}

void door_free(struct door *door)
{
    if (!door) {
        return;
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (door->buckets[i]) {
            drop(door, door->buckets[i]);
        }
    }
    policy_free(door->policy);
    free(door);
}

unsigned door_sessions(const struct door *door)
{
    return door->n_live;
}

/* --- is it good? ------------------------------------------------------------------------------ */

static bool is_stale(const struct door *door)
{
    return feed_age_ms(door->feed) > (int64_t)door->policy->stale_s * 1000;
}

static bool cuts_when_stale(const struct door *door)
{
    return strcmp(door->policy->stale_sessions, "cut") == 0;
}

/* On SIGHUP Mosquitto asks again about those that are there. */
static bool is_there(struct door *door, const void *client, const char *client_id)
{
    const struct session *session = find(door, client_id);

    return session && session->client == client;
}

static bool id_fits(const struct policy_role *role, const char *id, const char *client_id)
{
    return topic_is_name(client_id) && topic_covers(role->client_id, id, client_id);
}

/* The table's word and the policy's, but for freshness. */
static enum refusal judge(struct door *door, const uint8_t *sha256, const char *client_id,
                          struct feed_client *client, const struct policy_role **ret_role,
                          char why[256])
{
    if (!feed_find(door->feed, sha256, client)) {
        return refuse(door, REFUSAL_UNKNOWN, why, "revoked, out of use, or never issued");
    }
    if (client->standing != STANDING_GOOD) {
        return refuse(door, REFUSAL_STANDING, why, standing_text(client->standing));
    }
    if (client->ends_s < os_clock_unix_s()) {
        return refuse(door, REFUSAL_ENDED, why, client->owner);
    }
    const struct policy_role *role = policy_role(door->policy, client->kind, client->profile);
    if (!role) {
        return refuse(door, REFUSAL_ROLE, why, client->profile);
    }
    if (!(role->verdicts & (1U << client->verdict)) || client->level < role->level) {
        return refuse(door, REFUSAL_ATTESTATION, why, verdict_text(client->verdict));
    }
    const char *id = strchr(client->owner, ':') + 1;
    if (!topic_is_level(id)) {
        return refuse(door, REFUSAL_IDENTITY, why, client->owner);
    }
    if (!id_fits(role, id, client_id)) {
        return refuse(door, REFUSAL_CLIENT_ID, why, client->owner);
    }
    *ret_role = role;
    return REFUSAL_NONE;
}

static void take(struct door *door, struct session *session, const uint8_t *sha256,
                 const struct feed_client *client, const struct policy_role *role)
{
    memcpy(session->sha256, sha256, KW_HASH_BYTES);
    KW_TEXT_SET(session->owner, client->owner);
    session->id = strchr(session->owner, ':') + 1;
    session->role = role;
    session->going = false;
    (void)door;
}

enum refusal door_enter(struct door *door, const void *client, const char *client_id,
                        const uint8_t *sha256, char why[256], const struct session **ret)
{
    unsigned generation = feed_generation(door->feed);
    const struct policy_role *role = NULL;
    struct feed_client known;

    if (!sha256) {
        return refuse(door, REFUSAL_NO_CERTIFICATE, why, "");
    }
    bool there = is_there(door, client, client_id);
    if (is_stale(door) && (!there || cuts_when_stale(door))) {
        return refuse(door, REFUSAL_STALE, why, "");
    }
    enum refusal refusal = judge(door, sha256, client_id, &known, &role, why);
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    struct session *session = find(door, client_id);
    if (session && strcmp(session->owner, known.owner) != 0) {
        return refuse(door, REFUSAL_CLIENT_ID_TAKEN, why, session->owner);
    }
    session = session ? session : add(door, client_id);
    if (!session) {
        return refuse(door, REFUSAL_MEMORY, why, "");
    }
    door->n_live += session->client == NULL;
    session->client = client;
    take(door, session, sha256, &known, role);
    session->generation = generation;
    atomic_fetch_add(&feed_figures(door->feed)->connects, there ? 0 : 1);
    *ret = session;
    return REFUSAL_NONE;
}

void door_leave(struct door *door, const void *client, const char *client_id, bool keeps)
{
    struct session *session = find(door, client_id);

    if (!session || session->client != client) {
        return; /* never came in, or the same identity is there again */
    }
    session->client = NULL;
    door->n_live--;
    if (!keeps && !session->going) {
        drop(door, session);
    }
}

/* --- what it may do --------------------------------------------------------------------------- */

static enum refusal may_write(struct door *door, const struct session *session,
                              const struct door_request *request, char why[256])
{
    const struct policy_role *role = session->role;

    if (!topic_is_name(request->topic) ||
        !policy_allows(&role->write, session->id, request->topic)) {
        return refuse(door, REFUSAL_TOPIC, why, session->owner);
    }
    if (request->octets > role->payload_max) {
        return refuse(door, REFUSAL_PAYLOAD, why, session->owner);
    }
    if (request->retain && !policy_allows(&role->retain, session->id, request->topic)) {
        return refuse(door, REFUSAL_RETAIN, why, session->owner);
    }
    return REFUSAL_NONE;
}

static enum refusal may_read(struct door *door, const struct session *session,
                             const struct door_request *request, char why[256])
{
    const char *filter = request->access == ACCESS_SUBSCRIBE ? topic_of_subscription(request->topic)
                                                             : request->topic;

    if (!filter || !topic_is_filter(filter) ||
        !policy_allows(&session->role->read, session->id, filter)) {
        return refuse(door, REFUSAL_TOPIC, why, session->owner);
    }
    return REFUSAL_NONE;
}

/* Its standing, where anybody's fell since it was looked at: no message passes once we know. */
static enum refusal still_good(struct door *door, struct session *session, char why[256])
{
    unsigned generation = feed_generation(door->feed);
    const struct policy_role *role = NULL;
    struct feed_client known;

    if (session->generation == generation) {
        return REFUSAL_NONE;
    }
    enum refusal refusal = judge(door, session->sha256, session->client_id, &known, &role, why);
    if (refusal == REFUSAL_NONE) {
        session->generation = generation;
    }
    return refusal;
}

enum refusal door_may(struct door *door, const struct door_request *request, char why[256])
{
    struct session *session = request->client_id ? find(door, request->client_id) : NULL;

    if (!session || session->going) {
        return refuse(door, REFUSAL_UNKNOWN, why, "not let in by this plugin");
    }
    enum refusal refusal = still_good(door, session, why);
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    if (!session->role) { /* the policy is another, and the sweep has not come yet */
        return refuse(door, REFUSAL_ROLE, why, session->owner);
    }
    return request->access == ACCESS_WRITE ? may_write(door, session, request, why)
                                           : may_read(door, session, request, why);
}

/* --- who has to go ---------------------------------------------------------------------------- */

/* A change, not the time that passed or another policy, ends it. */
static bool by_a_change(const struct door *door, const struct session *session,
                        const struct feed_client *known, enum refusal refusal)
{
    return known->changed_ms != 0 && session->generation != feed_generation(door->feed) &&
           (refusal == REFUSAL_STANDING || refusal == REFUSAL_ATTESTATION);
}

/* changed_ms: since when, where a change is the reason; else 0. */
static bool has_to_go(struct door *door, struct session *session, uint32_t *changed_ms,
                      char why[256])
{
    const struct policy_role *role = NULL;
    struct feed_client known = {0};

    *changed_ms = 0;
    if (is_stale(door) && cuts_when_stale(door)) {
        (void)snprintf(why, 256, "%s", refusals[REFUSAL_STALE]);
        return true;
    }
    if (feed_age_ms(door->feed) == INT64_MAX) {
        return false; /* no word yet: nobody came in by one */
    }
    enum refusal refusal = judge(door, session->sha256, session->client_id, &known, &role, why);
    if (refusal != REFUSAL_NONE) {
        *changed_ms = by_a_change(door, session, &known, refusal) ? known.changed_ms : 0;
        return true;
    }
    session->role = role; /* of the policy as it is now */
    return false;
}

static void sweep(struct door *door, struct session *session, unsigned generation,
                  door_kick_fn kick, void *ctx)
{
    char why[256] = "";
    uint32_t changed_ms = 0;

    if (!has_to_go(door, session, &changed_ms, why)) {
        session->generation = generation;
        return;
    }
    session->going = true; /* its end comes back as door_leave() from within */
    if (session->client) {
        atomic_fetch_add(&feed_figures(door->feed)->kicks, 1);
        kick(ctx, session->client_id, why);
        if (changed_ms) {
            feed_kicked(door->feed, changed_ms);
        }
    }
    if (!session->client) {
        drop(door, session);
    }
}

static void sweep_all(struct door *door, unsigned generation, door_kick_fn kick, void *ctx)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct session *next = NULL;
        for (struct session *at = door->buckets[i]; at; at = next) {
            next = at->next;
            sweep(door, at, generation, kick, ctx);
        }
    }
}

void door_sweep(struct door *door, door_kick_fn kick, void *ctx)
{
    unsigned generation = feed_generation(door->feed);
    int64_t now_ms = os_clock_mono_ms();

    atomic_store(&feed_figures(door->feed)->sessions, door->n_live);
    if (door->looked && door->generation == generation && now_ms - door->looked_ms < LOOK_MS) {
        return;
    }
    sweep_all(door, generation, kick, ctx);
    door->looked = true;
    door->generation = generation;
    door->looked_ms = now_ms;
    feed_swept(door->feed, generation);
}

void door_policy(struct door *door, struct policy *policy)
{
    struct policy *before = door->policy;

    door->policy = policy;
    door->looked = false;
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct session *at = door->buckets[i]; at; at = at->next) {
            at->role = policy_role(policy, "", ""); /* set anew by the sweep that follows */
        }
    }
    policy_free(before);
}
