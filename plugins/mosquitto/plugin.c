/*
 * mosquitto_keywright.so: Mosquitto's plugin interface, version 5, towards the door. Everything
 * here runs on the broker's one thread and must not wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "mosquitto/anchors.h"
#include "mosquitto/door.h"

#define EXPORT __attribute__((visibility("default")))

struct plugin {
    mosquitto_plugin_id_t *id;
    struct feed_config config;
    char policy[KW_PATH_BYTES];
    struct feed *feed;
    struct door *door;
    struct anchors *anchors;
};

/* --- options of mosquitto.conf: plugin_opt_NAME VALUE ------------------------------------------
 */

static const struct {
    const char *name;
    size_t offset, size;
    bool required;
} options[] = {
#define OPTION(name_, member_, required_)                                                          \
    {name_, offsetof(struct plugin, member_), sizeof(((struct plugin *)0)->member_), required_}
    OPTION("gate", config.gate, true),
    OPTION("root", config.root, true),
    OPTION("credential", config.credential, true),
    OPTION("policy", policy, true),
    OPTION("trust", config.trust, false),
    OPTION("metrics", config.metrics, false),
#undef OPTION
};

static kw_status take_option(struct kw_op *op, struct plugin *plugin, const char *key,
                             const char *value)
{
    for (unsigned i = 0; i < KW_COUNT(options); i++) {
        if (strcmp(options[i].name, key) == 0) {
            ENSURE(op, kw_text_copy((char *)plugin + options[i].offset, options[i].size, value),
                   KW_E_INPUT, "plugin_opt_%s is too long", key);
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "plugin_opt_%s: there is no such option", key);
}

static kw_status take_options(struct kw_op *op, struct plugin *plugin,
                              const struct mosquitto_opt *given, int n)
{
    for (int i = 0; i < n; i++) {
        TRY(op, take_option(op, plugin, given[i].key, given[i].value));
    }
    for (unsigned i = 0; i < KW_COUNT(options); i++) {
        ENSURE(op, !options[i].required || ((const char *)plugin)[options[i].offset], KW_E_INPUT,
               "plugin_opt_%s is missing in mosquitto.conf", options[i].name);
    }
    return KW_OK;
}

/* --- what the broker asks --------------------------------------------------------------------- */

static bool fingerprint_of(const struct mosquitto *client, uint8_t ret[KW_HASH_BYTES])
{
    X509 *cert = mosquitto_client_certificate(client);
    unsigned n = 0;
    bool known = cert && X509_digest(cert, EVP_sha256(), ret, &n) == 1 && n == KW_HASH_BYTES;

    X509_free(cert);
    return known;
}

static int on_connect(int event, void *data, void *ctx)
{
    struct mosquitto_evt_basic_auth *asked = data;
    struct plugin *plugin = ctx;
    const char *client_id = mosquitto_client_id(asked->client);
    const struct session *session = NULL;
    uint8_t sha256[KW_HASH_BYTES];
    char why[256] = "";

    (void)event;
    bool known = fingerprint_of(asked->client, sha256);
    enum refusal refusal = door_enter(plugin->door, asked->client, client_id ? client_id : "",
                                      known ? sha256 : NULL, why, &session);
    if (refusal == REFUSAL_NONE &&
        mosquitto_set_username(asked->client, session->owner) == MOSQ_ERR_SUCCESS) {
        return MOSQ_ERR_SUCCESS;
    }
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "keywright: refused client '%s' at %s: %s",
                         client_id ? client_id : "", mosquitto_client_address(asked->client), why);
    return MOSQ_ERR_AUTH;
}

/* Of each kind of access that is asked for. */
static const struct {
    int asked;
    enum access access;
} accesses[] = {
    {MOSQ_ACL_READ,      ACCESS_READ     },
    {MOSQ_ACL_WRITE,     ACCESS_WRITE    },
    {MOSQ_ACL_SUBSCRIBE, ACCESS_SUBSCRIBE},
};

static int on_access(int event, void *data, void *ctx)
{
    struct mosquitto_evt_acl_check *asked = data;
    struct plugin *plugin = ctx;
    char why[256] = "";
    struct door_request request = {
        .client_id = mosquitto_client_id(asked->client),
        .topic = asked->topic,
        .retain = asked->retain,
        .octets = asked->payloadlen,
    };

    (void)event;
    if (asked->access == MOSQ_ACL_UNSUBSCRIBE) {
        return MOSQ_ERR_SUCCESS;
    }
    for (unsigned i = 0; i < KW_COUNT(accesses); i++) {
        if (accesses[i].asked == asked->access) {
            request.access = accesses[i].access;
        }
    }
    if (request.access && request.topic && door_may(plugin->door, &request, why) == REFUSAL_NONE) {
        return MOSQ_ERR_SUCCESS;
    }
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "keywright: client '%s' may not %s '%s': %s",
                         request.client_id ? request.client_id : "",
                         request.access == ACCESS_WRITE ? "publish to" : "read",
                         request.topic ? request.topic : "", why);
    return MOSQ_ERR_ACL_DENIED;
}

static int on_disconnect(int event, void *data, void *ctx)
{
    struct mosquitto_evt_disconnect *gone = data;
    struct plugin *plugin = ctx;
    const char *client_id = mosquitto_client_id(gone->client);

    (void)event;
    if (client_id) {
        /* Kept in any case: its will is judged after this. The sweep lets go of it. */
        door_leave(plugin->door, gone->client, client_id, /* keeps= */ true);
    }
    return MOSQ_ERR_SUCCESS;
}

static void kick(void *ctx, const char *client_id, const char *why)
{
    (void)ctx;
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "keywright: client '%s' has to go: %s", client_id, why);
    (void)mosquitto_kick_client_by_clientid(client_id, /* with_will= */ false); /* gone already */
}

static kw_status put_cas(struct kw_op *op, void *ctx, struct cert *const roots[], unsigned n_roots,
                         struct cert *const cas[], unsigned n_cas)
{
    return anchors_add(op, ctx, roots, n_roots, cas, n_cas);
}

static void follow_cas(struct plugin *plugin)
{
    char why[512];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    if (!kw_ok(feed_hand_cas(&op, plugin->feed, anchors_waits(plugin->anchors), put_cas,
                             plugin->anchors))) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "keywright: CAs wait for a restart: %s",
                             kw_op_message(&op, why, sizeof(why)));
    }
}

static int on_tick(int event, void *data, void *ctx)
{
    struct plugin *plugin = ctx;
    char text[256];

    (void)event;
    (void)data;
    while (feed_note(plugin->feed, text)) {
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "keywright: %s", text);
    }
    follow_cas(plugin);
    door_sweep(plugin->door, kick, plugin);
    return MOSQ_ERR_SUCCESS;
}

/* SIGHUP: the policy and the broker's credential are read again. A broken policy changes nothing.
 */
static int on_reload(int event, void *data, void *ctx)
{
    struct plugin *plugin = ctx;
    struct policy *policy = NULL;
    char why[512];
    struct kw_op op;

    (void)event;
    (void)data;
    kw_op_init(&op, NULL, 0);
    if (kw_ok(policy_load(&op, plugin->policy, &policy))) {
        door_policy(plugin->door, policy);
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "keywright: policy read anew");
    } else {
        mosquitto_log_printf(MOSQ_LOG_ERR, "keywright: the policy stays as it was: %s",
                             kw_op_message(&op, why, sizeof(why)));
    }
    feed_renew(plugin->feed);
    return MOSQ_ERR_SUCCESS;
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct {
    int event;
    MOSQ_FUNC_generic_callback call;
} callbacks[] = {
    {MOSQ_EVT_BASIC_AUTH, on_connect   },
    {MOSQ_EVT_ACL_CHECK,  on_access    },
    {MOSQ_EVT_DISCONNECT, on_disconnect},
    {MOSQ_EVT_TICK,       on_tick      },
    {MOSQ_EVT_RELOAD,     on_reload    },
};

static void plugin_free(struct plugin *plugin)
{
    feed_stop(plugin->feed);
    door_free(plugin->door);
    anchors_free(plugin->anchors);
    free(plugin);
}
KW_OWNED(plugin, struct plugin, plugin_free)

static kw_status start(struct kw_op *op, struct plugin *plugin)
{
    AUTO(policy) *policy = NULL;

    TRY(op, policy_load(op, plugin->policy, &policy));
    TRY(op, anchors_new(op, &plugin->anchors));
    TRY(op, feed_start(op, &plugin->config, policy->stale_s, &plugin->feed));
    TRY(op, door_new(op, plugin->feed, policy, &plugin->door));
    (void)TAKE(policy); /* the door's now */
    for (unsigned i = 0; i < KW_COUNT(callbacks); i++) {
        ENSURE(op,
               mosquitto_callback_register(plugin->id, callbacks[i].event, callbacks[i].call, NULL,
                                           plugin) == MOSQ_ERR_SUCCESS,
               KW_E_UNSUPPORTED, "the broker does not offer event %d", callbacks[i].event);
    }
    return KW_OK;
}

EXPORT int mosquitto_plugin_version(int n, const int *versions)
{
    for (int i = 0; i < n; i++) {
        if (versions[i] == MOSQ_PLUGIN_VERSION) {
            return MOSQ_PLUGIN_VERSION;
        }
    }
    return -1;
}

EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **ctx, struct mosquitto_opt *given,
                                 int n)
{
    AUTO(plugin) *plugin = calloc(1, sizeof(*plugin));
    char why[1024];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    if (!plugin) {
        return MOSQ_ERR_NOMEM;
    }
    plugin->id = id;
    kw_status status = take_options(&op, plugin, given, n);
    if (kw_ok(status)) {
        status = start(&op, plugin);
    }
    if (!kw_ok(status)) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "keywright: %s", kw_op_message(&op, why, sizeof(why)));
        return MOSQ_ERR_INVAL;
    }
    *ctx = TAKE(plugin);
    return MOSQ_ERR_SUCCESS;
}

EXPORT int mosquitto_plugin_cleanup(void *ctx, struct mosquitto_opt *given, int n)
{
    struct plugin *plugin = ctx;

    (void)given;
    (void)n;
    for (unsigned i = 0; plugin && i < KW_COUNT(callbacks); i++) {
        (void)mosquitto_callback_unregister(plugin->id, callbacks[i].event, callbacks[i].call,
                                            NULL); /* the broker ends anyway */
    }
    if (plugin) {
        plugin_free(plugin);
    }
    return MOSQ_ERR_SUCCESS;
}
