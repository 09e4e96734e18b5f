/* Configuration, profiles and the texts of events. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "os/files.h"
#include "rig.h"
#include "service/event_text.h"
#include "service/profiles.h"

struct folder {
    char dir[64];
};

static int folder_setup(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    assert_non_null(folder);
    (void)snprintf(folder->dir, sizeof(folder->dir), "/tmp/kw-service-XXXXXX");
    assert_non_null(mkdtemp(folder->dir));
    *state = folder;
    return 0;
}

static int folder_teardown(void **state)
{
    const char *const argv[] = {"/bin/rm", "-rf", ((struct folder *)*state)->dir, NULL};

    (void)rig_run(argv);
    free(*state);
    return 0;
}

static void put(struct folder *folder, const char *name, const char *text)
{
    char path[256];
    TEST_OP(op);

    (void)snprintf(path, sizeof(path), "%s/%s", folder->dir, name);
    assert_ok(&op, os_file_write(&op, path, 0644, kw_span_text(text)));
}

/* --- configuration ---------------------------------------------------------------------------- */

static void config_round_trip(void **state)
{
    struct folder *folder = *state;
    struct config config, loaded;
    TEST_OP(op);

    config_defaults(&config);
    KW_TEXT_SET(config.state_dir, folder->dir);
    KW_TEXT_SET(config.organization, "Ünit & Söhne: #1");
    KW_TEXT_SET(config.unlock, "passphrase-file:x y");
    KW_TEXT_SET(config.user, "keywright");
    config.devices.port = 0;
    config.crl_hours = 7;
    config.ocsp_minutes = 8;
    config.checkpoint_ms = 99;
    config.pool_threads = 3;
    config.loop_threads = 2;
    config.connections_max = 77;
    assert_ok(&op, config_save(&op, &config));
    assert_ok(&op, config_load(&op, folder->dir, &loaded));
    assert_string_equal(loaded.organization, config.organization);
    assert_string_equal(loaded.unlock, config.unlock);
    assert_string_equal(loaded.user, config.user);
    assert_string_equal(loaded.public_url, config.public_url);
    assert_string_equal(loaded.relying.address, config.relying.address);
    assert_int_equal(loaded.devices.port, 0);
    assert_int_equal(loaded.relying.port, config.relying.port);
    assert_int_equal(loaded.n_cas, 2);
    assert_string_equal(loaded.cas[1], "services");
    assert_memory_equal(&loaded.crl_hours, &config.crl_hours,
                        sizeof(config) - offsetof(struct config, crl_hours));
}

static void config_absent(void **state)
{
    struct config config;
    TEST_OP(op);

    assert_int_equal(config_load(&op, ((struct folder *)*state)->dir, &config).code,
                     KW_E_NOT_FOUND);
    assert_non_null(strstr(kw_op_cause(&op), "keywright init"));
}

static void config_refuses_text(void **state)
{
    static const char *const bad[] = {
        "",
        "organization: x\n",
        "[1, 2]\n",
        "organization: [x\n",
        "organization: x\nserver_name: y\nlog_origin: z\npublic_url: u\nunlock: p\ncas: [d]\n"
        "devices: {address: a, port: 65536}\noperators: {address: a, port: 1}\n"
        "relying: {address: a, port: 1}\n",
        "organization: x\nserver_name: y\nlog_origin: z\npublic_url: u\nunlock: p\ncas: [d]\n"
        "devices: {address: a, port: 1}\noperators: {address: a, port: 1}\n"
        "relying: {address: a, port: 1}\nunknown_field: 1\n",
        "organization: x\nserver_name: y\nlog_origin: z\npublic_url: u\nunlock: p\ncas: [d]\n"
        "devices: {address: a, port: 1}\noperators: {address: a, port: 1}\n"
        "relying: {address: a, port: 1}\ncrl_hours: 0\n",
    };
    struct config config;
    TEST_OP(op);

    for (unsigned i = 0; i < KW_COUNT(bad); i++) {
        put(*state, "keywright.yaml", bad[i]);
        assert_code(&op, config_load(&op, ((struct folder *)*state)->dir, &config), KW_E_INPUT);
    }
}

/* What would be read back as something else is not written. */
static void config_refuses_to_save(void **state)
{
    struct folder *folder = *state;
    struct config good, config;
    char *const places[] = {config.organization,    config.server_name,
                            config.log_origin,      config.public_url,
                            config.unlock,          config.user,
                            config.devices.address, config.operators.address,
                            config.relying.address, config.cas[1]};
    static const char *const bad[] = {"a\"b", "a\\b", "a\nb", "a\rb", "a\tb", "a\x01 b", "a\x7f"};
    TEST_OP(op);

    config_defaults(&good);
    KW_TEXT_SET(good.state_dir, folder->dir);
    for (unsigned i = 0; i < KW_COUNT(places); i++) {
        for (unsigned k = 0; k < KW_COUNT(bad); k++) {
            config = good;
            (void)snprintf(places[i], 16, "%s", bad[k]);
            assert_code(&op, config_save(&op, &config), KW_E_INPUT);
        }
    }
}

/* --- profiles --------------------------------------------------------------------------------- */

static void shipped_profiles(void **state)
{
    static struct bound_profile profiles[SERVICE_PROFILES_MAX];
    char dir[512];
    unsigned n = 0;
    TEST_OP(op);

    (void)state;
    assert_ok(&op,
              profiles_load(&op, rig_source("profiles", dir), profiles, SERVICE_PROFILES_MAX, &n));
    assert_int_equal(n, 13);
    for (unsigned i = 0; i < n; i++) {
        struct policy_rule rule;
        assert_ok(&op, profile_rule(&profiles[i].data, KW_SPAN("", 0), &rule));
        assert_string_equal(rule.name, profiles[i].data.name);
        assert_true(*profiles[i].data.doc);
    }
}

#define GOOD                                                                                       \
    "name: p\nca: devices\nsubject: device\nenrol: secret\nkey_class: device-idevid\n"             \
    "key_algs: [ec-p256]\nkey_usage: [digitalSignature]\nprotocols: [est]\ncrl_url: true\n"

static void profile_refusals(void **state)
{
    static const char *const bad[] = {
        GOOD, /* no validity */
        GOOD "validity_hours: 1\nsurprise: 1\n",
        "name: p\nca: devices\nsubject: device\nenrol: secret\nkey_class: unheard\n"
        "key_algs: [ec-p256]\nkey_usage: [digitalSignature]\nvalidity_hours: 1\n",
        "name: p\nca: devices\nsubject: devise\nenrol: secret\nkey_class: device-idevid\n"
        "key_algs: [ec-p256]\nkey_usage: [digitalSignature]\nvalidity_hours: 1\n",
        "name: p\nca: devices\nsubject: device\nenrol: secrt\nkey_class: device-idevid\n"
        "key_algs: [ec-p256]\nkey_usage: [digitalSignature]\nvalidity_hours: 1\n",
        "name: p\nca: devices\nsubject: device\nenrol: secret\nkey_class: device-idevid\n"
        "key_algs: [ec-p999]\nkey_usage: [digitalSignature]\nvalidity_hours: 1\n",
        "name: p\nca: devices\nsubject: device\nenrol: secret\nkey_class: device-idevid\n"
        "key_algs: [ec-p256]\nkey_usage: [digital]\nvalidity_hours: 1\n",
    };
    static struct bound_profile profiles[SERVICE_PROFILES_MAX];
    struct folder *folder = *state;
    unsigned n = 0;
    TEST_OP(op);

    assert_code(&op, profiles_load(&op, folder->dir, profiles, SERVICE_PROFILES_MAX, &n),
                KW_E_NOT_FOUND);
    put(folder, "p.yaml", GOOD "validity_hours: 1\n");
    assert_ok(&op, profiles_load(&op, folder->dir, profiles, SERVICE_PROFILES_MAX, &n));
    for (unsigned i = 0; i < KW_COUNT(bad); i++) {
        put(folder, "p.yaml", bad[i]);
        memset(profiles, 0, sizeof(profiles));
        kw_status status = profiles_load(&op, folder->dir, profiles, SERVICE_PROFILES_MAX, &n);
        if (status.code != KW_E_INPUT) {
            fail_msg("profile %u: %s", i, kw_code_text(status.code));
        }
        kw_op_clear(&op);
    }
}

/* Which of two would be meant? */
static void profile_twice(void **state)
{
    static struct bound_profile profiles[SERVICE_PROFILES_MAX];
    struct folder *folder = *state;
    unsigned n = 0;
    TEST_OP(op);

    put(folder, "a.yaml", GOOD "validity_hours: 1\n");
    put(folder, "b.yaml", GOOD "validity_hours: 2\n");
    assert_code(&op, profiles_load(&op, folder->dir, profiles, SERVICE_PROFILES_MAX, &n),
                KW_E_INPUT);
    assert_code(&op, profiles_load(&op, folder->dir, profiles, 1, &n), KW_E_LIMIT);
}

/* --- events ----------------------------------------------------------------------------------- */

static void encode(const struct event *event, char *text, size_t cap)
{
    AUTO(kw_bytes) *entry = NULL;
    TEST_OP(op);

    assert_ok(&op, kw_bytes_new(64, &entry));
    assert_ok(&op, event_encode(&op, event, entry));
    assert_true(entry->len < cap);
    memcpy(text, entry->p, entry->len);
    text[entry->len] = 0;
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!strstr((text), (part))) {                                                             \
            fail_msg("no '%s' in '%s'", (part), (text));                                           \
        }                                                                                          \
    } while (0)

static void event_fields(void **state)
{
    struct event event = {.type = EVENT_CERT_ISSUE,
                          .unix_ms = 1700000000123,
                          .source = "keywrightd",
                          .actor = "device:D1",
                          .object = "cert:x",
                          .request_id = "abc",
                          .result = "success",
                          .detail = "for \"people\""};
    char text[2048], again[2048];

    (void)state;
    encode(&event, text, sizeof(text));
    encode(&event, again, sizeof(again));
    assert_string_not_equal(text, again); /* each has its own id */
    assert_has(text, "\"time\":\"2023-11-14T22:13:20.123Z\"");
    assert_has(text, "\"source\":\"keywrightd\"");
    assert_has(text, "\"category\":\"certificate\"");
    assert_has(text, "\"type\":\"cert.issue\"");
    assert_has(text, "\"actor\":\"device:D1\"");
    assert_has(text, "\"object\":\"cert:x\"");
    assert_has(text, "\"result\":\"success\"");
    assert_has(text, "\"request_id\":\"abc\"");
    assert_has(text, "for \\\"people\\\"");
    assert_null(strchr(text, '\n'));
}

/* Cut in a character, control characters, octets that are no UTF-8: recorded, one line, valid. */
static void event_any_octets(void **state)
{
    struct event event = {.type = EVENT_ACCESS_REFUSE, .source = "s", .actor = "a", .result = "r"};
    char text[4096];

    (void)state;
    memset(event.detail, 'x', sizeof(event.detail) - 1);
    memcpy(event.detail + sizeof(event.detail) - 3, "\xe2\x82", 2);
    KW_TEXT_SET(event.object, "a\nb\x01\xff\xc3z\x7f");
    encode(&event, text, sizeof(text));
    assert_has(text, "\"object\":\"a?b???z?\"");
    assert_has(text, "xxx??\"");
    for (struct kw_span rest = kw_span_text(text); rest.len > 0;) {
        unsigned len = kw_utf8_next(rest);
        assert_true(len > 0 && !kw_utf8_is_control(rest.p, len));
        rest = kw_span_sub(rest, len, rest.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(config_round_trip, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(config_absent, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(config_refuses_text, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(config_refuses_to_save, folder_setup, folder_teardown),
        cmocka_unit_test(shipped_profiles),
        cmocka_unit_test_setup_teardown(profile_refusals, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(profile_twice, folder_setup, folder_teardown),
        cmocka_unit_test(event_fields),
        cmocka_unit_test(event_any_octets),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
