#include "service/vaults.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "os/clock.h"
#include "service/keys/line.h"

enum { LOOK_EVERY_MS = 200, STATUS_MS = 2000 };

/* A passphrase file without a leading slash lies in the state folder. */
static kw_status unlock_method(struct kw_op *op, const struct config *config, const char *given,
                               char *unlock, size_t cap)
{
    static const char scheme[] = "passphrase-file:";
    char path[KW_PATH_BYTES];
    size_t n = sizeof(scheme) - 1;

    if (strncmp(given, scheme, n) != 0 || given[n] == '/') {
        ENSURE(op, kw_text_copy(unlock, cap, given), KW_E_INPUT, "the field 'unlock' is too long");
        return KW_OK;
    }
    TRY(op, config_path(op, config, given + n, path, sizeof(path)));
    (void)snprintf(unlock, cap, "%s%s", scheme, path);
    return KW_OK;
}

kw_status vault_describe(struct kw_op *op, const struct config *config,
                         const struct config_vault *vault, struct vault_paths *paths,
                         struct keeper_config *ret)
{
    TRY(op, config_path(op, config, vault->folder, paths->folder, sizeof(paths->folder)));
    TRY(op, unlock_method(op, config, vault->unlock, paths->unlock, sizeof(paths->unlock)));
    ret->vault = paths->folder;
    ret->unlock = paths->unlock;
    ret->custody = vault->custody;
    for (unsigned i = 0; i < KEEPER_CUSTODY_PATHS; i++) {
        ret->paths[i] = i < vault->n_paths ? vault->paths[i] : NULL;
    }
    for (unsigned i = 0; i < KEEPER_CUSTODY_ENV; i++) {
        ret->env[i] = i < vault->n_environment ? vault->environment[i] : NULL;
    }
    return KW_OK;
}

/* Has somebody asked this process to end? The signals are blocked: its main thread waits for them
 * once it serves. */
static bool shall_end(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* Until somebody has opened it at its socket, or said that the clock is right, or it is; the start
 * of the server waits. */
static kw_status wait_until(struct kw_op *op, struct keeper *keeper,
                            bool (*ready)(const struct keeper_vault_status *status))
{
    struct keeper_vault_status status = {0};

    for (;;) {
        struct kw_op look;
        kw_op_init(&look, "system", os_clock_mono_ms() + 10000);
        if (kw_ok(keeper_vault_status(&look, keeper, &status)) && ready(&status)) {
            return KW_OK;
        }
        ENSURE(op,
               op->deadline_ms == 0 || os_clock_mono_ms() < op->deadline_ms ||
                   look.code == KW_CODE_OK || look.code == KW_E_UNAVAILABLE,
               look.code, "%s", kw_op_cause(&look));
        ENSURE(op, !shall_end(), KW_E_UNAVAILABLE, "stopped while it waited for somebody");
        struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
        (void)nanosleep(&pause, NULL); /* waking early only looks once more */
    }
}

static bool is_open(const struct keeper_vault_status *status)
{
    return status->open;
}

static bool believes_the_clock(const struct keeper_vault_status *status)
{
    return status->clock_off_s == 0;
}

static kw_status wait_for_opening(struct kw_op *op, const struct service *service, unsigned i,
                                  const struct keeper_config *given,
                                  const struct vault_paths *paths)
{
    const struct config_vault *vault = &service->config.vaults[i];

    if (given->sealed) {
        TRY(op, given->sealed(op, vault->name, paths->folder, vault->unlock, given->sealed_ctx),
            "vault '%s'", vault->name);
    }
    return wait_until(op, service->vaults[i], is_open);
}

/* What was signed now would speak of a wrong time. */
static kw_status wait_for_the_clock(struct kw_op *op, const struct service *service, unsigned i,
                                    const struct keeper_config *given)
{
    struct keeper_vault_status status;

    TRY(op, keeper_vault_status(op, service->vaults[i], &status));
    if (believes_the_clock(&status) || !given->doubted) {
        return KW_OK;
    }
    given->doubted(service->config.vaults[i].name, status.clock_off_s);
    return wait_until(op, service->vaults[i], believes_the_clock);
}

static kw_status open_one(struct kw_op *op, struct service *service, unsigned i,
                          const struct keeper_config *given)
{
    const struct config_vault *vault = &service->config.vaults[i];
    struct keeper_vault_status status;
    struct vault_paths paths;
    struct keeper_config config = *given;

    TRY(op, vault_describe(op, &service->config, vault, &paths, &config));
    config.spawner_row = i;
    TRY(op, keeper_start(op, &config, &service->vaults[i]), "starting the keeper of vault '%s'",
        vault->name);
    service->n_vaults = i + 1;
    TRY(op, keeper_vault_status(op, service->vaults[i], &status));
    if (status.open && status.clock_off_s == 0) {
        return KW_OK;
    }
    if (!status.open) {
        TRY(op, wait_for_opening(op, service, i, given, &paths));
    }
    TRY(op, wait_for_the_clock(op, service, i, given));
    op->deadline_ms = op->deadline_ms ? op->deadline_ms + 60000 : 0; /* it was the person's time */
    return KW_OK;
}

kw_status vaults_open(struct kw_op *op, struct service *service, const struct keeper_config *given)
{
    for (unsigned i = 0; i < service->config.n_vaults; i++) {
        TRY(op, open_one(op, service, i, given));
    }
    service->keeper = service->vaults[0];
    return KW_OK;
}

void vaults_close(struct service *service)
{
    for (unsigned i = 0; i < service->n_vaults; i++) {
        keeper_stop(service->vaults[i]);
    }
    service->n_vaults = 0;
}

/* --- finding ---------------------------------------------------------------------------------- */

static bool pattern_fits(const char *pattern, const char *key_id)
{
    size_t n = strlen(pattern);

    if (n > 0 && pattern[n - 1] == '*') {
        return strncmp(pattern, key_id, n - 1) == 0;
    }
    return strncmp(pattern, key_id, n) == 0 && (key_id[n] == '\0' || key_id[n] == '.');
}

bool vault_wants(const struct config_vault *vault, const char *key_id)
{
    for (unsigned i = 0; i < vault->n_keys; i++) {
        if (pattern_fits(vault->keys[i], key_id)) {
            return true;
        }
    }
    return false;
}

/* A line stays in its vault: what "ca-devices" says goes for "ca-devices.2" too. */
struct keeper *service_keeper(const struct service *service, const char *key_id)
{
    char line[KW_NAME_MAX];

    (void)line_split(key_id, line);
    for (unsigned i = 1; i < service->n_vaults; i++) {
        if (vault_wants(&service->config.vaults[i], line)) {
            return service->vaults[i];
        }
    }
    return service->vaults[0];
}

kw_status service_vault(struct kw_op *op, const struct service *service, const char *name,
                        struct keeper **ret)
{
    for (unsigned i = 0; i < service->n_vaults; i++) {
        if (strcmp(service->config.vaults[i].name, name) == 0) {
            *ret = service->vaults[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no vault '%.60s'", name);
}

kw_status service_vault_status(struct kw_op *op, const struct service *service, unsigned i,
                               struct keeper_vault_status *ret)
{
    struct kw_op look;

    kw_op_init(&look, "system", os_clock_mono_ms() + STATUS_MS);
    kw_status status = keeper_vault_status(&look, service->vaults[i], ret);
    ENSURE(op, kw_ok(status), status.code, "%s", kw_op_cause(&look));
    return KW_OK;
}

kw_status service_key_next(struct kw_op *op, const struct service *service,
                           struct service_key_walk *walk, struct keeper_key_info *ret)
{
    while (walk->vault < service->n_vaults) {
        kw_status status = keeper_key_at(op, service->vaults[walk->vault], walk->index, ret);
        if (kw_ok(status)) {
            walk->index++;
            return KW_OK;
        }
        if (status.code != KW_E_NOT_FOUND && status.code != KW_E_UNAVAILABLE) {
            return status;
        }
        walk->n_away += status.code == KW_E_UNAVAILABLE;
        kw_op_clear(op);
        walk->vault++;
        walk->index = 0;
    }
    ENSURE(op, walk->n_away == 0, KW_E_UNAVAILABLE,
           "%u of the vaults are sealed or away: their keys are not shown", walk->n_away);
    return FAIL(op, KW_E_NOT_FOUND, "no further key");
}

unsigned service_keeper_restarts(const struct service *service)
{
    unsigned n = 0;

    for (unsigned i = 0; i < service->n_vaults; i++) {
        n += keeper_restarts(service->vaults[i]);
    }
    return n;
}

bool service_keepers_alive(const struct service *service)
{
    for (unsigned i = 0; i < service->n_vaults; i++) {
        if (!keeper_alive(service->vaults[i])) {
            return false;
        }
    }
    return true;
}
