/* STATE/keywright.yaml: written by `keywright init`, read at every start. */
#ifndef SERVICE_CONFIG_H
#define SERVICE_CONFIG_H

#include "base/limits.h"
#include "base/op.h"

enum { CONFIG_CAS_MAX = 24, CONFIG_VAULTS_MAX = 4, CONFIG_VAULT_KEYS_MAX = 16 };

/* One vault, with a keeper of its own. */
struct config_vault {
    char name[32];
    char folder[64];                 /* below the state folder; "keeper-NAME" where empty */
    char unlock[KW_PATH_BYTES];      /* how it is opened: keeper.h */
    char custody[2 * KW_PATH_BYTES]; /* "": keys are sealed in it; else a root-of-trust URI */
    uint32_t n_keys;                 /* which keys live there: ids, or beginnings with '*' */
    char keys[CONFIG_VAULT_KEYS_MAX][KW_NAME_MAX];
    uint32_t n_paths; /* folders and files that the token's driver opens */
    char paths[8][KW_PATH_BYTES];
    uint32_t n_environment; /* "NAME=VALUE" that it reads */
    char environment[4][KW_PATH_BYTES];
};

struct config_listener {
    char address[64];
    uint32_t port;
};

struct config {
    char state_dir[KW_PATH_BYTES];    /* not in the file: where it was found */
    char organization[64];            /* O= of every name, the permitted name subtree of both CAs */
    char server_name[128];            /* DNS name or IP address that devices use */
    char log_origin[KW_NAME_MAX];     /* first line of every checkpoint: "example.org/keywright" */
    char public_url[256];             /* http://host:8080, goes into certificates */
    struct config_listener devices;   /* 8443 */
    struct config_listener operators; /* 9443 */
    struct config_listener relying;   /* 8080 */
    char unlock[KW_PATH_BYTES];       /* how the first vault is opened: keeper.h */
    uint32_t n_more;                  /* in the file: `vaults` */
    struct config_vault more[CONFIG_VAULTS_MAX - 1];
    uint32_t n_vaults; /* not in the file: "main" (folder keeper), then `more` */
    struct config_vault vaults[CONFIG_VAULTS_MAX];
    char user[32];        /* become this user where started as root; "" = stay */
    char keeper_user[32]; /* the keeper becomes this one instead; "" = user */
    uint32_t n_cas;
    char cas[CONFIG_CAS_MAX][KW_NAME_MAX];
    uint32_t crl_hours;      /* life of a CRL; made anew at half of it and after each revocation */
    uint32_t crl_shards;     /* parts of a CA's list; new certificates name theirs; 0 = one list */
    uint32_t crl_delta_from; /* a whole list of so many entries has deltas */
    uint32_t filter_minutes; /* revocation filters are made so often; 0 = none */
    uint32_t ocsp_minutes;   /* life of an OCSP answer */
    uint32_t revoke_approval_above;  /* plans for more certificates than that need approval */
    bool revoke_approval_compromise; /* and those for a compromise, however few */
    bool wipe_approval;              /* so do orders to devices to wipe themselves */
    uint32_t checkpoint_ms; /* at most so long until an entry is under a signed checkpoint */
    uint32_t pool_threads, loop_threads;
    uint32_t connections_max;
};

/* Fill in what a new state folder begins with. */
void config_defaults(struct config *config);
/* Read and check. KW_E_NOT_FOUND "run 'keywright init'", KW_E_INPUT with the field. */
kw_status config_load(struct kw_op *op, const char *state_dir, struct config *ret);
/* Write (init only). */
kw_status config_save(struct kw_op *op, const struct config *config);
/* Fill in `vaults` from `unlock` and `more`, and check them. KW_E_INPUT. */
kw_status config_vaults(struct kw_op *op, struct config *config);
/* Read the list `vaults` of another file (init's --vaults). KW_E_INPUT. */
kw_status config_vaults_load(struct kw_op *op, const char *path, struct config *config);
/* STATE/name. */
kw_status config_path(struct kw_op *op, const struct config *config, const char *name, char *path,
                      size_t cap);

#endif
