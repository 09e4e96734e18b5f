/* The feed against a server that says what the test says, the truth or not. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/check.h"
#include "../net/rig.h"
#include "base/pem.h"
#include "base/secret.h"
#include "mosquitto/feed.h"
#include "os/clock.h"
#include "os/files.h"

enum { WAIT_MS = 20000, TEXT_MAX = 1 << 17, REQUEST_MAX = 4096, IDLE_US = 20000 };

#define TRUST "\"trust\":\"2222222222222222222222222222222222222222222222222222222222222222\""
#define HASH_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define HASH_2 "3333333333333333333333333333333333333333333333333333333333333333"
#define ITEM(hash, owner, state)                                                                   \
    "{\"sha256\":\"" hash "\",\"owner\":\"" owner "\",\"profile\":\"ldevid\",\"state\":\"" state   \
    "\",\"ends\":4000000000}"
#define VIEW(log, cursor, more, items)                                                             \
    "{\"log\":\"" log "\"," TRUST ",\"cursor\":" cursor more ",\"items\":[" items "]}"

static const uint8_t hash_1[KW_HASH_BYTES] = {
    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};

/* --- the server --------------------------------------------------------------------------------
 */

static struct {
    int fd;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t mutex;      /* guards the following */
    char snapshot[2][TEXT_MAX]; /* the second: where the query has after=5 */
    char changes[TEXT_MAX];     /* said once; "" = nothing new */
    int status;                 /* of everything; 0 = 200 */
    char cursor[16], log[16];   /* of "nothing new" */
    char last_since[32], last_enforced[32];
    char trust[TEXT_MAX];
    unsigned n_snapshots, n_changes;
} server;

static void answer_text(const char *request, char text[TEXT_MAX])
{
    const char *since = strstr(request, "since="), *enforced = strstr(request, "enforced=");

    *text = '\0';
    if (strstr(request, "/broker/v1/trust")) {
        (void)snprintf(text, TEXT_MAX, "%s", server.trust);
    } else if (strstr(request, "/broker/v1/snapshot")) {
        server.n_snapshots++;
        (void)snprintf(text, TEXT_MAX, "%s", server.snapshot[strstr(request, "after=5") != NULL]);
    } else if (since) {
        server.n_changes++;
        (void)snprintf(server.last_since, sizeof(server.last_since), "%.*s",
                       (int)strspn(since + 6, "0123456789"), since + 6);
        (void)snprintf(server.last_enforced, sizeof(server.last_enforced), "%.*s",
                       enforced ? (int)strspn(enforced + 9, "0123456789") : 0,
                       enforced ? enforced + 9 : "");
        (void)snprintf(text, TEXT_MAX, "%s", server.changes);
        *server.changes = '\0';
        if (!*text) {
            (void)snprintf(text, TEXT_MAX, "{\"log\":\"%s\"," TRUST ",\"cursor\":%s,\"items\":[]}",
                           server.log, server.cursor);
        }
    }
}

static void serve_one(int fd, const char *request)
{
    char text[TEXT_MAX], answer[TEXT_MAX + 256];

    (void)usleep(IDLE_US); /* as a long poll, but shorter */
    (void)pthread_mutex_lock(&server.mutex);
    answer_text(request, text);
    int status = server.status ? server.status : 200;
    (void)pthread_mutex_unlock(&server.mutex);
    (void)snprintf(
        answer, sizeof(answer),
        "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
        strlen(text), text);
    raw_send(fd, answer);
}

static void *serve(void *arg)
{
    char request[REQUEST_MAX];

    (void)arg;
    for (int fd; (fd = accept(server.fd, NULL, NULL)) >= 0;) {
        while (raw_read(fd, request, sizeof(request), "\r\n\r\n") > 0) {
            serve_one(fd, request);
        }
        (void)close(fd);
    }
    return NULL;
}

static void server_start(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);

    memset(&server, 0, sizeof(server));
    (void)pthread_mutex_init(&server.mutex, NULL);
    KW_TEXT_SET(server.log, "one");
    KW_TEXT_SET(server.cursor, "7");
    KW_TEXT_SET(server.snapshot[0], VIEW("one", "7", "", ITEM(HASH_1, "device:DEV1", "good")));
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(server.fd, 8), 0);
    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&at, &len), 0);
    server.port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

/* Once; from then on the cursor is: */
static void say_changes(const char *text, const char *cursor)
{
    (void)pthread_mutex_lock(&server.mutex);
    KW_TEXT_SET(server.cursor, cursor);
    (void)snprintf(server.changes, sizeof(server.changes), "%s", text);
    (void)pthread_mutex_unlock(&server.mutex);
}

static void say_status(int status)
{
    (void)pthread_mutex_lock(&server.mutex);
    server.status = status;
    (void)pthread_mutex_unlock(&server.mutex);
}

static void say_snapshot(unsigned page, const char *text)
{
    (void)pthread_mutex_lock(&server.mutex);
    (void)snprintf(server.snapshot[page], sizeof(server.snapshot[page]), "%s", text);
    (void)pthread_mutex_unlock(&server.mutex);
}

static bool last_is(const char *last, const char *text)
{
    (void)pthread_mutex_lock(&server.mutex);
    bool is = strcmp(last, text) == 0;
    (void)pthread_mutex_unlock(&server.mutex);
    return is;
}

static unsigned count_of(const unsigned *n)
{
    (void)pthread_mutex_lock(&server.mutex);
    unsigned now = *n;
    (void)pthread_mutex_unlock(&server.mutex);
    return now;
}

/* --- the feed ----------------------------------------------------------------------------------
 */

static char dir[] = "/tmp/kw-feed-XXXXXX";
static struct feed_config config;
static struct feed *feed;
static struct kw_op op;

static void put_files(void)
{
    const struct pki *pki = rig_pki();
    AUTO(kw_bytes) *root = NULL;
    AUTO(kw_bytes) *own = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;

    assert_ok(kw_bytes_new(2048, &root));
    assert_ok(kw_bytes_new(8192, &own));
    assert_ok(kw_pem_encode("CERTIFICATE", cert_der(pki->root), root));
    assert_ok(kw_pem_encode("CERTIFICATE", cert_der(pki->leaf[WHO_DEVICE]), own));
    assert_ok(privkey_to_pkcs8(&op, pki->key[WHO_DEVICE], &pkcs8));
    assert_ok(kw_pem_encode("PRIVATE KEY", kw_secret_span(pkcs8), own));
    (void)snprintf(config.root, sizeof(config.root), "%s/root.pem", dir);
    (void)snprintf(config.credential, sizeof(config.credential), "%s/feed.pem", dir);
    assert_ok(os_file_write(&op, config.root, 0644, kw_bytes_span(root)));
    assert_ok(os_file_write(&op, config.credential, 0600, kw_bytes_span(own)));
}

static int group_setup(void **state)
{
    (void)state;
    kw_op_init(&op, NULL, 0);
    assert_non_null(mkdtemp(dir));
    put_files();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return kw_ok(os_tree_remove(&op, dir)) ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, NULL, 0);
    server_start();
    *config.trust = '\0';
    (void)snprintf(config.gate, sizeof(config.gate), "http://127.0.0.1:%u", server.port);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    feed_stop(feed);
    feed = NULL;
    (void)shutdown(server.fd, SHUT_RDWR);
    (void)pthread_join(server.thread, NULL);
    (void)close(server.fd);
    return 0;
}

static bool is_good(void)
{
    struct feed_client client;

    return feed_find(feed, hash_1, &client) && client.standing == STANDING_GOOD;
}

static bool is_revoked(void)
{
    struct feed_client client;

    return feed_find(feed, hash_1, &client) && client.standing == STANDING_REVOKED;
}

static bool is_fresh(void)
{
    return feed_age_ms(feed) < 60000;
}

/* The broker's thread meanwhile, where it sweeps. */
static void wait_until(bool (*condition)(void), bool sweeps)
{
    int64_t until_ms = os_clock_mono_ms() + WAIT_MS;

    while (!condition()) {
        assert_true(os_clock_mono_ms() < until_ms);
        if (sweeps) {
            feed_swept(feed, feed_generation(feed));
        }
        (void)usleep(2000);
    }
}

static char wanted_note[64];

static bool is_noted(void)
{
    char text[256];

    while (feed_note(feed, text)) {
        if (strstr(text, wanted_note)) {
            return true;
        }
    }
    return false;
}

static void wait_note(const char *text)
{
    (void)snprintf(wanted_note, sizeof(wanted_note), "%s", text);
    wait_until(is_noted, /* sweeps= */ true);
}

static void start(void)
{
    assert_ok(feed_start(&op, &config, 60, &feed));
}

static void starts_well(void)
{
    start();
    wait_note("certificates may connect");
    assert_true(is_good() && is_fresh());
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void a_snapshot_says_who_may_come(void **state)
{
    struct feed_client client;

    (void)state;
    start();
    wait_note("1 certificates may connect (log index 7)");
    assert_true(feed_find(feed, hash_1, &client));
    assert_string_equal(client.owner, "device:DEV1");
    assert_string_equal(client.profile, "ldevid");
}

static bool since_9(void)
{
    return last_is(server.last_since, "9");
}

static bool enforced_9(void)
{
    return last_is(server.last_enforced, "9");
}

static void what_changed_is_acknowledged_after_the_sweep_only(void **state)
{
    (void)state;
    starts_well();
    unsigned before = feed_generation(feed);
    feed_swept(feed, before);
    say_changes(VIEW("one", "9", "", ITEM(HASH_1, "device:DEV1", "revoked")), "9");
    wait_until(is_revoked, /* sweeps= */ false);
    wait_until(since_9, /* sweeps= */ false); /* what follows is taken meanwhile */
    (void)usleep(10 * IDLE_US);
    assert_int_not_equal(feed_generation(feed), before);
    assert_true(last_is(server.last_enforced, "7"));
    wait_until(enforced_9, /* sweeps= */ true);
}

#define AGED(hash, age)                                                                            \
    "{\"sha256\":\"" hash "\",\"owner\":\"device:DEV1\",\"profile\":\"ldevid\","                   \
    "\"state\":\"revoked\",\"ends\":4000000000,\"age_ms\":" age "}"

static bool metrics_tell(const char *text)
{
    AUTO(kw_bytes) *all = NULL;

    return os_file_exists(config.metrics) &&
           kw_ok(os_file_read(&op, config.metrics, TEXT_MAX, &all)) &&
           kw_ok(kw_bytes_append(all, KW_SPAN("", 1))) && strstr((char *)all->p, text);
}

static bool delay_is_told(void)
{
    return metrics_tell("keywright_mqtt_kick_seconds_bucket{le=\"10\"} 1\n") &&
           metrics_tell("keywright_mqtt_kick_seconds_bucket{le=\"2.5\"} 0\n") &&
           metrics_tell("keywright_mqtt_kick_seconds_count 1\n");
}

/* By the server's word how long ago the change was, not by anybody's clock. */
static void the_delay_of_a_kick_counts_from_the_change(void **state)
{
    struct feed_client client;

    (void)state;
    (void)snprintf(config.metrics, sizeof(config.metrics), "%s/metrics", dir);
    starts_well();
    say_changes(VIEW("one", "9", "", AGED(HASH_1, "3000")), "9");
    wait_until(is_revoked, /* sweeps= */ true);
    assert_true(feed_find(feed, hash_1, &client));
    uint32_t ago_ms = (uint32_t)os_clock_mono_ms() - client.changed_ms;
    assert_in_range(ago_ms, 3000, 3000 + WAIT_MS);
    feed_kicked(feed, (uint32_t)os_clock_mono_ms() - 3000);
    wait_until(delay_is_told, /* sweeps= */ true);
    *config.metrics = '\0';
}

static void a_snapshot_in_pages_is_taken_whole(void **state)
{
    (void)state;
    say_snapshot(0, VIEW("one", "7", ",\"after\":5", ITEM(HASH_2, "device:DEV2", "good")));
    say_snapshot(1, VIEW("one", "8", "", ITEM(HASH_1, "device:DEV1", "good")));
    start();
    wait_note("2 certificates may connect (log index 7)");
}

static void nobody_comes_in_by_a_snapshot_that_is_not_whole(void **state)
{
    static const char *const wrong[] = {
        VIEW("one", "7", ",\"after\":5", ITEM(HASH_1, "device:DEV1", "good")), /* the same again */
        VIEW("one", "7", "", ITEM(HASH_1, "DEV1", "good")),
        VIEW("one", "7", "", ITEM("11", "device:DEV1", "good")),
        VIEW("one", "7", "",
             ITEM(HASH_1, "device:DEV1", "good") "," ITEM(HASH_1, "user:x", "good")),
        "{",
        "",
    };

    (void)state;
    say_snapshot(1, wrong[0]);
    for (size_t i = 0; i < KW_COUNT(wrong); i++) {
        say_snapshot(0, wrong[i]);
        start();
        wait_note("the feed fails");
        assert_false(is_good());
        assert_true(feed_age_ms(feed) == INT64_MAX);
        feed_stop(feed);
        feed = NULL;
    }
}

static bool asked_for_another_snapshot(void)
{
    return count_of(&server.n_snapshots) >= 2;
}

static void another_log_is_taken_from_its_beginning(void **state)
{
    (void)state;
    starts_well();
    say_snapshot(0, VIEW("two", "1", "", ITEM(HASH_2, "device:DEV2", "good")));
    say_changes(VIEW("two", "9", "", ""), "9");
    wait_until(asked_for_another_snapshot, /* sweeps= */ true);
    wait_note("1 certificates may connect (log index 1)");
    assert_false(is_good());
}

static void a_log_that_shrank_is_taken_from_its_beginning(void **state)
{
    (void)state;
    starts_well();
    say_changes(VIEW("one", "6", "", ""), "7");
    wait_until(asked_for_another_snapshot, /* sweeps= */ true);
}

/* Changes that cannot be put are not known: the server counts as silent until they are. */
static void changes_that_make_no_sense_leave_the_word_old(void **state)
{
    (void)state;
    starts_well();
    say_snapshot(0, "{");
    say_changes(VIEW("one", "9", "", ITEM(HASH_1, "device:DEV9", "revoked")), "9");
    wait_note("the feed fails");
    int64_t age_ms = feed_age_ms(feed);
    wait_until(asked_for_another_snapshot, /* sweeps= */ true);
    assert_true(feed_age_ms(feed) > age_ms);
    say_snapshot(0, VIEW("one", "9", "", ITEM(HASH_1, "device:DEV9", "revoked")));
    wait_note("the feed is there again");
    assert_false(is_good());
}

static void a_busy_server_is_asked_again_where_it_was(void **state)
{
    (void)state;
    starts_well();
    say_status(503);
    wait_note("the feed fails");
    assert_true(is_good());
    say_status(0);
    wait_note("the feed is there again");
    assert_int_equal(count_of(&server.n_snapshots), 1);
}

static void a_cursor_that_is_gone_begins_anew(void **state)
{
    (void)state;
    starts_well();
    say_status(409);
    wait_note("the feed fails");
    say_status(0);
    wait_until(asked_for_another_snapshot, /* sweeps= */ true);
}

/* n: as many as the first one stands there for. */
static void say_trust_of(const struct cert *first, unsigned n, const struct cert *second)
{
    AUTO(kw_bytes) *pem = NULL;

    assert_ok(kw_bytes_new(TEXT_MAX, &pem));
    for (unsigned i = 0; i < n; i++) {
        assert_ok(kw_pem_encode("CERTIFICATE", cert_der(first), pem));
    }
    assert_ok(kw_pem_encode("CERTIFICATE", cert_der(second), pem));
    (void)pthread_mutex_lock(&server.mutex);
    (void)snprintf(server.trust, sizeof(server.trust), "%.*s", (int)pem->len, (char *)pem->p);
    (void)pthread_mutex_unlock(&server.mutex);
}

static void say_trust(const struct cert *first, const struct cert *second)
{
    say_trust_of(first, 1, second);
}

static kw_status count_file(struct kw_op *its, const char *name, void *ctx)
{
    (void)its;
    (void)name;
    ++*(unsigned *)ctx;
    return KW_OK;
}

static void only_cas_that_lead_to_our_root_are_kept(void **state)
{
    const struct pki *pki = rig_pki();
    unsigned n = 0;

    (void)state;
    (void)snprintf(config.trust, sizeof(config.trust), "%s/trust", dir);
    assert_ok(os_dir_make(&op, config.trust, 0700));
    say_trust(pki->other_root, pki->ca);
    starts_well();
    assert_ok(os_dir_each(&op, config.trust, ".0", count_file, &n));
    assert_int_equal(n, 1);
}

/* A server with every trade's CAs, each of which has another key by now, and several roots. */
static void as_many_cas_as_a_server_may_have_are_taken(void **state)
{
    const struct pki *pki = rig_pki();
    unsigned n = 0;

    (void)state;
    (void)snprintf(config.trust, sizeof(config.trust), "%s/many", dir);
    assert_ok(os_dir_make(&op, config.trust, 0700));
    say_trust_of(pki->other_root, 79, pki->ca);
    starts_well();
    assert_ok(os_dir_each(&op, config.trust, ".0", count_file, &n));
    assert_int_equal(n, 1);
}

/* The CAs' folder cannot be written: revocations go on all the same. */
static void a_full_disk_stops_no_revocation(void **state)
{
    const struct pki *pki = rig_pki();

    (void)state;
    (void)snprintf(config.trust, sizeof(config.trust), "%s/absent", dir);
    say_trust(pki->root, pki->ca);
    start();
    wait_note("new CAs are not kept");
    wait_until(is_good, /* sweeps= */ true);
    say_changes(VIEW("one", "9", "", ITEM(HASH_1, "device:DEV1", "revoked")), "9");
    wait_until(is_revoked, /* sweeps= */ true);
}

static void it_ends_while_nobody_sweeps(void **state)
{
    (void)state;
    start();
    wait_until(is_good, /* sweeps= */ false);
    assert_int_equal(count_of(&server.n_changes), 0); /* it waits for the broker's first look */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_says_who_may_come, setup, teardown),
        cmocka_unit_test_setup_teardown(what_changed_is_acknowledged_after_the_sweep_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_delay_of_a_kick_counts_from_the_change, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_in_pages_is_taken_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_comes_in_by_a_snapshot_that_is_not_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_log_is_taken_from_its_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_shrank_is_taken_from_its_beginning, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(changes_that_make_no_sense_leave_the_word_old, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_busy_server_is_asked_again_where_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cursor_that_is_gone_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(only_cas_that_lead_to_our_root_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_cas_as_a_server_may_have_are_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_stops_no_revocation, setup, teardown),
        cmocka_unit_test_setup_teardown(it_ends_while_nobody_sweeps, setup, teardown),
    };
    return cmocka_run_group_tests_name("mosquitto_feed", tests, group_setup, group_teardown);
}
