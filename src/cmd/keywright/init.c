/*
 * `keywright init`: the root ceremony and the state folder. Everything is made in a folder beside
 * the final one, which appears whole or not at all.
 */
#include "cmd/keywright/init.h"

#include <errno.h>
#include <stdio.h>

#include "cmd/keywright/owners.h"
#include "cmd/keywright/vault.h"
#include "os/files.h"
#include "service/authorities.h"
#include "service/keys/own.h"
#include "service/log/log.h"

/* --- first certificates
 * ------------------------------------------------------------------------------------------- */

static void print_cert(const struct store_cert *cert)
{
    (void)printf("certificate    %-18s %s\n", cert->profile, cert->subject);
}

kw_status init_issue(struct kw_op *op, struct init *it, struct issue_request *request,
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
    const struct ceremony_place place = init_place(it, one);
    char dir[KW_PATH_BYTES], name[KW_NAME_MAX];
    AUTO(kw_bytes) *crl = NULL;
    struct root_crl put = {.name = one->name};

    TRY(op, offline_dir(op, it, one->name, dir));
    TRY(op, ceremony_make_offline(op, dir, &place, init_issuer(it, one), &shares, made));
    (void)printf("%-14s %s/root.key.sealed, opened by %u of %u shares; read back and tried\n",
                 one->name, dir, it->m, it->n);
    authorities_above_file(one->name, name);
    TRY(op, service_cert_save(op, it->service, name, cert_der(made->cert)));
    TRY(op, ceremony_sign_crl(op, made, /* number= */ 1, NULL, 0, &crl));
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
    TRY(op, init_keys(op, it));
    TRY(op, service_bind_cas(op, it->service));
    for (unsigned i = 0; i < it->plan.n; i++) {
        if (authority_kind_of(&it->plan.at[i]) == AUTHORITY_ISSUING) {
            TRY(op, issue_ocsp(op, it, &it->plan.at[i]));
        }
    }
    TRY(op, issue_tls(op, it));
    TRY(op, issue_cmp(op, it));
    TRY(op, init_people(op, it));
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

    TRY(op, init_folders(op, it));
    TRY(op, init_unlock(op, it));
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
    TRY(op, init_options(op, &it));
    (void)kw_ok(os_tree_remove(NULL, it.work)); /* of a ceremony that was cut */
    kw_status status = finish(op, &it, build(op, &it));
    for (unsigned i = 0; i < PLAN_MAX; i++) {
        ceremony_root_done(&it.offline_cas[i]);
    }
    return status;
}
