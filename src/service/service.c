#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/pem.h"
#include "crypto/digest.h"
#include "os/clock.h"
#include "os/files.h"
#include "service/authorities.h"
#include "service/authority/serials.h"
#include "service/backup/backup.h"
#include "service/doctor/doctor.h"
#include "service/event_text.h"
#include "service/log/gap.h"
#include "service/log/log.h"
#include "service/profiles.h"
#include "service/quality/batch.h"
#include "service/revocation/revocation.h"
#include "service/validation/crl_maker.h"
#include "service/validation/filter_maker.h"
#include "service/validation/ocsp_responder.h"
#include "service/validation/status_keep.h"
#include "service/vaults.h"
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

/* --- open and close --------------------------------------------------------------------------- */

static kw_status open_store(struct kw_op *op, struct service *service)
{
    char path[KW_PATH_BYTES];
    struct store_config config = {.path = path};

    TRY(op, log_new(op, &service->log));
    log_hooks(service->log, &config);
    status_keep_hooks(service->status, &config);
    TRY(op, config_path(op, &service->config, "store/keywright.db", path, sizeof(path)));
    TRY(op, store_open(op, &config, &service->store), "store %s", path);
    return KW_OK;
}

kw_status service_spawner_new(struct kw_op *op, const char *state_dir, struct keeper_config *keeper)
{
    static struct config config; /* large; at the start, one thread */
    static struct vault_paths paths[CONFIG_VAULTS_MAX];
    struct keeper_config described[CONFIG_VAULTS_MAX];
    const char *users[CONFIG_VAULTS_MAX];

    TRY(op, config_load(op, state_dir, &config));
    for (unsigned i = 0; i < config.n_vaults; i++) {
        described[i] = *keeper;
        TRY(op, vault_describe(op, &config, &config.vaults[i], &paths[i], &described[i]));
        users[i] = *config.keeper_user ? config.keeper_user : config.user;
        if (geteuid() != 0) {
            users[i] = NULL; /* nobody else can be become */
        }
    }
    return keeper_spawner_new(op, described, users, config.n_vaults, &keeper->spawner);
}

static kw_status open_parts(struct kw_op *op, struct service *service,
                            const struct keeper_config *keeper)
{
    char path[KW_PATH_BYTES];

    TRY(op, config_path(op, &service->config, "profiles", path, sizeof(path)));
    TRY(op, profiles_load(op, path, service->profiles, SERVICE_PROFILES_MAX, &service->n_profiles));
    TRY(op, config_path(op, &service->config, "authorities", path, sizeof(path)));
    TRY(op, plan_load(op, path, &service->plan));
    TRY(op, serials_new(op, &service->serials));
    TRY(op, backup_new(op, service, &service->backup));
    TRY(op, ocsp_cache_new(op, &service->ocsp_cache));
    TRY(op, status_keep_new(op, service, &service->status));
    TRY(op, crl_maker_new(op, service, &service->crl_maker));
    TRY(op, vaults_open(op, service, keeper));
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
    pthread_mutex_init(&service->authorities_lock, NULL);
    pthread_mutex_init(&service->rotation, NULL);
    TRY(op, config_load(op, state_dir, &service->config));
    TRY(op, open_parts(op, service, keeper));
    *ret = TAKE(service);
    return KW_OK;
}

void service_on_certs_changed(struct service *service, service_certs_changed changed, void *ctx)
{
    pthread_mutex_lock(&service->rotation);
    service->certs_changed = changed;
    service->certs_changed_ctx = ctx;
    pthread_mutex_unlock(&service->rotation);
}

kw_status service_start(struct kw_op *op, struct service *service)
{
    if (atomic_load(&service->gap.open)) {
        return KW_OK; /* nothing of it may be done before the store is whole */
    }
    TRY(op, reconcile_at_start(op, service), "the keeper's journal");
    TRY(op, log_start(op, service->log));
    TRY(op, status_keep_start(op, service->status));
    TRY(op, crl_maker_start(op, service->crl_maker));
    TRY(op, filter_shelf_start(op, service));
    TRY(op, ocsp_presigner_start(op, service, &service->presigner));
    TRY(op, batch_worker_start(op, service, &service->batches));
    TRY(op, revocation_sweep(op, service));
    TRY(op, revoker_start(op, service, &service->revoker));
    return watch_start(op, service, &service->watch);
}

void service_close(struct service *service)
{
    if (!service) {
        return;
    }
    backup_free(service->backup);
    watch_stop(service->watch);
    ocsp_presigner_stop(service->presigner);
    batch_worker_stop(service->batches);
    revoker_stop(service->revoker);
    filter_shelf_stop(service->filters);
    crl_maker_stop(service->crl_maker);
    status_keep_stop(service->status);
    if (service->log) {
        log_stop(service->log);
    }
    if (service->store) { /* none where it could not be opened */
        store_close(service->store);
    }
    authorities_unref(service->authorities);
    vaults_close(service);
    log_free(service->log);
    ocsp_cache_free(service->ocsp_cache);
    crl_maker_free(service->crl_maker);
    status_keep_free(service->status);
    serials_free(service->serials);
    pthread_mutex_destroy(&service->authorities_lock);
    pthread_mutex_destroy(&service->rotation);
    free(service);
}

/* --- finding ---------------------------------------------------------------------------------- */

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
