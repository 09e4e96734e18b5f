/* `keywright init`: who operates and who approves. */
#include "cmd/keywright/init.h"

#include <stdio.h>

#include "base/pem.h"
#include "cmd/keywright/people.h"
#include "keeper/msg.h"
#include "model/object.h"
#include "os/files.h"

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
    object_write(OBJECT_OPERATOR, name, owner);
    request.key = privkey_public(key);
    TRY(op, init_issue(op, it, &request, name, file));
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
kw_status init_people(struct kw_op *op, struct init *it)
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
