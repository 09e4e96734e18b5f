/* broker config, broker renew: a folder that Mosquitto starts from as it is. docs/MQTT.md */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/pem.h"
#include "base/secret.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "crypto/csr.h"
#include "crypto/dn.h"
#include "os/files.h"

enum { PORT_DEFAULT = 8883, CONF_MAX = 8192, ROOTS_MAX = 65536 };

struct broker {
    struct cli *cli;
    char dir[KW_PATH_BYTES]; /* absolute: mosquitto changes its folder */
    char name[KW_NAME_MAX], gate[256], plugin[KW_PATH_BYTES], user[32];
    unsigned port;
    bool chown_it;
    uid_t uid;
    gid_t gid;
};

static const char policy_text[] =
    "# Who may do what on this broker; read again on SIGHUP. docs/MQTT.md\n"
    "# After so many seconds without the server's word nobody new comes in ...\n"
    "stale_s: 60\n"
    "# ... and who is there stays (keep) or goes (cut).\n"
    "stale_sessions: keep\n"
    "roles:\n"
    "  - name: device\n"
    "    kind: device\n"
    "    profiles: [ldevid]\n"
    "    client_id: \"{id}\"\n"
    "    # Verdicts of attestation that are let in; [trusted] where all devices attest.\n"
    "    attestation: [none, trusted, suspect]\n"
    "    read: [\"devices/{id}/command\"]\n"
    "    write: [\"devices/{id}/data\", \"devices/{id}/receipt\"]\n"
    "  - name: cloud\n"
    "    kind: service\n"
    "    profiles: [tls-client]\n"
    "    client_id: \"{id}\"\n"
    "    attestation: [none]\n"
    "    read: [\"devices/+/data\", \"devices/+/receipt\"]\n"
    "    write: [\"devices/+/command\"]\n";

/* --- files ------------------------------------------------------------------------------------ */

static kw_status give(struct kw_op *op, const struct broker *it, const char *path)
{
    ENSURE(op, !it->chown_it || lchown(path, it->uid, it->gid) == 0, KW_E_IO,
           "giving %s to user %s", path, it->user);
    return KW_OK;
}

static kw_status put(struct kw_op *op, const struct broker *it, const char *name, mode_t mode,
                     struct kw_span content)
{
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), it->dir, name));
    TRY(op, os_file_write(op, path, mode, content));
    return give(op, it, path);
}

/* --- keys and certificates ---------------------------------------------------------------------
 */

static kw_status make_request(struct kw_op *op, const char *name, const struct privkey *key,
                              struct kw_bytes *pem)
{
    const struct dn_part part = {"CN", name};
    uint8_t room[KW_DN_MAX];
    struct kw_out subject = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *der = NULL;

    TRY(op, dn_build(op, &part, 1, &subject));
    TRY(op, csr_build(op, kw_out_span(&subject), key, &der));
    return kw_pem_encode("CERTIFICATE REQUEST", kw_bytes_span(der), pem);
}

/* The certificate with its CAs, then the key: one file, so that both change together. */
static kw_status put_credential(struct kw_op *op, struct broker *it, const char *file,
                                const char *fingerprint, const struct privkey *key)
{
    char path[256];
    AUTO(kw_bytes) *chain = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;
    AUTO(kw_bytes) *all = NULL;

    (void)snprintf(path, sizeof(path), "/api/v1/certs/%.64s/download?format=pem&chain=1",
                   fingerprint);
    TRY(op, cli_get(op, it->cli, path, &chain));
    TRY(op, privkey_to_pkcs8(op, key, &pkcs8));
    TRY(op, kw_bytes_new(16384, &all)); /* never grows: no stray copy of the key */
    TRY(op, kw_bytes_append(all, kw_bytes_span(chain)));
    kw_status status = kw_pem_encode("PRIVATE KEY", kw_secret_span(pkcs8), all);
    if (kw_ok(status)) {
        status = put(op, it, file, 0600, kw_bytes_span(all));
    }
    kw_wipe(all->p, all->cap);
    return status;
}

static kw_status make_credential(struct kw_op *op, struct broker *it, const char *profile,
                                 const char *san, const char *file)
{
    struct issued_view issued = {0};
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *csr = NULL;

    TRY(op, privkey_generate(op, KEY_ALG_EC_P256, &key));
    TRY(op, kw_bytes_new(2048, &csr));
    TRY(op, make_request(op, it->name, key, csr));
    TRY(op, cli_issue(op, it->cli, profile, it->name, san, kw_bytes_span(csr), &issued),
        "a certificate of profile %s", profile);
    return put_credential(op, it, file, issued.fingerprint, key);
}

static bool is_address(const char *name)
{
    return strchr(name, ':') || strspn(name, "0123456789.") == strlen(name);
}

static kw_status make_credentials(struct kw_op *op, struct broker *it)
{
    char san[KW_NAME_MAX + 8];

    (void)snprintf(san, sizeof(san), "%s%s", is_address(it->name) ? "ip:" : "dns:", it->name);
    TRY(op, make_credential(op, it, "tls-server", san, "server.pem"));
    return make_credential(op, it, "broker", NULL, "feed.pem");
}

/* Those that the operator's own credential trusts. */
static kw_status roots_text(struct kw_op *op, struct broker *it, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, cli_connect(op, it->cli));
    TRY(op, kw_bytes_new(2048, &pem));
    for (unsigned i = 0; i < it->cli->n_roots; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", cert_der(it->cli->root[i]), pem));
    }
    *ret = TAKE(pem);
    return KW_OK;
}

static kw_status put_root(struct kw_op *op, struct broker *it)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, roots_text(op, it, &pem));
    return put(op, it, "root.pem", 0644, kw_bytes_span(pem));
}

static bool operator_trusts(const struct cli *cli, const struct cert *root)
{
    for (unsigned i = 0; i < cli->n_roots; i++) {
        if (kw_span_equal(cert_der(cli->root[i]), cert_der(root))) {
            return true;
        }
    }
    return false;
}

/* Newest first, in both. An operator whose own root.pem was not brought up (the link made up for
 * it) takes no root away from a broker that has the next one; of the same second, too. */
static kw_status operator_is_behind(struct kw_op *op, const struct broker *it, struct kw_span file,
                                    bool *ret)
{
    struct cert *roots[CLI_ROOTS_MAX] = {0};
    unsigned n = 0;

    TRY(op, cert_parse_pem(op, file, roots, KW_COUNT(roots), &n), "root.pem");
    *ret = n > 0 && !operator_trusts(it->cli, roots[0]) &&
           cert_not_before(it->cli->root[0]) <= cert_not_before(roots[0]);
    for (unsigned i = 0; i < n; i++) {
        cert_unref(roots[i]);
    }
    return KW_OK;
}

static kw_status renew_root(struct kw_op *op, struct broker *it)
{
    char path[KW_PATH_BYTES];
    bool behind = false;
    AUTO(kw_bytes) *pem = NULL;
    AUTO(kw_bytes) *there = NULL;

    TRY(op, roots_text(op, it, &pem));
    TRY(op, os_path_join(op, path, sizeof(path), it->dir, "root.pem"));
    TRY(op, os_file_read(op, path, ROOTS_MAX, &there), "of broker config");
    if (kw_span_equal(kw_bytes_span(pem), kw_bytes_span(there))) {
        return KW_OK;
    }
    TRY(op, operator_is_behind(op, it, kw_bytes_span(there), &behind));
    if (behind) {
        (void)fprintf(stderr, "warning: %s stays: it has a newer root than your own root.pem\n",
                      path);
        return KW_OK;
    }
    TRY(op, put(op, it, "root.pem", 0644, kw_bytes_span(pem)));
    (void)printf(
        "trusted roots  %s is another now: believed after the SIGHUP; a root that is not in "
        "it any more goes with a restart of mosquitto\n",
        path);
    return KW_OK;
}

/* --- what goes into the files ------------------------------------------------------------------
 */

struct about {
    char product[24], version[24], organization[64], server_name[128], transports[64];
    uint32_t devices_port;
};
static const struct codec_field about_fields[] = {
    FIELD_STRING("product", struct about, product, 0, ""),
    FIELD_STRING("version", struct about, version, 0, ""),
    FIELD_STRING("organization", struct about, organization, 0, ""),
    FIELD_STRING("server_name", struct about, server_name, 0, ""),
    FIELD_STRING("transports", struct about, transports, 0, ""),
    FIELD_INT("devices_port", struct about, devices_port, CODEC_REQUIRED, 1, 65535, ""),
};

static kw_status find_gate(struct kw_op *op, struct broker *it)
{
    AUTO(kw_bytes) *answer = NULL;
    struct about about = {0};

    TRY(op, cli_get(op, it->cli, "/api/v1/about", &answer));
    TRY(op,
        codec_json_decode(op, kw_bytes_span(answer), about_fields, KW_COUNT(about_fields), &about));
    bool v6 = strchr(about.server_name, ':') != NULL;
    (void)snprintf(it->gate, sizeof(it->gate), "https://%s%s%s:%u", v6 ? "[" : "",
                   about.server_name, v6 ? "]" : "", about.devices_port);
    return KW_OK;
}

static kw_status find_plugin(struct kw_op *op, struct broker *it)
{
    char own[KW_PATH_BYTES], built[KW_PATH_BYTES + 64];
    const char *given = it->cli->options[OPT_PLUGIN];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

    own[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(own, '/');
    (void)snprintf(built, sizeof(built), "%.*s/../../../plugins/mosquitto/mosquitto_keywright.so",
                   slash ? (int)(slash - own) : 0, own);
    const char *const places[] = {given ? given : KW_PLUGIN, given ? given : built};
    for (unsigned i = 0; i < KW_COUNT(places); i++) {
        char *real = realpath(places[i], NULL);
        bool fits = real && KW_TEXT_SET(it->plugin, real);
        free(real);
        if (fits) {
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND,
                "no plugin in %s: install mosquitto-dev, build and install again, "
                "or say where with --plugin",
                places[0]);
}

/* Mosquitto gives up root before it reads its keys: they are that user's. */
static kw_status find_user(struct kw_op *op, struct broker *it)
{
    const char *given = it->cli->options[OPT_USER];
    const struct passwd *user = NULL;

    if (geteuid() != 0) {
        ENSURE(op, !given, KW_E_INPUT, "--user is for root: mosquitto will run as you");
        return KW_OK;
    }
    user = getpwnam(given ? given : "mosquitto");
    ENSURE(op, user, KW_E_NOT_FOUND, "no user '%s': install mosquitto, or say --user",
           given ? given : "mosquitto");
    KW_TEXT_SET(it->user, user->pw_name);
    it->uid = user->pw_uid;
    it->gid = user->pw_gid;
    it->chown_it = true;
    return KW_OK;
}

static kw_status find_name(struct kw_op *op, struct broker *it)
{
    const char *name = it->cli->options[OPT_NAME];

    ENSURE(op, name && *name && KW_TEXT_SET(it->name, name), KW_E_INPUT,
           "--name is missing: the DNS name or address that clients connect to");
    return KW_OK;
}

static kw_status make_dirs(struct kw_op *op, struct broker *it)
{
    char trust[KW_PATH_BYTES];

    TRY(op, os_dir_make(op, it->cli->args[0], 0700));
    char *real = realpath(it->cli->args[0], NULL);
    bool fits = real && KW_TEXT_SET(it->dir, real);
    free(real);
    ENSURE(op, fits && !strpbrk(it->dir, " \t#"), KW_E_INPUT,
           "'%.120s': mosquitto.conf takes no folder with blanks", it->cli->args[0]);
    TRY(op, give(op, it, it->dir));
    TRY(op, os_path_join(op, trust, sizeof(trust), it->dir, "trust"));
    TRY(op, os_dir_make(op, trust, 0700));
    return give(op, it, trust);
}

static kw_status put_conf(struct kw_op *op, struct broker *it)
{
    const char *listen = it->cli->options[OPT_LISTEN];
    bool old = it->cli->options[OPT_TLS12] != NULL;
    const char *dir = it->dir;
    AUTO(kw_bytes) *text = NULL;

    listen = listen ? listen : strcmp(it->name, "localhost") == 0 ? "localhost" : "";
    TRY(op, kw_bytes_new(CONF_MAX, &text));
    TRY(op, kw_bytes_printf(text, "# Written by keywright broker config; needs no edit. "
                                  "docs/MQTT.md\n"));
    if (it->chown_it) {
        TRY(op, kw_bytes_printf(text, "user %s\n", it->user));
    }
    TRY(op,
        kw_bytes_printf(text,
                        "per_listener_settings false\nallow_anonymous false\n"
                        "persistence false\nlog_dest stderr\npid_file %s/mosquitto.pid\n"
                        "listener %u %s\n"
                        "require_certificate true\ncafile %s/root.pem\ncapath %s/trust\n"
                        "certfile %s/server.pem\nkeyfile %s/server.pem\ntls_version %s\n",
                        dir, it->port, listen, dir, dir, dir, dir, old ? "tlsv1.2" : "tlsv1.3"));
    TRY(op, kw_bytes_printf(text,
                            "# use_identity_as_username would pass by the plugin: the names are "
                            "its own affair.\nplugin %s\nplugin_opt_gate %s\n"
                            "plugin_opt_root %s/root.pem\nplugin_opt_credential %s/feed.pem\n"
                            "plugin_opt_policy %s/policy.yaml\nplugin_opt_trust %s/trust\n"
                            "plugin_opt_metrics %s/metrics.prom\n",
                            it->plugin, it->gate, dir, dir, dir, dir, dir));
    return put(op, it, "mosquitto.conf", 0644, kw_bytes_span(text));
}

/* The operator's own edits stay. */
static kw_status put_policy(struct kw_op *op, struct broker *it)
{
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), it->dir, "policy.yaml"));
    return os_file_exists(path) ? KW_OK
                                : put(op, it, "policy.yaml", 0644, kw_span_text(policy_text));
}

kw_status cli_broker_config(struct kw_op *op, struct cli *cli)
{
    struct broker it = {.cli = cli};

    TRY(op, find_name(op, &it));
    TRY(op, cli_number(op, cli, OPT_PORT, PORT_DEFAULT, 65535, &it.port));
    TRY(op, find_user(op, &it));
    TRY(op, find_plugin(op, &it));
    TRY(op, find_gate(op, &it));
    TRY(op, make_dirs(op, &it));
    TRY(op, put_root(op, &it));
    TRY(op, make_credentials(op, &it));
    TRY(op, put_policy(op, &it));
    TRY(op, put_conf(op, &it));
    if (cli->options[OPT_TLS12]) {
        (void)fputs("warning: TLS 1.2 sends clients' certificates, and so device ids, in clear\n",
                    stderr);
    }
    (void)printf("broker         %s port %u, plugin %s\n"
                 "start          mosquitto -c %s/mosquitto.conf\n"
                 "topics         %s/policy.yaml (SIGHUP reads it again)\n"
                 "renew          keywright broker renew %s --name %s, before 90 days are over\n",
                 it.name, it.port, it.plugin, it.dir, it.dir, it.dir, it.name);
    return KW_OK;
}

kw_status cli_broker_renew(struct kw_op *op, struct cli *cli)
{
    struct broker it = {.cli = cli};

    TRY(op, find_name(op, &it));
    TRY(op, find_user(op, &it));
    TRY(op, make_dirs(op, &it));
    TRY(op, renew_root(op, &it)); /* first: who gets the new certificate may have the new root */
    TRY(op, make_credentials(op, &it));
    (void)printf("renewed        %s/server.pem, %s/feed.pem\n"
                 "take into use  kill -HUP $(cat %s/mosquitto.pid)\n",
                 it.dir, it.dir, it.dir);
    return KW_OK;
}
