#include "cmd/keywright/owners.h"

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "os/files.h"
#include "os/sandbox.h"

static const char DEFAULT_KEEPER_USER[] = "keywright-keeper";

static bool nothing_to_do(const struct config *config)
{
    return geteuid() != 0 || !*config->user;
}

/* A bad option, not a missing object. */
static kw_status check(struct kw_op *op, const char *option, const char *name)
{
    struct os_user user;

    ENSURE(op, kw_ok(os_user_find(NULL, name, &user)), KW_E_INPUT,
           "%s: there is no user '%.32s' that is not root", option, name);
    return KW_OK;
}

kw_status owners_choose(struct kw_op *op, struct config *config)
{
    struct os_user user;

    if (nothing_to_do(config)) {
        return KW_OK;
    }
    TRY(op, check(op, "--user", config->user));
    if (*config->keeper_user) {
        return check(op, "--keeper-user", config->keeper_user);
    }
    if (kw_ok(os_user_find(NULL, DEFAULT_KEEPER_USER, &user))) {
        KW_TEXT_SET(config->keeper_user, DEFAULT_KEEPER_USER); /* fits */
    }
    return KW_OK;
}

/* nftw() hands no context on; init has one thread. */
static struct os_user new_owner;

static int give_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return lchown(path, new_owner.uid, new_owner.gid);
}

static kw_status give(struct kw_op *op, const struct config *config, const char *name,
                      const struct os_user *owner)
{
    char path[KW_PATH_BYTES];

    TRY(op, config_path(op, config, name, path, sizeof(path)));
    if (!os_file_exists(path)) {
        return KW_OK; /* no passphrase file: the vault opens in another way */
    }
    new_owner = *owner;
    ENSURE(op, nftw(path, give_one, 16, FTW_PHYS) == 0, KW_E_IO, "new owner of %s: %s", path,
           strerror(errno));
    return KW_OK;
}

kw_status owners_set(struct kw_op *op, const struct config *config)
{
    static const char *const servers[] = {"certs", "store", "run"};
    static const char *const keepers[] = {"keeper", "keeper.passphrase"};
    struct os_user user, keeper;

    if (nothing_to_do(config)) {
        return KW_OK;
    }
    TRY(op, os_user_find(op, config->user, &user));
    TRY(op, os_user_find(op, *config->keeper_user ? config->keeper_user : config->user, &keeper));
    for (size_t i = 0; i < KW_COUNT(servers); i++) {
        TRY(op, give(op, config, servers[i], &user));
    }
    for (size_t i = 0; i < KW_COUNT(keepers); i++) {
        TRY(op, give(op, config, keepers[i], &keeper));
    }
    for (unsigned i = 0; i < config->n_more; i++) {
        TRY(op, give(op, config, config->more[i].folder, &keeper));
    }
    return KW_OK;
}
