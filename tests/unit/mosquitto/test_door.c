/* The door, with a feed that says what the test says. */
#include <stdio.h>
#include <stdlib.h>

#include "../base/check.h"
#include "base/time.h"
#include "mosquitto/door.h"

static const char policy_text[] =
    "stale_s: 60\nstale_sessions: %s\nroles:\n"
    "  - name: device\n    kind: device\n    profiles: [ldevid]\n    client_id: \"{id}\"\n"
    "    attestation: [none, trusted]\n    level: 0\n    payload_max: 10\n"
    "    read: [\"devices/{id}/command\"]\n    write: [\"devices/{id}/data\"]\n";

/* --- the feed ----------------------------------------------------------------------------------
 */

static struct feed_client said; /* of hash[0] == 1 */
static int64_t age_ms;
static unsigned generation, swept;
static struct feed_figures figures;

bool feed_find(struct feed *feed, const uint8_t sha256[KW_HASH_BYTES], struct feed_client *ret)
{
    (void)feed;
    *ret = said;
    return sha256[0] == 1;
}

int64_t feed_age_ms(const struct feed *feed)
{
    (void)feed;
    return age_ms;
}

unsigned feed_generation(const struct feed *feed)
{
    (void)feed;
    return generation;
}

void feed_swept(struct feed *feed, unsigned as_of)
{
    (void)feed;
    swept = as_of;
}

static uint32_t counted_ms;

void feed_kicked(struct feed *feed, uint32_t changed_ms)
{
    (void)feed;
    counted_ms = changed_ms;
}

struct feed_figures *feed_figures(struct feed *feed)
{
    (void)feed;
    return &figures;
}

/* --- the door ----------------------------------------------------------------------------------
 */

static const uint8_t known[KW_HASH_BYTES] = {1}, stranger[KW_HASH_BYTES] = {2};
static const int connection, another;
static struct door *door;
static struct kw_op op;
static char why[256], kicked[64];

static struct policy *policy_of(const char *stale_sessions)
{
    struct policy *policy = NULL;
    char text[1024];

    (void)snprintf(text, sizeof(text), policy_text, stale_sessions);
    assert_ok(policy_parse(&op, kw_span_text(text), &policy));
    return policy;
}

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, NULL, 0);
    said = (struct feed_client){.owner = "device:DEV1",
                                .kind = "device",
                                .profile = "ldevid",
                                .ends_s = KW_TIME_NEVER,
                                .verdict = VERDICT_TRUSTED};
    age_ms = generation = swept = counted_ms = 0;
    memset(&figures, 0, sizeof(figures));
    *kicked = '\0';
    return kw_ok(door_new(&op, (struct feed *)&figures, policy_of("keep"), &door)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    door_free(door);
    return 0;
}

static enum refusal enter(const void *client, const char *client_id, const uint8_t *sha256)
{
    const struct session *session = NULL;

    return door_enter(door, client, client_id, sha256, why, &session);
}

static enum refusal may(enum access access, const char *topic, bool retain, uint32_t octets)
{
    const struct door_request request = {
        .client_id = "DEV1", .topic = topic, .access = access, .retain = retain, .octets = octets};

    return door_may(door, &request, why);
}

static void kick(void *ctx, const char *client_id, const char *reason)
{
    (void)ctx;
    (void)reason;
    (void)snprintf(kicked, sizeof(kicked), "%s", client_id);
    door_leave(door, &connection, client_id, /* keeps= */ true); /* as the broker does within */
}

static void sweep(void)
{
    *kicked = '\0';
    door_sweep(door, kick, NULL);
}

static void comes_in(void)
{
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_NONE);
    sweep();
    assert_string_equal(kicked, "");
}

static void each_reason_to_stay_outside(void **state)
{
    (void)state;
    assert_int_equal(enter(&connection, "DEV1", NULL), REFUSAL_NO_CERTIFICATE);
    assert_int_equal(enter(&connection, "DEV1", stranger), REFUSAL_UNKNOWN);
    assert_int_equal(enter(&connection, "DEV2", known), REFUSAL_CLIENT_ID);
    assert_int_equal(enter(&connection, "", known), REFUSAL_CLIENT_ID);
    said.standing = STANDING_SUSPENDED;
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_STANDING);
    said.standing = STANDING_GOOD;
    said.ends_s = 1;
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_ENDED);
    said.ends_s = KW_TIME_NEVER;
    said.verdict = VERDICT_SUSPECT;
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_ATTESTATION);
    said.verdict = VERDICT_TRUSTED;
    KW_TEXT_SET(said.profile, "idevid");
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_ROLE);
    KW_TEXT_SET(said.profile, "ldevid");
    KW_TEXT_SET(said.owner, "device:+");
    assert_int_equal(enter(&connection, "+", known), REFUSAL_IDENTITY);
    KW_TEXT_SET(said.owner, "device:DEV1");
    age_ms = 60001;
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_STALE);
    age_ms = INT64_MAX;
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_STALE);
    assert_int_equal(door_sessions(door), 0);
    age_ms = 60000;
    comes_in();
    assert_int_equal(atomic_load(&figures.refused[REFUSAL_CLIENT_ID]), 2);
}

static void only_its_own_topics(void **state)
{
    (void)state;
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 1), REFUSAL_UNKNOWN);
    comes_in();
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 10), REFUSAL_NONE);
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 11), REFUSAL_PAYLOAD);
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", true, 1), REFUSAL_RETAIN);
    assert_int_equal(may(ACCESS_WRITE, "devices/+/data", false, 1), REFUSAL_TOPIC);
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV2/data", false, 1), REFUSAL_TOPIC);
    assert_int_equal(may(ACCESS_SUBSCRIBE, "devices/DEV1/command", false, 0), REFUSAL_NONE);
    assert_int_equal(may(ACCESS_SUBSCRIBE, "$share/g/devices/DEV1/command", false, 0),
                     REFUSAL_NONE);
    assert_int_equal(may(ACCESS_SUBSCRIBE, "$share/g/#", false, 0), REFUSAL_TOPIC);
    assert_int_equal(may(ACCESS_READ, "devices/DEV1/data", false, 0), REFUSAL_TOPIC);
}

static void who_falls_is_silent_at_once_and_goes_at_the_sweep(void **state)
{
    (void)state;
    comes_in();
    said.standing = STANDING_REVOKED;
    said.changed_ms = 77;
    generation++;
    for (unsigned i = 0; i < 3; i++) { /* however often it tries */
        assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 1), REFUSAL_STANDING);
    }
    sweep();
    assert_string_equal(kicked, "DEV1");
    assert_int_equal(swept, generation);
    assert_int_equal(door_sessions(door), 0);
    assert_int_equal(atomic_load(&figures.kicks), 1);
    assert_int_equal(counted_ms, 77);
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 1), REFUSAL_UNKNOWN);
}

static void a_verdict_that_falls_ends_a_session(void **state)
{
    (void)state;
    comes_in();
    said.verdict = VERDICT_FAILED;
    generation++;
    sweep();
    assert_string_equal(kicked, "DEV1");
}

/* Time that passed, or another policy, is no change whose delay could be told. */
static void only_what_a_change_brought_about_counts_for_its_delay(void **state)
{
    (void)state;
    said.changed_ms = 77;
    comes_in();
    said.ends_s = 1;
    generation++;
    sweep();
    assert_string_equal(kicked, "DEV1");
    assert_int_equal(counted_ms, 0);
    said.ends_s = KW_TIME_NEVER;
    comes_in();
    said.verdict = VERDICT_SUSPECT;
    door_policy(door, policy_of("keep"));
    sweep();
    assert_string_equal(kicked, "DEV1");
    assert_int_equal(counted_ms, 0);
}

static void the_same_identity_takes_its_session_over(void **state)
{
    (void)state;
    comes_in();
    assert_int_equal(enter(&another, "DEV1", known), REFUSAL_NONE);
    door_leave(door, &connection, "DEV1", /* keeps= */ false); /* the old one ends after */
    assert_int_equal(door_sessions(door), 1);
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 1), REFUSAL_NONE);
}

static void a_silent_server_ends_sessions_only_where_the_policy_says(void **state)
{
    (void)state;
    comes_in();
    age_ms = 60001;
    generation++;
    sweep();
    assert_string_equal(kicked, "");
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 1), REFUSAL_NONE);
    door_policy(door, policy_of("cut"));
    sweep();
    assert_string_equal(kicked, "DEV1");
}

static void asked_again_in_silence_it_stays_where_the_policy_says(void **state)
{
    (void)state;
    comes_in();
    age_ms = 60001; /* and SIGHUP: the broker asks about each session again */
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_NONE);
    assert_int_equal(enter(&another, "DEV1", known), REFUSAL_STALE);
    assert_int_equal(atomic_load(&figures.connects), 1);
    door_policy(door, policy_of("cut"));
    assert_int_equal(enter(&connection, "DEV1", known), REFUSAL_STALE);
}

static void between_two_policies_nothing_passes(void **state)
{
    (void)state;
    comes_in();
    door_policy(door, policy_of("keep"));
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 1), REFUSAL_ROLE);
    sweep();
    assert_string_equal(kicked, "");
    assert_int_equal(may(ACCESS_WRITE, "devices/DEV1/data", false, 1), REFUSAL_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_reason_to_stay_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(only_its_own_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(who_falls_is_silent_at_once_and_goes_at_the_sweep, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_verdict_that_falls_ends_a_session, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_a_change_brought_about_counts_for_its_delay,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_identity_takes_its_session_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_server_ends_sessions_only_where_the_policy_says,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(asked_again_in_silence_it_stays_where_the_policy_says,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(between_two_policies_nothing_passes, setup, teardown),
    };
    return cmocka_run_group_tests_name("mosquitto_door", tests, NULL, NULL);
}
