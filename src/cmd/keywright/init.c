/*
 * `keywright init`: the root ceremony and the state folder. Everything is made in a folder beside
 * the final one, which appears whole or not at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/pem.h"
#include "cmd/keywright/ceremony.h"
#include "cmd/keywright/cli.h"
#include "cmd/keywright/owners.h"
#include "cmd/keywright/people.h"
#include "cmd/keywright/vault.h"
#include "crypto/alg.h"
#include "keeper/msg.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"
#include "service/authorities.h"
#include "service/authority/issue.h"
#include "service/authority/plan.h"
#include "service/authority/subject.h"
#include "service/keys/own.h"
#include "service/keys/policies.h"
#include "service/log/log.h"
#include "service/registration/secret.h"

enum {
    PATH_ROOM = 4096,
    DAY_S = 86400,
    CRL_MAX_S = 8 * DAY_S,
    OCSP_MAX_S = 8 * DAY_S,
    PASSPHRASE_BYTES = 24
};

struct init {
    struct cli *cli;
    struct config config;
    char final[PATH_ROOM], work[PATH_ROOM + 16], offline[PATH_ROOM];
    const char *operator_name;
    unsigned m, n;
    struct plan plan;
    struct ceremony_root offline_cas[PLAN_MAX]; /* beside plan.at; issuing ones have none */
    struct service *service;
    struct roster roster;
    unsigned approvals; /* 0: as the rules say */
};

/* --- options ---------------------------------------------------------------------------------- */

static kw_status take_text(struct kw_op *op, const struct cli *cli, enum cli_option option,
                           char *text, size_t cap)
{
    const char *given = cli->options[option];

    ENSURE(op, !given || (*given && kw_text_copy(text, cap, given)), KW_E_INPUT,
           "'%.60s' cannot be used here", given);
    return KW_OK;
}

/* "8443,9443,8080": exactly n whole numbers up to max. */
static bool read_numbers(const char *text, unsigned n, unsigned long max, unsigned long ret[])
{
    for (unsigned i = 0; i < n; i++) {
        char *end = NULL;
        ret[i] = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || ret[i] > max || *end != (i + 1 < n ? ',' : 0)) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

static kw_status take_ports(struct kw_op *op, const struct cli *cli, struct config *config)
{
    const char *given = cli->options[OPT_PORTS];
    unsigned long ports[3];

    if (!given) {
        return KW_OK;
    }
    ENSURE(op, read_numbers(given, 3, 65535, ports), KW_E_INPUT,
           "--ports takes three port numbers: devices,operators,relying");
    config->devices.port = (uint32_t)ports[0];
    config->operators.port = (uint32_t)ports[1];
    config->relying.port = (uint32_t)ports[2];
    return KW_OK;
}

static kw_status take_listen(struct kw_op *op, const struct cli *cli, struct config *config)
{
    TRY(op,
        take_text(op, cli, OPT_LISTEN, config->devices.address, sizeof(config->devices.address)));
    TRY(op, take_text(op, cli, OPT_LISTEN, config->operators.address,
                      sizeof(config->operators.address)));
    return take_text(op, cli, OPT_LISTEN, config->relying.address, sizeof(config->relying.address));
}

kw_status cli_shares(struct kw_op *op, const struct cli *cli, unsigned *ret_m, unsigned *ret_n)
{
    const char *given = cli->options[OPT_SHARES];
    unsigned long shares[2] = {2, 3};

    ENSURE(op, !given || read_numbers(given, 2, KW_SHARES_MAX, shares), KW_E_INPUT,
           "--shares takes M,N up to %d", KW_SHARES_MAX);
    ENSURE(op, shares[0] >= 2 && shares[0] <= shares[1], KW_E_INPUT,
           "--shares M,N needs 2 <= M <= N");
    *ret_m = (unsigned)shares[0];
    *ret_n = (unsigned)shares[1];
    return KW_OK;
}

static kw_status take_paths(struct kw_op *op, struct init *it)
{
    const char *state = it->cli->options[OPT_STATE], *offline = it->cli->options[OPT_OFFLINE];

    ENSURE(op, state, KW_E_INPUT, "--state DIR is missing");
    ENSURE(op, offline, KW_E_INPUT,
           "--offline DIR is missing: where the root key and its shares go");
    TRY(op, os_dir_make(op, state, 0755));
    ENSURE(op, strlen(state) < KW_PATH_BYTES - 64 && realpath(state, it->final), KW_E_INPUT,
           "%s: %s", state, strerror(errno));
    ENSURE(op, rmdir(it->final) == 0, KW_E_CONFLICT, "%s is not empty; nothing was changed",
           it->final);
    (void)snprintf(it->work, sizeof(it->work), "%s.init", it->final);
    ENSURE(op, kw_text_copy(it->offline, sizeof(it->offline), offline), KW_E_INPUT,
           "--offline is too long");
    char sealed[PATH_ROOM + 32];
    (void)snprintf(sealed, sizeof(sealed), "%s/root.key.sealed", it->offline);
    ENSURE(op, !os_file_exists(sealed), KW_E_CONFLICT,
           "%s holds a root key already; nothing was changed", it->offline);
    return KW_OK;
}

static kw_status take_options(struct kw_op *op, struct init *it)
{
    struct config *config = &it->config;

    config_defaults(config);
    TRY(op, take_text(op, it->cli, OPT_ORGANIZATION, config->organization,
                      sizeof(config->organization)));
    TRY(op,
        take_text(op, it->cli, OPT_SERVER_NAME, config->server_name, sizeof(config->server_name)));
    TRY(op, take_text(op, it->cli, OPT_USER, config->user, sizeof(config->user)));
    TRY(op,
        take_text(op, it->cli, OPT_KEEPER_USER, config->keeper_user, sizeof(config->keeper_user)));
    TRY(op, owners_choose(op, config));
    TRY(op, take_listen(op, it->cli, config));
    TRY(op, take_ports(op, it->cli, config));
    (void)snprintf(config->public_url, sizeof(config->public_url), "http://%s:%u",
                   config->server_name, config->relying.port);
    (void)snprintf(config->log_origin, sizeof(config->log_origin), "%.70s/keywright",
                   config->server_name);
    it->operator_name = it->cli->options[OPT_OPERATOR] ? it->cli->options[OPT_OPERATOR] : "admin";
    ENSURE(op, *it->operator_name && strlen(it->operator_name) <= ROSTER_NAME_LEN, KW_E_INPUT,
           "--operator takes a name of at most %d octets", ROSTER_NAME_LEN);
    TRY(op, cli_number(op, it->cli, OPT_APPROVALS, 0, ROSTER_NEEDED_MAX, &it->approvals));
    TRY(op, cli_shares(op, it->cli, &it->m, &it->n));
    return take_paths(op, it);
}

/* --- folders ---------------------------------------------------------------------------------- */

/* A folder of YAML files on its way into the state folder. */
struct copying {
    struct init *it;
    char from[KW_PATH_BYTES];
    const char *to; /* folder in the state folder */
};

static kw_status copy_file(struct kw_op *op, const char *name, void *ctx)
{
    const struct copying *copying = ctx;
    char from[KW_PATH_BYTES], to[KW_PATH_BYTES], file[KW_NAME_MAX + 16];
    AUTO(kw_bytes) *content = NULL;

    (void)snprintf(file, sizeof(file), "%s/%.90s", copying->to, name);
    TRY(op, os_path_join(op, from, sizeof(from), copying->from, name));
    TRY(op, config_path(op, &copying->it->config, file, to, sizeof(to)));
    TRY(op, os_file_read(op, from, 65536, &content));
    return os_file_write(op, to, 0644, kw_bytes_span(content));
}

/* part: folder below --profiles; "" is that one itself. */
static kw_status copy_folder(struct kw_op *op, struct init *it, const char *part, const char *to)
{
    struct copying copying = {.it = it, .to = to};

    TRY(op, os_path_join(op, copying.from, sizeof(copying.from), it->cli->options[OPT_PROFILES],
                         *part ? part : "."));
    TRY(op, os_dir_each(op, copying.from, ".yaml", copy_file, &copying), "%s (set --profiles)",
        copying.from);
    return KW_OK;
}

/* A file of a vertical takes the place of one of the same name. */
static kw_status copy_vertical(struct kw_op *op, struct init *it, const char *name)
{
    char part[KW_NAME_MAX + 32], path[KW_PATH_BYTES];

    ENSURE(op, *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name),
           KW_E_INPUT, "--vertical: there is no '%.40s'", name);
    (void)snprintf(part, sizeof(part), "verticals/%.80s", name);
    TRY(op, copy_folder(op, it, part, "profiles"), "--vertical %s", name);
    (void)snprintf(part, sizeof(part), "verticals/%.80s/authorities", name);
    TRY(op, os_path_join(op, path, sizeof(path), it->cli->options[OPT_PROFILES], part));
    return os_file_exists(path) ? copy_folder(op, it, part, "authorities") : KW_OK;
}

static kw_status copy_verticals(struct kw_op *op, struct init *it)
{
    const char *rest = it->cli->options[OPT_VERTICAL] ? it->cli->options[OPT_VERTICAL] : "";
    char name[KW_NAME_MAX];

    while (*rest) {
        size_t len = strcspn(rest, ",");
        ENSURE(op, len < sizeof(name), KW_E_INPUT, "--vertical: there is no '%.40s…'", rest);
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, rest);
        TRY(op, copy_vertical(op, it, name));
        rest += len + (rest[len] == ',');
    }
    return KW_OK;
}

/* Its issuing CAs are the server's. */
static kw_status read_plan(struct kw_op *op, struct init *it)
{
    char path[KW_PATH_BYTES];

    TRY(op, config_path(op, &it->config, "authorities", path, sizeof(path)));
    TRY(op, plan_load(op, path, &it->plan));
    ENSURE(op, plan_find(&it->plan, "root"), KW_E_INPUT, "there is no authority 'root'");
    it->config.n_cas = 0;
    for (unsigned i = 0; i < it->plan.n; i++) {
        const struct authority *one = &it->plan.at[i];
        if (authority_kind_of(one) != AUTHORITY_ISSUING) {
            continue;
        }
        ENSURE(op, it->config.n_cas < CONFIG_CAS_MAX, KW_E_LIMIT, "more than %d issuing CAs",
               (int)CONFIG_CAS_MAX);
        memcpy(it->config.cas[it->config.n_cas++], one->name, sizeof(one->name));
    }
    return KW_OK;
}

static kw_status copy_profiles(struct kw_op *op, struct init *it)
{
    if (!it->cli->options[OPT_PROFILES]) {
        it->cli->options[OPT_PROFILES] = KW_PROFILES_DIR;
    }
    TRY(op, copy_folder(op, it, "", "profiles"));
    TRY(op, copy_folder(op, it, "authorities", "authorities"));
    TRY(op, copy_verticals(op, it));
    return read_plan(op, it);
}

static kw_status make_folders(struct kw_op *op, struct init *it)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {
        {"certs",       0755},
        {"profiles",    0755},
        {"authorities", 0755},
        {"store",       0700},
        {"keeper",      0700},
        {"admin",       0700},
        {"run",         0755}
    };
    char path[KW_PATH_BYTES];

    TRY(op, os_dir_make(op, it->work, 0755));
    ENSURE(op, KW_TEXT_SET(it->config.state_dir, it->work), KW_E_INPUT,
           "the path of the state folder is too long");
    for (unsigned i = 0; i < KW_COUNT(folders); i++) {
        TRY(op, config_path(op, &it->config, folders[i].name, path, sizeof(path)));
        TRY(op, os_dir_make(op, path, folders[i].mode));
    }
    return copy_profiles(op, it);
}

/* Without --unlock: a random passphrase in a file that only this user may read. Convenient, not
 * strong; README says so. */
static kw_status make_unlock(struct kw_op *op, struct init *it)
{
    uint8_t random[PASSPHRASE_BYTES];
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    if (it->cli->options[OPT_UNLOCK]) {
        return take_text(op, it->cli, OPT_UNLOCK, it->config.unlock, sizeof(it->config.unlock));
    }
    KW_TEXT_SET(it->config.unlock, "passphrase-file:keeper.passphrase");
    TRY(op, os_random(op, random, sizeof(random)));
    TRY(op, kw_bytes_new(64, &text));
    TRY(op, kw_b64url_encode(KW_SPAN_ARRAY(random), text));
    TRY(op, config_path(op, &it->config, "keeper.passphrase", path, sizeof(path)));
    kw_status status = os_file_write(op, path, 0600, kw_bytes_span(text));
    kw_wipe(random, sizeof(random));
    kw_wipe(text->p, text->len);
    return status;
}

/* --- keys ------------------------------------------------------------------------------------- */

static kw_status begin_policy(struct kw_op *op, struct key_policy *policy, const char *prefix,
                              const char *id, enum key_class class_)
{
    char key_id[KW_NAME_MAX];

    (void)snprintf(key_id, sizeof(key_id), "%.12s%.80s", prefix, id);
    return policy_begin(op, key_id, class_, /* alg= */ 0, os_clock_unix_s(), policy);
}

static kw_status put_issuer(struct kw_op *op, struct init *it, const struct authority *ca,
                            struct key_policy *policy)
{
    struct kw_out name = {policy->issuer_dn, sizeof(policy->issuer_dn), 0};

    const struct subject_facts facts = {.organization = it->config.organization};

    TRY(op, subject_fill(op, ca->subject_dn, ca->n_subject_dn, &facts, &name));
    policy->issuer_dn_len = (uint32_t)name.len;
    return KW_OK;
}

static kw_status put_rule(struct kw_op *op, const struct init *it, const struct profile *profile,
                          struct policy_rule *rule)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out same = KW_OUT_ARRAY(room);

    TRY(op, subject_fixed(op, profile->subject_dn, profile->n_subject_dn, it->config.organization,
                          &same));
    return profile_rule(profile, kw_out_span(&same), rule);
}

/* A rule for every profile that this CA may sign: nothing else will ever get its signature. */
static kw_status put_rules(struct kw_op *op, struct init *it, const struct authority *ca,
                           struct key_policy *policy)
{
    for (unsigned i = 0; i < it->service->n_profiles; i++) {
        const struct profile *profile = &it->service->profiles[i].data;
        if (strcmp(profile->ca, ca->name) != 0 && strcmp(profile->ca, "*") != 0) {
            continue;
        }
        ENSURE(op, policy->n_rules < POLICY_RULES_MAX, KW_E_LIMIT,
               "more than %d profiles for one CA", POLICY_RULES_MAX);
        TRY(op, put_rule(op, it, profile, &policy->rules[policy->n_rules++]), "profile '%s'",
            profile->name);
    }
    return KW_OK;
}

static kw_status record_key(struct kw_op *op, struct init *it, const char *key_id,
                            const char *detail)
{
    struct event event = {.type = EVENT_KEY_GENERATE, .source = "keywright init"};

    (void)snprintf(event.object, sizeof(event.object), "key:%.80s", key_id);
    (void)snprintf(event.detail, sizeof(event.detail), "%s", detail);
    return service_record_alone(op, it->service, &event);
}

static kw_status create(struct kw_op *op, struct init *it, const struct key_policy *policy,
                        struct pubkey **ret)
{
    TRY(op, keeper_key_create(op, service_keeper(it->service, policy->key_id), policy, ret),
        "key '%s'", policy->key_id);
    (void)printf("key            %-18s %-12s made in the keeper, soft-sealed\n", policy->key_id,
                 key_class_text(policy->class_));
    return record_key(op, it, policy->key_id, key_class_text(policy->class_));
}

/* Where lists of a part of its certificates may say that they lie: /crl/devices.7.crl, … */
static kw_status put_crl_place(struct kw_op *op, const struct init *it, const struct authority *ca,
                               struct key_policy *policy)
{
    int n = snprintf(policy->scopes[0], sizeof(policy->scopes[0]), "%s/crl/%s.",
                     it->config.public_url, ca->name);

    ENSURE(op, n > 0 && n < (int)sizeof(policy->scopes[0]), KW_E_INPUT,
           "public_url is too long for the places of CRLs: '%s'", it->config.public_url);
    policy->n_scopes = 1;
    return KW_OK;
}

static struct ceremony_place place_of(const struct init *it, const struct authority *authority)
{
    return (struct ceremony_place){.authority = authority,
                                   .organization = it->config.organization,
                                   .public_url = it->config.public_url,
                                   .server_name = it->config.server_name,
                                   .domains = it->cli->options[OPT_DOMAIN]};
}

/* NULL: a root. The plan has it before those that it signs. */
static const struct ceremony_root *issuer_of(const struct init *it,
                                             const struct authority *authority)
{
    const struct authority *issuer = plan_find(&it->plan, authority->issuer);

    return issuer ? &it->offline_cas[issuer - it->plan.at] : NULL;
}

static kw_status make_ca(struct kw_op *op, struct init *it, const struct authority *ca)
{
    struct key_policy policy;
    char name[KW_NAME_MAX];
    AUTO(pubkey) *key = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, begin_policy(op, &policy, "ca-", ca->name, KEY_CLASS_ISSUING_CA));
    policy.alg = key_alg_from_text(ca->key_alg);
    policy.crl_max_s = CRL_MAX_S;
    TRY(op, put_crl_place(op, it, ca, &policy));
    TRY(op, put_issuer(op, it, ca, &policy));
    TRY(op, put_rules(op, it, ca, &policy));
    TRY(op, create(op, it, &policy, &key));
    const struct ceremony_place place = place_of(it, ca);
    TRY(op, ceremony_sign_ca(op, issuer_of(it, ca), &place, key, &der));
    (void)snprintf(name, sizeof(name), "ca-%.80s", ca->name);
    return service_cert_save(op, it->service, name, kw_bytes_span(der));
}

static kw_status make_ocsp_key(struct kw_op *op, struct init *it, const struct authority *ca)
{
    struct key_policy policy;
    char ca_key[KW_NAME_MAX];
    AUTO(pubkey) *ca_public = NULL;
    AUTO(pubkey) *key = NULL;

    (void)snprintf(ca_key, sizeof(ca_key), "ca-%.80s", ca->name);
    TRY(op, keeper_key_public(op, service_keeper(it->service, ca_key), ca_key, &ca_public));
    TRY(op, begin_policy(op, &policy, "ocsp-", ca->name, KEY_CLASS_OCSP_SIGNER));
    policy.ocsp_max_s = OCSP_MAX_S;
    memcpy(policy.ca_key_sha1, pubkey_sha1(ca_public), sizeof(policy.ca_key_sha1));
    memcpy(policy.ca_key_sha256, pubkey_bits_sha256(ca_public), sizeof(policy.ca_key_sha256));
    TRY(op, put_issuer(op, it, ca, &policy));
    return create(op, it, &policy, &key);
}

/* Signs the answers of the certificate management protocol, in a name that is sealed with it. */
static kw_status make_cmp_key(struct kw_op *op, struct init *it)
{
    struct key_policy policy;
    AUTO(pubkey) *key = NULL;

    TRY(op, begin_policy(op, &policy, "", "cmp-signer", KEY_CLASS_CMP));
    struct kw_out name = {policy.issuer_dn, sizeof(policy.issuer_dn), 0};
    TRY(op, own_cmp_name(op, &it->config, &name));
    policy.issuer_dn_len = (uint32_t)name.len;
    return create(op, it, &policy, &key);
}

/* Registration secrets that CMP verifies are derived from it, and stored nowhere. */
static kw_status make_secrets_key(struct kw_op *op, struct init *it)
{
    struct key_policy policy;
    struct pubkey *none = NULL;

    TRY(op, begin_policy(op, &policy, "", SECRET_KEY, KEY_CLASS_KDF));
    KW_TEXT_SET(policy.scopes[policy.n_scopes++], SECRET_LABEL);
    return create(op, it, &policy, &none);
}

static kw_status make_other_keys(struct kw_op *op, struct init *it)
{
    struct key_policy policy;
    AUTO(pubkey) *tls = NULL;
    AUTO(pubkey) *log = NULL;

    TRY(op, make_cmp_key(op, it));
    TRY(op, make_secrets_key(op, it));

    TRY(op, begin_policy(op, &policy, "", "tls-server", KEY_CLASS_TLS_SERVER));
    TRY(op, create(op, it, &policy, &tls));
    TRY(op, begin_policy(op, &policy, "", "log", KEY_CLASS_LOG_SIGNER));
    KW_TEXT_SET(policy.log_origin, it->config.log_origin);
    return create(op, it, &policy, &log);
}

static kw_status make_keys(struct kw_op *op, struct init *it)
{
    for (unsigned i = 0; i < it->plan.n; i++) {
        const struct authority *one = &it->plan.at[i];
        if (authority_kind_of(one) == AUTHORITY_ISSUING) {
            TRY(op, make_ca(op, it, one));
            TRY(op, make_ocsp_key(op, it, one));
        }
    }
    return make_other_keys(op, it);
}

/* --- first certificates
 * ------------------------------------------------------------------------------------------- */

static void print_cert(const struct store_cert *cert)
{
    (void)printf("certificate    %-18s %s\n", cert->profile, cert->subject);
}

static kw_status issue(struct kw_op *op, struct init *it, struct issue_request *request,
                       const char *common_name, const char *file)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);
    struct store_cert cert;

    TRY(op, ceremony_name(op, it->config.organization, common_name, &name));
    request->subject = kw_out_span(&name);
    request->event = EVENT_CERT_ISSUE;
    TRY(op, authority_issue(op, it->service, request, &cert), "certificate '%s'", common_name);
    print_cert(&cert);
    return service_cert_save(op, it->service, file, KW_SPAN(cert.der, cert.der_len));
}

static kw_status issue_ocsp(struct kw_op *op, struct init *it, const struct authority *authority)
{
    AUTO(authorities) *all = service_authorities(it->service);
    const struct ca *ca = NULL;
    char key_id[KW_NAME_MAX];
    struct store_cert cert;

    (void)snprintf(key_id, sizeof(key_id), "ocsp-%.80s", authority->name);
    TRY(op, authorities_find(op, all, authority->name, &ca));
    TRY(op, own_ocsp_issue(op, it->service, ca, key_id, &cert));
    print_cert(&cert);
    return KW_OK;
}

static kw_status issue_tls(struct kw_op *op, struct init *it)
{
    struct store_cert cert;

    TRY(op, own_tls_issue(op, it->service, "tls-server", &cert));
    print_cert(&cert);
    return KW_OK;
}

static kw_status issue_cmp(struct kw_op *op, struct init *it)
{
    struct store_cert cert;

    TRY(op, own_cmp_issue(op, it->service, "cmp-signer", &cert));
    print_cert(&cert);
    return KW_OK;
}

/* --- the first operator
 * ------------------------------------------------------------------------------------------- */

static kw_status put_admin(struct kw_op *op, struct init *it, const char *dir, const char *name,
                           mode_t mode, struct kw_span content)
{
    char file[96], path[KW_PATH_BYTES];

    (void)snprintf(file, sizeof(file), "%s/%s", dir, name);
    TRY(op, config_path(op, &it->config, file, path, sizeof(path)));
    return os_file_write(op, path, mode, content);
}

static kw_status put_operator_key(struct kw_op *op, struct init *it, const char *dir,
                                  const struct privkey *key)
{
    AUTO(kw_secret) *pkcs8 = NULL;
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, privkey_to_pkcs8(op, key, &pkcs8));
    TRY(op, kw_bytes_new(1024, &pem));
    TRY(op, kw_pem_encode("PRIVATE KEY", kw_secret_span(pkcs8), pem));
    kw_status status = put_admin(op, it, dir, "operator.key", 0600, kw_bytes_span(pem));
    kw_wipe(pem->p, pem->cap);
    return status;
}

static kw_status put_copy(struct kw_op *op, struct init *it, const char *cert, const char *dir,
                          const char *name)
{
    AUTO(cert) *loaded = NULL;
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, service_cert_load(op, it->service, cert, &loaded));
    TRY(op, kw_bytes_new(2048, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(loaded), pem));
    return put_admin(op, it, dir, name, 0644, kw_bytes_span(pem));
}

/* A credential for the operators' listener: key, certificate, root and address in a folder. */
static kw_status make_operator(struct kw_op *op, struct init *it, const char *name, const char *dir,
                               const char *file, uint32_t roles)
{
    char owner[KW_NAME_MAX], url[256];
    AUTO(privkey) *key = NULL;
    struct issue_request request = {
        .profile = "operator", .owner = owner, .custody = "operator's file"};

    TRY(op, privkey_generate(op, KEY_ALG_EC_P256, &key));
    (void)snprintf(owner, sizeof(owner), "operator:%s", name);
    request.key = privkey_public(key);
    TRY(op, issue(op, it, &request, name, file));
    TRY(op, put_operator_key(op, it, dir, key));
    TRY(op, put_copy(op, it, file, dir, "operator.pem"));
    TRY(op, put_copy(op, it, "root", dir, "root.pem"));
    (void)snprintf(url, sizeof(url), "https://%s:%u\n", it->config.server_name,
                   it->config.operators.port);
    TRY(op, put_admin(op, it, dir, "server", 0644, kw_span_text(url)));
    return people_add(op, &it->roster, name, roles, privkey_public(key));
}

/* Who brings a key is enrolled; for who brings none a credential is made beside the first. */
static kw_status make_approver(struct kw_op *op, struct init *it, const char *text)
{
    char dir[KW_NAME_MAX], file[KW_NAME_MAX], path[KW_PATH_BYTES];
    struct people_arg person;
    AUTO(pubkey) *key = NULL;

    TRY(op, people_parse(op, text, &person));
    if (person.file[0]) {
        TRY(op, people_read_key(op, person.file, &key));
        return people_add(op, &it->roster, person.name, person.roles, key);
    }
    ENSURE(op, keeper_key_id_valid(person.name), KW_E_INPUT,
           "--approver %s: a folder cannot be named so; give a file", person.name);
    (void)snprintf(dir, sizeof(dir), "admin-%.80s", person.name);
    (void)snprintf(file, sizeof(file), "operator-%.80s", person.name);
    TRY(op, config_path(op, &it->config, dir, path, sizeof(path)));
    TRY(op, os_dir_make(op, path, 0700));
    TRY(op, make_operator(op, it, person.name, dir, file, person.roles));
    (void)printf("operator       %s/%s\n", it->final, dir);
    return KW_OK;
}

/* From here on the keeper holds the rules against everybody, ceremonies too. */
static kw_status make_people(struct kw_op *op, struct init *it)
{
    enum { FIRST_ROLES = ROLE_SECURITY_OFFICER | ROLE_RELEASE_MANAGER | ROLE_OPERATOR };

    TRY(op, people_rules(op, it->cli->options[OPT_PROFILES], it->approvals, &it->roster));
    TRY(op, make_operator(op, it, it->operator_name, "admin", "operator-first", FIRST_ROLES));
    for (unsigned i = 0; i < it->cli->n_approvers; i++) {
        TRY(op, make_approver(op, it, it->cli->approvers[i]));
    }
    for (unsigned i = 0; i < it->service->n_vaults; i++) {
        TRY(op, keeper_roster_set(op, it->service->vaults[i], &it->roster, 0),
            "the roster of vault '%s'", it->service->config.vaults[i].name);
    }
    people_print(&it->roster);
    return KW_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

struct root_crl {
    const char *name;
    const struct kw_bytes *der;
};

static kw_status put_root_crl(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct root_crl *crl = ctx;
    char key[KW_NAME_MAX + 8];

    (void)snprintf(key, sizeof(key), "crl:%.80s", crl->name);
    return store_blob_put(op, txn, key, 1, kw_bytes_span(crl->der));
}

/* The root's things lie in --offline itself, those of other offline CAs in a folder each. */
static kw_status offline_dir(struct kw_op *op, const struct init *it, const char *name,
                             char path[KW_PATH_BYTES])
{
    if (strcmp(name, "root") == 0) {
        ENSURE(op, kw_text_copy(path, KW_PATH_BYTES, it->offline), KW_E_INPUT,
               "--offline is too long");
        return KW_OK;
    }
    return os_path_join(op, path, KW_PATH_BYTES, it->offline, name);
}

static kw_status make_offline(struct kw_op *op, struct init *it, const struct authority *one)
{
    struct ceremony_root *made = &it->offline_cas[one - it->plan.at];
    const struct ceremony_shares shares = {it->m, it->n};
    const struct ceremony_place place = place_of(it, one);
    char dir[KW_PATH_BYTES], name[KW_NAME_MAX];
    AUTO(kw_bytes) *crl = NULL;
    struct root_crl put = {.name = one->name};

    TRY(op, offline_dir(op, it, one->name, dir));
    TRY(op, ceremony_make_offline(op, dir, &place, issuer_of(it, one), &shares, made));
    (void)printf("%-14s %s/root.key.sealed, opened by %u of %u shares; read back and tried\n",
                 one->name, dir, it->m, it->n);
    authorities_above_file(one->name, name);
    TRY(op, service_cert_save(op, it->service, name, cert_der(made->cert)));
    TRY(op, ceremony_sign_crl(op, made, &crl));
    put.der = crl;
    return store_change(op, it->service->store, put_root_crl, &put);
}

static kw_status make_roots(struct kw_op *op, struct init *it)
{
    TRY(op, os_dir_make(op, it->offline, 0700));
    for (unsigned i = 0; i < it->plan.n; i++) {
        if (authority_kind_of(&it->plan.at[i]) != AUTHORITY_ISSUING) {
            TRY(op, make_offline(op, it, &it->plan.at[i]), "offline CA '%s'", it->plan.at[i].name);
        }
    }
    return KW_OK;
}

static kw_status fill(struct kw_op *op, struct init *it)
{
    struct event event = {.type = EVENT_SYSTEM_INIT, .source = "keywright init", .object = "root"};

    TRY(op, make_roots(op, it), "root ceremony");
    TRY(op, make_keys(op, it));
    TRY(op, service_bind_cas(op, it->service));
    for (unsigned i = 0; i < it->plan.n; i++) {
        if (authority_kind_of(&it->plan.at[i]) == AUTHORITY_ISSUING) {
            TRY(op, issue_ocsp(op, it, &it->plan.at[i]));
        }
    }
    TRY(op, issue_tls(op, it));
    TRY(op, issue_cmp(op, it));
    TRY(op, make_people(op, it));
    (void)snprintf(event.detail, sizeof(event.detail), "root ceremony for O=%s, %u of %u shares",
                   it->config.organization, it->m, it->n);
    TRY(op, service_record_alone(op, it->service, &event));
    return log_checkpoint_now(op, it->service);
}

/* Shares go where the root's go: away from the server. */
static kw_status give_secret(struct kw_op *op, const char *name, const char *folder,
                             const char *unlock, void *ctx)
{
    struct init *it = ctx;

    return vault_give_secret(op, it->cli, name, folder, unlock, it->offline);
}

static kw_status build(struct kw_op *op, struct init *it)
{
    char keeper[KEEPER_PROGRAM_MAX];
    struct keeper_config config = {.program = keeper,
                                   .create = true,
                                   .ceremony = true,
                                   .sealed = give_secret,
                                   .sealed_ctx = it};

    TRY(op, make_folders(op, it));
    TRY(op, make_unlock(op, it));
    if (it->cli->options[OPT_VAULTS]) {
        TRY(op, config_vaults_load(op, it->cli->options[OPT_VAULTS], &it->config), "--vaults");
    }
    TRY(op, config_vaults(op, &it->config));
    TRY(op, config_save(op, &it->config));
    TRY(op, keeper_program_find(op, it->cli->options[OPT_KEEPER], keeper));
    TRY(op, service_open(op, it->work, &config, &it->service));
    kw_status status = fill(op, it);
    service_close(TAKE(it->service));
    TRY(op, status);
    return owners_set(op, &it->config);
}

/* Those below it first: then its folder is empty. */
static void discard_offline(const struct init *it)
{
    char dir[KW_PATH_BYTES];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    for (unsigned i = it->plan.n; i-- > 0;) {
        if (it->offline_cas[i].key && strcmp(it->plan.at[i].name, "root") != 0 &&
            kw_ok(offline_dir(&op, it, it->plan.at[i].name, dir))) {
            ceremony_discard(dir);
        }
    }
    const struct authority *root = plan_find(&it->plan, "root");
    if (root && it->offline_cas[root - it->plan.at].key) {
        ceremony_discard(it->offline);
    }
}

static kw_status finish(struct kw_op *op, struct init *it, kw_status status)
{
    if (!kw_ok(status)) { /* nothing half-done stays; the offline folder may hold others' files */
        (void)kw_ok(os_tree_remove(NULL, it->work)); /* the failure before is the one to tell */
        discard_offline(it);
        return status;
    }
    ENSURE(op, rename(it->work, it->final) == 0, KW_E_IO, "putting %s in place: %s", it->final,
           strerror(errno));
    (void)printf("state          %s\noperator       %s/admin (set KEYWRIGHT_ADMIN to it)\n"
                 "Take %s away now: the server never needs it.\n",
                 it->final, it->final, it->offline);
    return KW_OK;
}

kw_status cli_init(struct kw_op *op, struct cli *cli)
{
    static struct init it; /* large, and made once a process */

    it.cli = cli;
    TRY(op, take_options(op, &it));
    (void)kw_ok(os_tree_remove(NULL, it.work)); /* of a ceremony that was cut */
    kw_status status = finish(op, &it, build(op, &it));
    for (unsigned i = 0; i < PLAN_MAX; i++) {
        ceremony_root_done(&it.offline_cas[i]);
    }
    return status;
}
