#include "service/config.h"

#include <ctype.h>
#include <stdio.h>

#include "codec/yaml.h"
#include "os/files.h"

static const char CONFIG_FILE[] = "keywright.yaml";
enum { CONFIG_FILE_MAX = 16384 };

static const struct codec_field listener_fields[] = {
    FIELD_STRING("address", struct config_listener, address, CODEC_REQUIRED,
                 "IP address to listen on"),
    FIELD_INT("port", struct config_listener, port, CODEC_REQUIRED, 0, 65535,
              "TCP port; 0 takes any free one"),
};

static const struct codec_field vault_fields[] = {
    FIELD_STRING("name", struct config_vault, name, CODEC_REQUIRED, "name of the vault"),
    FIELD_STRING("folder", struct config_vault, folder, 0,
                 "its folder in the state folder; keeper-NAME where absent"),
    FIELD_STRING("unlock", struct config_vault, unlock, CODEC_REQUIRED, "how it is opened"),
    FIELD_STRING("custody", struct config_vault, custody, 0,
                 "token or TPM that holds its private keys; sealed in the vault where absent"),
    FIELD_STRINGS("keys", struct config_vault, keys, n_keys, CODEC_REQUIRED,
                  "ids of its keys, or beginnings with '*'"),
    FIELD_STRINGS("paths", struct config_vault, paths, n_paths, 0,
                  "folders and files that the token's driver opens"),
    FIELD_STRINGS("environment", struct config_vault, environment, n_environment, 0,
                  "NAME=VALUE that the token's driver reads"),
};

static const struct codec_field config_fields[] = {
    FIELD_STRING("organization", struct config, organization, CODEC_REQUIRED, "O= of every name"),
    FIELD_STRING("server_name", struct config, server_name, CODEC_REQUIRED,
                 "DNS name or IP address of the gate"),
    FIELD_STRING("log_origin", struct config, log_origin, CODEC_REQUIRED,
                 "first line of every checkpoint"),
    FIELD_STRING("public_url", struct config, public_url, CODEC_REQUIRED,
                 "http:// URL of the relying listener, in certificates"),
    FIELD_OBJECT("devices", struct config, devices, CODEC_REQUIRED, listener_fields,
                 "EST and device API, TLS"),
    FIELD_OBJECT("operators", struct config, operators, CODEC_REQUIRED, listener_fields,
                 "REST API, mutual TLS"),
    FIELD_OBJECT("relying", struct config, relying, CODEC_REQUIRED, listener_fields,
                 "OCSP, CRL, CA certificates; plain HTTP"),
    FIELD_STRING("unlock", struct config, unlock, CODEC_REQUIRED,
                 "how the keeper's vault is opened"),
    FIELD_ARRAY("vaults", struct config, more, n_more, 0, vault_fields,
                "further vaults; all other keys live in the first one, 'main'"),
    FIELD_STRING("user", struct config, user, 0, "user to become where started as root"),
    FIELD_STRING("keeper_user", struct config, keeper_user, 0,
                 "user of the keeper and its vault where started as root; as 'user' where absent"),
    FIELD_STRINGS("cas", struct config, cas, n_cas, CODEC_REQUIRED, "issuing CAs"),
    FIELD_INT("crl_hours", struct config, crl_hours, 0, 1, 8760, "life of a CRL"),
    FIELD_INT("crl_shards", struct config, crl_shards, 0, 0, 1024,
              "parts of each CA's list that new certificates are spread over; 0: the whole list"),
    FIELD_INT("crl_delta_from", struct config, crl_delta_from, 0, 0, 100000000,
              "entries from which on a CA's whole list has deltas"),
    FIELD_INT("filter_minutes", struct config, filter_minutes, 0, 0, 10080,
              "a revocation filter of each CA so often; 0: none"),
    FIELD_INT("ocsp_minutes", struct config, ocsp_minutes, 0, 2, 10080, "life of an OCSP answer"),
    FIELD_INT("revoke_approval_above", struct config, revoke_approval_above, 0, 0, 1000000000,
              "plans that revoke more certificates than that need approval by others"),
    FIELD_BOOL("revoke_approval_compromise", struct config, revoke_approval_compromise, 0,
               "and plans for a compromise, however few certificates they revoke"),
    FIELD_BOOL("wipe_approval", struct config, wipe_approval, 0,
               "ordering a device to wipe itself needs approval by others"),
    FIELD_INT("checkpoint_ms", struct config, checkpoint_ms, 0, 10, 60000,
              "longest time to a signed checkpoint"),
    FIELD_INT("pool_threads", struct config, pool_threads, 0, 1, 256, "handler threads"),
    FIELD_INT("loop_threads", struct config, loop_threads, 0, 1, 64, "network threads"),
    FIELD_INT("connections_max", struct config, connections_max, 0, 1, 1000000,
              "open connections of one listener"),
};

void config_defaults(struct config *config)
{
    *config = (struct config){
        .organization = "Example Maker",
        .server_name = "localhost",
        .log_origin = "localhost/keywright",
        .public_url = "http://localhost:8080",
        .devices = {"127.0.0.1", 8443      },
        .operators = {"127.0.0.1", 9443      },
        .relying = {"127.0.0.1", 8080      },
        .n_cas = 2,
        .cas = {"devices",   "services"},
        .crl_hours = 24,
        .crl_delta_from = 1000,
        .ocsp_minutes = 60,
        .revoke_approval_above = 1000,
        .revoke_approval_compromise = true,
        .checkpoint_ms = 200,
        .pool_threads = 16,
        .loop_threads = 1,
        .connections_max = 4096,
    };
}

kw_status config_path(struct kw_op *op, const struct config *config, const char *name, char *path,
                      size_t cap)
{
    return os_path_join(op, path, cap, config->state_dir, name);
}

kw_status config_load(struct kw_op *op, const char *state_dir, struct config *ret)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    config_defaults(ret);
    ret->n_cas = 0;
    ENSURE(op, KW_TEXT_SET(ret->state_dir, state_dir), KW_E_INPUT,
           "the path of the state folder is too long");
    TRY(op, config_path(op, ret, CONFIG_FILE, path, sizeof(path)));
    kw_status status = os_file_read(op, path, CONFIG_FILE_MAX, &text);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return FAIL(op, KW_E_NOT_FOUND, "no %s: run 'keywright init' first", path);
    }
    TRY(op, status);
    TRY(op, codec_yaml_decode(op, kw_bytes_span(text), config_fields, KW_COUNT(config_fields), ret),
        "%s", path);
    return config_vaults(op, ret);
}

/* A driver's file is named from the state folder, too, where it does not begin with '/'. */
static kw_status check_vault(struct kw_op *op, const struct config *config,
                             const struct config_vault *vault)
{
    for (const char *p = vault->name; *p; p++) {
        ENSURE(op, isalnum((unsigned char)*p) || *p == '-' || *p == '_', KW_E_INPUT,
               "vault '%s': a name has letters, digits, '-' and '_'", vault->name);
    }
    ENSURE(op, vault->name[0] && !strchr(vault->folder, '/') && vault->folder[0] != '.', KW_E_INPUT,
           "vault '%s': its folder lies in the state folder", vault->name);
    for (unsigned i = 0; i < config->n_vaults; i++) {
        ENSURE(op,
               strcmp(config->vaults[i].name, vault->name) != 0 &&
                   strcmp(config->vaults[i].folder, vault->folder) != 0,
               KW_E_INPUT, "vault '%s' is there twice", vault->name);
    }
    return KW_OK;
}

kw_status config_vaults(struct kw_op *op, struct config *config)
{
    config->vaults[0] = (struct config_vault){.name = "main", .folder = "keeper"};
    memcpy(config->vaults[0].unlock, config->unlock, sizeof(config->unlock));
    config->n_vaults = 1;
    for (unsigned i = 0; i < config->n_more; i++) {
        struct config_vault *vault = &config->more[i];
        if (!vault->folder[0]) {
            (void)snprintf(vault->folder, sizeof(vault->folder), "keeper-%s", vault->name);
        }
        TRY(op, check_vault(op, config, vault));
        config->vaults[config->n_vaults++] = *vault;
    }
    return KW_OK;
}

kw_status config_vaults_load(struct kw_op *op, const char *path, struct config *config)
{
    static const struct codec_field only_vaults[] = {
        FIELD_ARRAY("vaults", struct config, more, n_more, CODEC_REQUIRED, vault_fields, "vaults"),
    };
    AUTO(kw_bytes) *text = NULL;

    TRY(op, os_file_read(op, path, CONFIG_FILE_MAX, &text));
    return codec_yaml_decode(op, kw_bytes_span(text), only_vaults, KW_COUNT(only_vaults), config);
}

static kw_status put_strings(struct kw_bytes *text, const char *name, const char *first,
                             size_t size, unsigned n)
{
    if (n == 0) {
        return KW_OK;
    }
    TRY(NULL, kw_bytes_printf(text, "    %s:\n", name));
    for (unsigned i = 0; i < n; i++) {
        TRY(NULL, kw_bytes_printf(text, "      - \"%s\"\n", first + i * size));
    }
    return KW_OK;
}

static kw_status put_vaults(struct kw_bytes *text, const struct config *config)
{
    TRY(NULL, kw_bytes_printf(text, "%s", config->n_more ? "vaults:\n" : ""));
    for (unsigned i = 0; i < config->n_more; i++) {
        const struct config_vault *vault = &config->more[i];
        TRY(NULL, kw_bytes_printf(text,
                                  "  - name: \"%s\"\n    folder: \"%s\"\n    unlock: \"%s\"\n"
                                  "    custody: \"%s\"\n",
                                  vault->name, vault->folder, vault->unlock, vault->custody));
        TRY(NULL, put_strings(text, "keys", vault->keys[0], sizeof(vault->keys[0]), vault->n_keys));
        TRY(NULL,
            put_strings(text, "paths", vault->paths[0], sizeof(vault->paths[0]), vault->n_paths));
        TRY(NULL, put_strings(text, "environment", vault->environment[0],
                              sizeof(vault->environment[0]), vault->n_environment));
    }
    return KW_OK;
}

static kw_status put_listener(struct kw_bytes *text, const char *name,
                              const struct config_listener *listener, const char *doc)
{
    return kw_bytes_printf(text, "%s: # %s\n  address: \"%s\"\n  port: %u\n", name, doc,
                           listener->address, listener->port);
}

static kw_status put_listeners(struct kw_bytes *text, const struct config *config)
{
    TRY(NULL, put_listener(text, "devices", &config->devices, "EST and device API, TLS"));
    TRY(NULL, put_listener(text, "operators", &config->operators, "REST API, mutual TLS"));
    return put_listener(text, "relying", &config->relying,
                        "OCSP, CRL, CA certificates; plain HTTP");
}

static kw_status put_text(struct kw_bytes *text, const struct config *config)
{
    TRY(NULL,
        kw_bytes_printf(
            text,
            "# Keywright server. Meaning of each field: man keywrightd\n"
            "organization: \"%s\"\nserver_name: \"%s\"\nlog_origin: \"%s\"\npublic_url: \"%s\"\n",
            config->organization, config->server_name, config->log_origin, config->public_url));
    TRY(NULL, put_listeners(text, config));
    TRY(NULL, kw_bytes_printf(text, "unlock: \"%s\"\nuser: \"%s\"\nkeeper_user: \"%s\"\ncas:\n",
                              config->unlock, config->user, config->keeper_user));
    for (unsigned i = 0; i < config->n_cas; i++) {
        TRY(NULL, kw_bytes_printf(text, "  - \"%s\"\n", config->cas[i]));
    }
    TRY(NULL, put_vaults(text, config));
    return kw_bytes_printf(text,
                           "crl_hours: %u\ncrl_shards: %u\ncrl_delta_from: %u\nfilter_minutes: %u\n"
                           "ocsp_minutes: %u\ncheckpoint_ms: %u\n"
                           "pool_threads: %u\nloop_threads: %u\nconnections_max: %u\n",
                           config->crl_hours, config->crl_shards, config->crl_delta_from,
                           config->filter_minutes, config->ocsp_minutes, config->checkpoint_ms,
                           config->pool_threads, config->loop_threads, config->connections_max);
}

static bool plain(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (iscntrl((unsigned char)*at) || *at == '"' || *at == '\\') {
            return false;
        }
    }
    return true;
}

static bool all_plain(const struct config *config)
{
    const char *const texts[] = {
        config->organization,   config->server_name,     config->log_origin,
        config->public_url,     config->unlock,          config->user,
        config->keeper_user,    config->devices.address, config->operators.address,
        config->relying.address};

    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        if (!plain(texts[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < config->n_cas; i++) {
        if (!plain(config->cas[i])) {
            return false;
        }
    }
    return true;
}

kw_status config_save(struct kw_op *op, const struct config *config)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    ENSURE(op, all_plain(config), KW_E_INPUT,
           "quotes, backslashes and control characters cannot be in names");
    TRY(op, kw_bytes_new(2048, &text));
    TRY(op, put_text(text, config), "writing the configuration");
    TRY(op, config_path(op, config, CONFIG_FILE, path, sizeof(path)));
    return os_file_write(op, path, 0644, kw_bytes_span(text));
}
