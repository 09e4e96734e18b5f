#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/pem.h"
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "os/clock.h"
#include "os/files.h"
#include "service/authority/serials.h"
#include "service/event_text.h"
#include "service/log/log.h"
#include "service/profiles.h"
#include "service/validation/crl_maker.h"
#include "service/validation/ocsp_responder.h"
#include "service/watch.h"

enum { CERT_FILE_MAX = 65536, ENTRY_ROOM = 1024, COMPLAIN_EVERY_MS = 1000 };

/* --- certificates of STATE/certs
 * ---------------------------------------------------------------------------------- */

static kw_status cert_file(struct kw_op *op, struct service *service, const char *name, char *path,
                           size_t cap)
{
    char file[KW_NAME_MAX + 16];

    (void)snprintf(file, sizeof(file), "certs/%s.pem", name);
    return config_path(op, &service->config, file, path, cap);
}

kw_status service_cert_load(struct kw_op *op, struct service *service, const char *name,
                            struct cert **ret)
{
    char path[KW_PATH_BYTES];
    unsigned n = 0;
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, cert_file(op, service, name, path, sizeof(path)));
    TRY(op, os_file_read(op, path, CERT_FILE_MAX, &pem), "certificate '%s'", name);
    TRY(op, cert_parse_pem(op, kw_bytes_span(pem), ret, 1, &n), "%s", path);
    return KW_OK;
}

kw_status service_cert_save(struct kw_op *op, struct service *service, const char *name,
                            struct kw_span der)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, cert_file(op, service, name, path, sizeof(path)));
    TRY(op, kw_bytes_new(2 * der.len + 128, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", der, pem));
    return os_file_write(op, path, 0644, kw_bytes_span(pem));
}

/* --- CAs -------------------------------------------------------------------------------------- */

static void ca_done(struct ca *ca)
{
    cert_unref(ca->cert);
    cert_unref(ca->ocsp_cert);
    privkey_unref(ca->crl_key);
    privkey_unref(ca->ocsp_key);
    memset(ca, 0, sizeof(*ca));
}

/* A delegated OCSP signer is optional: a ceremony issues it after the CA exists. */
static kw_status bind_ocsp(struct kw_op *op, struct service *service, struct ca *ca)
{
    (void)snprintf(ca->ocsp_key_id, sizeof(ca->ocsp_key_id), "ocsp-%.80s", ca->id);
    kw_status status = service_cert_load(op, service, ca->ocsp_key_id, &ca->ocsp_cert);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    return keeper_privkey(op, service->keeper, ca->ocsp_key_id, KEEPER_SIGN_OCSP, NULL,
                          &ca->ocsp_key);
}

static kw_status bind_ca(struct kw_op *op, struct service *service, const char *id, struct ca *ca)
{
    AUTO(pubkey) *key = NULL;

    KW_TEXT_SET(ca->id, id);
    (void)snprintf(ca->key_id, sizeof(ca->key_id), "ca-%.80s", id);
    TRY(op, service_cert_load(op, service, ca->key_id, &ca->cert));
    dn_text(cert_subject(ca->cert), ca->subject, sizeof(ca->subject));
    TRY(op, keeper_key_public(op, service->keeper, ca->key_id, &key), "key of CA '%s'", id);
    ENSURE(op, pubkey_equal(key, cert_public(ca->cert)), KW_E_INTEGRITY,
           "the certificate of CA '%s' is not for the keeper's key '%s'", id, ca->key_id);
    TRY(op, keeper_privkey(op, service->keeper, ca->key_id, KEEPER_SIGN_CRL, NULL, &ca->crl_key));
    return bind_ocsp(op, service, ca);
}

static kw_status bind_profile(struct kw_op *op, struct service *service,
                              struct bound_profile *profile)
{
    const char *wanted = profile->data.ca;
    bool found = false;

    profile->ca = NULL;
    for (unsigned i = 0; i < service->n_cas; i++) {
        struct ca *ca = &service->cas[i];
        bool any = strcmp(wanted, "*") == 0;
        if (!any && strcmp(wanted, ca->id) != 0) {
            continue;
        }
        found = true;
        profile->ca = any ? NULL : ca;
        TRY(op, keeper_privkey(op, service->keeper, ca->key_id, KEEPER_SIGN_CERT,
                               profile->data.name, &profile->key[i]));
    }
    ENSURE(op, found, KW_E_INPUT, "profile '%s' names CA '%s', which is not configured",
           profile->data.name, wanted);
    return KW_OK;
}

/* The server's own certificates end too: /metrics and the journal tell when, before devices notice.
 */
static kw_status note_own_end(struct kw_op *op, struct service *service)
{
    AUTO(cert) *tls = NULL;
    kw_status status = service_cert_load(op, service, "tls-server", &tls);

    if (status.code == KW_E_NOT_FOUND) { /* in a ceremony */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    service->own_certs_end_s = cert_not_after(tls);
    for (unsigned i = 0; i < service->n_cas; i++) {
        const struct cert *ocsp = service->cas[i].ocsp_cert;
        if (ocsp && cert_not_after(ocsp) < service->own_certs_end_s) {
            service->own_certs_end_s = cert_not_after(ocsp);
        }
    }
    return KW_OK;
}

static void unbind(struct service *service)
{
    for (unsigned i = 0; i < service->n_profiles; i++) {
        for (unsigned ca = 0; ca < SERVICE_CAS_MAX; ca++) {
            privkey_unref(service->profiles[i].key[ca]);
            service->profiles[i].key[ca] = NULL;
        }
    }
    for (unsigned i = 0; i < service->n_cas; i++) {
        ca_done(&service->cas[i]);
    }
    service->n_cas = 0;
    cert_unref(service->root);
    service->root = NULL;
}

kw_status service_bind_cas(struct kw_op *op, struct service *service)
{
    unbind(service);
    TRY(op, service_cert_load(op, service, "root", &service->root));
    dn_text(cert_subject(service->root), service->root_subject, sizeof(service->root_subject));
    for (unsigned i = 0; i < service->config.n_cas; i++) {
        service->n_cas++;
        TRY(op, bind_ca(op, service, service->config.cas[i], &service->cas[i]), "CA '%s'",
            service->config.cas[i]);
    }
    for (unsigned i = 0; i < service->n_profiles; i++) {
        TRY(op, bind_profile(op, service, &service->profiles[i]));
    }
    return note_own_end(op, service);
}

/* --- open and close --------------------------------------------------------------------------- */

static kw_status open_store(struct kw_op *op, struct service *service)
{
    char path[KW_PATH_BYTES];
    struct store_config config = {.path = path};

    TRY(op, log_new(op, &service->log));
    log_hooks(service->log, &config);
    TRY(op, config_path(op, &service->config, "store/keywright.db", path, sizeof(path)));
    TRY(op, store_open(op, &config, &service->store), "store %s", path);
    return KW_OK;
}

/* A passphrase file without a leading slash lies in the state folder. */
static kw_status unlock_method(struct kw_op *op, const struct config *config, char *unlock,
                               size_t cap)
{
    static const char scheme[] = "passphrase-file:";
    char path[KW_PATH_BYTES];
    size_t n = sizeof(scheme) - 1;

    if (strncmp(config->unlock, scheme, n) != 0 || config->unlock[n] == '/') {
        ENSURE(op, kw_text_copy(unlock, cap, config->unlock), KW_E_INPUT,
               "the field 'unlock' is too long");
        return KW_OK;
    }
    TRY(op, config_path(op, config, config->unlock + n, path, sizeof(path)));
    (void)snprintf(unlock, cap, "%s%s", scheme, path);
    return KW_OK;
}

static kw_status open_keeper(struct kw_op *op, struct service *service,
                             const struct keeper_config *given)
{
    char vault[KW_PATH_BYTES], unlock[2 * KW_PATH_BYTES];
    struct keeper_config config = *given;

    TRY(op, config_path(op, &service->config, "keeper", vault, sizeof(vault)));
    TRY(op, unlock_method(op, &service->config, unlock, sizeof(unlock)));
    config.vault = vault;
    config.unlock = unlock;
    TRY(op, keeper_start(op, &config, &service->keeper), "starting the keeper");
    return KW_OK;
}

static kw_status open_parts(struct kw_op *op, struct service *service,
                            const struct keeper_config *keeper)
{
    char path[KW_PATH_BYTES];

    TRY(op, config_path(op, &service->config, "profiles", path, sizeof(path)));
    TRY(op, profiles_load(op, path, service->profiles, SERVICE_PROFILES_MAX, &service->n_profiles));
    TRY(op, serials_new(op, &service->serials));
    TRY(op, ocsp_cache_new(op, &service->ocsp_cache));
    TRY(op, open_keeper(op, service, keeper));
    TRY(op, open_store(op, service));
    TRY(op, log_bind(op, service->log, service), "log");
    if (keeper->ceremony) {
        return KW_OK;
    }
    TRY(op, service_bind_cas(op, service));
    return log_confirm(op, service);
}

kw_status service_open(struct kw_op *op, const char *state_dir, const struct keeper_config *keeper,
                       struct service **ret)
{
    AUTO(service) *service = calloc(1, sizeof(*service));

    ENSURE(op, service, KW_E_MEMORY, "no memory for the service");
    TRY(op, config_load(op, state_dir, &service->config));
    TRY(op, open_parts(op, service, keeper));
    *ret = TAKE(service);
    return KW_OK;
}

kw_status service_start(struct kw_op *op, struct service *service)
{
    TRY(op, log_start(op, service->log));
    TRY(op, crl_maker_start(op, service, &service->crl_maker));
    return watch_start(op, service, &service->watch);
}

void service_close(struct service *service)
{
    if (!service) {
        return;
    }
    watch_stop(service->watch);
    crl_maker_stop(service->crl_maker);
    if (service->log) {
        log_stop(service->log);
    }
    if (service->store) { /* none where it could not be opened */
        store_close(service->store);
    }
    unbind(service);
    keeper_stop(service->keeper);
    log_free(service->log);
    ocsp_cache_free(service->ocsp_cache);
    serials_free(service->serials);
    free(service);
}

/* --- finding ---------------------------------------------------------------------------------- */

kw_status service_ca(struct kw_op *op, struct service *service, const char *id, struct ca **ret)
{
    for (unsigned i = 0; i < service->n_cas; i++) {
        if (strcmp(service->cas[i].id, id) == 0) {
            *ret = &service->cas[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no CA '%s'", id);
}

struct ca *service_ca_by_name(struct service *service, struct kw_span issuer_dn)
{
    for (unsigned i = 0; i < service->n_cas; i++) {
        if (kw_span_equal(cert_subject(service->cas[i].cert), issuer_dn)) {
            return &service->cas[i];
        }
    }
    return NULL;
}

kw_status service_profile(struct kw_op *op, struct service *service, const char *name,
                          const struct bound_profile **ret)
{
    for (unsigned i = 0; i < service->n_profiles; i++) {
        if (strcmp(service->profiles[i].data.name, name) == 0) {
            *ret = &service->profiles[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no profile '%s'", name);
}

/* --- events ----------------------------------------------------------------------------------- */

static void complete(const struct kw_op *op, const struct event *given, struct event *event)
{
    *event = *given;
    if (!event->unix_ms) {
        event->unix_ms = os_clock_unix_ms();
    }
    if (!*event->source) {
        KW_TEXT_SET(event->source, "keywrightd");
    }
    if (!*event->actor) {
        KW_TEXT_SET(event->actor, *op->principal ? op->principal : "system");
    }
    if (!*event->request_id) {
        KW_TEXT_SET(event->request_id, op->request_id);
    }
    if (!*event->result) {
        KW_TEXT_SET(event->result, "success");
    }
}

kw_status service_record(struct kw_op *op, struct service *service, struct store_txn *txn,
                         const struct event *given)
{
    struct event event;
    AUTO(kw_bytes) *entry = NULL;

    (void)service;
    complete(op, given, &event);
    TRY(op, kw_bytes_new(ENTRY_ROOM, &entry));
    TRY(op, event_encode(op, &event, entry), "recording %s", event_type_text(event.type));
    return store_log_append(op, txn, kw_bytes_span(entry));
}

struct lone_event {
    struct service *service;
    const struct event *event;
};

static kw_status record_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct lone_event *lone = ctx;

    return service_record(op, lone->service, txn, lone->event);
}

kw_status service_record_alone(struct kw_op *op, struct service *service, const struct event *event)
{
    struct lone_event lone = {.service = service, .event = event};

    return store_change(op, service->store, record_in, &lone);
}

void service_complain(struct service *service, const struct kw_op *op, const char *what)
{
    int64_t now_ms = os_clock_mono_ms();
    long long last = atomic_load(&service->last_complaint_ms);

    if (!service->complain || (last && now_ms - last < COMPLAIN_EVERY_MS)) {
        return;
    }
    atomic_store(&service->last_complaint_ms, now_ms);
    service->complain(what, op);
}

int64_t service_now_ms(void)
{
    return os_clock_unix_ms();
}

void service_key_hash(const struct keeper_key_info *key, uint8_t ret[KW_HASH_BYTES])
{
    digest_sha256(KW_SPAN(key->spki, key->spki_len), ret);
}
