#include "service/keys/own.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "crypto/dn.h"
#include "os/clock.h"
#include "service/authority/issue.h"

static const char TLS_CERT[] = "tls-server";
static const char CMP_CERT[] = "cmp-signer", CMP_NAME[] = "Keywright CMP";

/* --- issuing ---------------------------------------------------------------------------------- */

/* A new certificate on its way into the place of the old one. */
struct successor {
    struct service *service;
    struct cert *old; /* NULL where it is the first */
    const char *name; /* of its file */
};

static void successor_done(struct successor *it)
{
    cert_unref(it->old);
}

static kw_status supersede(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct successor *it = ctx;
    struct store_cert old;

    if (!it->old) {
        return KW_OK;
    }
    kw_status status = store_cert_by_fingerprint_txn(op, txn, cert_sha256(it->old), &old);
    if (status.code == KW_E_NOT_FOUND) { /* not ours: put there by hand */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    if (old.state != CERT_STATE_VALID) {
        return KW_OK;
    }
    return store_cert_set_state(op, txn, old.row, CERT_STATE_SUPERSEDED, os_clock_unix_s(),
                                REVOKE_SUPERSEDED);
}

/* A key that has a certificate of this owner gets another one; a key that is new gets its first. */
static kw_status is_known(struct kw_op *op, struct service *service, const struct pubkey *key,
                          const char *owner, bool *ret)
{
    struct store_pubkey known;
    kw_status status = store_pubkey_get(op, service->store, pubkey_id(key), &known);

    *ret = kw_ok(status);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    ENSURE(op, strcmp(known.owner, owner) == 0, KW_E_CONFLICT, "this key is of %s", known.owner);
    return KW_OK;
}

static kw_status load_old(struct kw_op *op, struct successor *it)
{
    kw_status status = service_cert_load(op, it->service, it->name, &it->old);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

static kw_status issue_for(struct kw_op *op, struct service *service, struct issue_request *request,
                           const char *common_name, const char *file, struct store_cert *ret)
{
    __attribute__((cleanup(successor_done))) struct successor it = {.service = service,
                                                                    .name = file};
    const struct dn_part parts[] = {
        {"O",  service->config.organization},
        {"CN", common_name                 }
    };
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);
    struct store_cert cert;

    TRY(op, dn_build(op, parts, KW_COUNT(parts), &name));
    TRY(op, load_old(op, &it));
    TRY(op, is_known(op, service, request->key, request->owner, &request->same_key));
    request->subject = kw_out_span(&name);
    request->event = it.old ? EVENT_CERT_RENEW : EVENT_CERT_ISSUE;
    /* with the same key the older one stays: its revocation would retire the key with it */
    request->within = request->same_key ? NULL : supersede;
    request->within_ctx = &it;
    TRY(op, authority_issue(op, service, request, &cert), "certificate '%s'", common_name);
    TRY(op, service_cert_save(op, service, file, KW_SPAN(cert.der, cert.der_len)));
    if (ret) {
        *ret = cert;
    }
    return KW_OK;
}

static kw_status issue(struct kw_op *op, struct service *service,
                       const struct issue_request *request, const char *key_id,
                       const char *common_name, const char *file, struct store_cert *ret)
{
    struct keeper_key_info info;
    char custody[KW_NAME_MAX];
    AUTO(pubkey) *key = NULL;

    TRY(op, keeper_key_find(op, service_keeper(service, key_id), key_id, &info));
    TRY(op, pubkey_parse(op, KW_SPAN(info.spki, info.spki_len), &key), "key '%s'", key_id);
    (void)snprintf(custody, sizeof(custody), "keeper %s", info.custody);
    struct issue_request whole = *request; /* it borrows from this function's own */
    whole.key = key;
    whole.custody = custody;
    return issue_for(op, service, &whole, common_name, file, ret);
}

static bool is_address(const char *text)
{
    struct in6_addr room;

    return inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1;
}

kw_status own_tls_issue(struct kw_op *op, struct service *service, const char *key_id,
                        struct store_cert *ret)
{
    const char *host = service->config.server_name;
    bool address = is_address(host), local = strcmp(host, "localhost") == 0;
    struct issue_request request = {
        .profile = "tls-server",
        .owner = "server:gate",
        .san_dns = {"localhost", address || local ? NULL : host},
        .san_ip = {"127.0.0.1", address && strcmp(host, "127.0.0.1") != 0 ? host : NULL},
    };

    return issue(op, service, &request, key_id, host, TLS_CERT, ret);
}

kw_status own_cmp_name(struct kw_op *op, const struct config *config, struct kw_out *ret)
{
    const struct dn_part parts[] = {
        {"O",  config->organization},
        {"CN", CMP_NAME            }
    };

    return dn_build(op, parts, KW_COUNT(parts), ret);
}

kw_status own_cmp_issue(struct kw_op *op, struct service *service, const char *key_id,
                        struct store_cert *ret)
{
    struct issue_request request = {.profile = "cmp-signer", .owner = "server:cmp"};

    return issue(op, service, &request, key_id, CMP_NAME, CMP_CERT, ret);
}

static void ocsp_file(const struct ca *ca, char name[KW_NAME_MAX])
{
    (void)snprintf(name, KW_NAME_MAX, "ocsp-%.80s", ca->id);
}

kw_status own_ocsp_issue(struct kw_op *op, struct service *service, const struct ca *ca,
                         const char *key_id, struct store_cert *ret)
{
    char owner[KW_NAME_MAX], file[KW_NAME_MAX], ca_name[128], name[140];
    struct issue_request request = {.profile = "ocsp-signer", .ca = ca->id, .owner = owner};

    (void)snprintf(owner, sizeof(owner), "ocsp:%.80s", ca->base);
    ocsp_file(ca, file);
    TRY(op, dn_get(op, cert_subject(ca->cert), "CN", ca_name, sizeof(ca_name)));
    (void)snprintf(name, sizeof(name), "%s OCSP", ca_name);
    return issue(op, service, &request, key_id, name, file, ret);
}

kw_status own_tls_key(struct kw_op *op, struct service *service, struct keeper_key_info *ret)
{
    AUTO(cert) *cert = NULL;

    TRY(op, service_cert_load(op, service, TLS_CERT, &cert));
    return service_key_of(op, service, KEY_CLASS_TLS_SERVER, cert_public(cert), ret);
}

kw_status own_reload(struct kw_op *op, struct service *service)
{
    TRY(op, service_bind_cas(op, service), "taking new certificates into use");
    if (!service->certs_changed) {
        return KW_OK;
    }
    TRY(op, service->certs_changed(op, service->certs_changed_ctx), "the listeners");
    return KW_OK;
}

/* --- by time ---------------------------------------------------------------------------------- */

int64_t own_renew_at(int64_t not_before, int64_t not_after)
{
    return not_before + (not_after - not_before) / 3 * 2;
}
