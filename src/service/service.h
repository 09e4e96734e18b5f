/*
 * Everything a running Keywright server is, without its network: the store, the keeper, the CAs,
 * the profiles, the log. One object, made once, shared by all handler threads; its parts are the
 * folders beside this file.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/cert.h"
#include "keeper/keeper.h"
#include "model/event.h"
#include "model/profile.h"
#include "service/authority/plan.h"
#include "service/config.h"
#include "store/store.h"

enum { SERVICE_CAS_MAX = 32, SERVICE_PROFILES_MAX = 64 };

struct authorities; /* the issuing CAs: service/authorities.h */

/* A profile of STATE/profiles; what signs under its rule is in struct authorities. */
struct bound_profile {
    struct profile data;
};

struct log_sequencer;
struct ocsp_cache;
struct ocsp_presigner;
struct crl_maker;
struct filter_shelf;
struct status_keep;
struct serial_pool;
struct watch;
struct revoker;
struct backup_maker;
struct batch_worker;

/* The server's own certificates, or its CAs, are others now. */
typedef kw_status (*service_certs_changed)(struct kw_op *op, void *ctx);

/* What the log says, and the store does not know: service/log/gap.h. */
struct service_gap {
    atomic_bool open;
    uint64_t have, known; /* set before `open` is */
};

struct service {
    struct config config;
    struct store *store;
    unsigned n_vaults;
    struct keeper *vaults[CONFIG_VAULTS_MAX]; /* beside config.vaults: the keeper of each */
    struct keeper *keeper;                    /* of the first one, "main" */
    atomic_llong own_certs_end_s;     /* when the first of the server's own certificates (TLS, OCSP)
                                         ends */
    pthread_mutex_t authorities_lock; /* guards the pointer; the set itself never changes */
    struct authorities *authorities;
    struct plan plan; /* of the authorities, as STATE/authorities said when it was opened */
    unsigned n_profiles;
    struct bound_profile profiles[SERVICE_PROFILES_MAX];
    struct log_sequencer *log;
    struct ocsp_cache *ocsp_cache;
    struct ocsp_presigner *presigner;
    struct status_keep *status;
    struct crl_maker *crl_maker;
    struct filter_shelf *_Atomic filters; /* NULL: none are made (yet) */
    struct serial_pool *serials;
    struct watch *watch;
    struct batch_worker *batches;
    struct revoker *revoker;
    struct backup_maker *backup;
    pthread_mutex_t rotation; /* one change of keys and certificates at a time; guards the next */
    service_certs_changed certs_changed;
    void *certs_changed_ctx;
    struct service_gap gap;
    unsigned log_line;          /* 1, or what it went on as: service/log/lines.h */
    char log_base[KW_NAME_MAX]; /* log_origin as configured; config has the present line's */
    atomic_llong last_complaint_ms;
    void (*complain)(const char *what,
                     const struct kw_op *op); /* one line for the journal; NULL = nobody listens */
};

/**
 * Make the process that starts the keeper, under `keeper_user` where we are root, and set it in
 * keeper->spawner (the caller's to free after service_close()). For servers that give up their
 * privileges: before other threads, landlock and seccomp.
 */
kw_status service_spawner_new(struct kw_op *op, const char *state_dir,
                              struct keeper_config *keeper);
/**
 * Open the state folder: configuration, store (migrated), profiles, keeper (started), log, and,
 * except in a ceremony, the CAs. keeper: program, create and ceremony are the caller's; vault and
 * unlock are filled in from the configuration. Errors: those of the parts, with the file or object
 * named. Nothing runs after a failure.
 */
kw_status service_open(struct kw_op *op, const char *state_dir, const struct keeper_config *keeper,
                       struct service **ret);
/* Load the CAs' certificates, bind profiles to them, and put this set in the place of the one
 * before; service_open() does it except in a ceremony, and every rotation does it again. Any
 * thread, one at a time. On failure the set before stays. */
kw_status service_bind_cas(struct kw_op *op, struct service *service);
/* A certificate of STATE/certs: "root", "ca-devices", "ocsp-devices", "tls-server". KW_E_NOT_FOUND.
 */
kw_status service_cert_load(struct kw_op *op, struct service *service, const char *name,
                            struct cert **ret);
kw_status service_cert_save(struct kw_op *op, struct service *service, const char *name,
                            struct kw_span der);
/* The keeper of the vault where this key lives or, being new, would be made (configuration, field
 * `vaults`). Never NULL; borrowed from the service. */
struct keeper *service_keeper(const struct service *service, const char *key_id);
/* The keeper of a vault by the vault's name. KW_E_NOT_FOUND. */
kw_status service_vault(struct kw_op *op, const struct service *service, const char *name,
                        struct keeper **ret);
/* How vault i is; asks its keeper for at most two seconds. */
kw_status service_vault_status(struct kw_op *op, const struct service *service, unsigned i,
                               struct keeper_vault_status *ret);
/* Where a walk through the keys of all vaults is; begins as zero. */
struct service_key_walk {
    unsigned vault;
    uint32_t index;
    unsigned n_away; /* vaults that were passed over: sealed, or their keeper is away */
};
/* The next key. KW_E_NOT_FOUND after the last; KW_E_UNAVAILABLE instead where vaults were passed
 * over. */
kw_status service_key_next(struct kw_op *op, const struct service *service,
                           struct service_key_walk *walk, struct keeper_key_info *ret);
/* How often keepers were started anew, together; and whether all of them answer. */
unsigned service_keeper_restarts(const struct service *service);
bool service_keepers_alive(const struct service *service);
/* Who takes new certificates into use (the listeners); NULL: nobody any more. Waits for a change
 * that is under way. */
void service_on_certs_changed(struct service *service, service_certs_changed changed, void *ctx);
/* Start the background work: checkpoints, CRLs, expiry. In a gap (service/log/gap.h): none. */
kw_status service_start(struct kw_op *op, struct service *service);
void service_close(struct service *service);
KW_OWNED(service, struct service, service_close)

/* Find by id. KW_E_NOT_FOUND names the object. */
kw_status service_profile(struct kw_op *op, struct service *service, const char *name,
                          const struct bound_profile **ret);

/**
 * Append an event to the log as part of a change. time, source, actor and request id are taken from
 * the operation and clock where the event leaves them empty. result "" means "success".
 */
kw_status service_record(struct kw_op *op, struct service *service, struct store_txn *txn,
                         const struct event *event);
/* A background task failed: told to service->complain, at most once a second. Any thread. */
void service_complain(struct service *service, const struct kw_op *op, const char *what);
/* The wall clock, for the layers above. */
int64_t service_now_ms(void);
/* SHA-256 of a backend key's SubjectPublicKeyInfo: what its public key is called everywhere. */
void service_key_hash(const struct keeper_key_info *key, uint8_t ret[KW_HASH_BYTES]);

/* Record a refusal or another event that is no change of state; a failure to record is returned. */
kw_status service_record_alone(struct kw_op *op, struct service *service,
                               const struct event *event);

#endif
