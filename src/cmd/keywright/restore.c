/* `keywright restore FILE`: a state folder from a backup, whole or not at all. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/keywright/owners.h"
#include "cmd/keywright/unpack.h"
#include "os/files.h"
#include "service/config.h"

enum { VAULT_FILE_MAX = 64 << 20, SECRET_MAX = 1024 };

struct copying {
    const char *from, *to;
};

static kw_status copy_one(struct kw_op *op, const char *name, void *ctx)
{
    const struct copying *it = ctx;
    char from[KW_PATH_BYTES], to[KW_PATH_BYTES];
    AUTO(kw_bytes) *content = NULL;

    TRY(op, os_path_join(op, from, sizeof(from), it->from, name));
    TRY(op, os_path_join(op, to, sizeof(to), it->to, name));
    TRY(op, os_file_read(op, from, VAULT_FILE_MAX, &content));
    kw_status status = os_file_write(op, to, 0600, kw_bytes_span(content));
    kw_wipe(content->p, content->len);
    return status;
}

/* The files of one folder; one that is not there has none. */
static kw_status copy_folder(struct kw_op *op, const char *from, const char *to)
{
    struct copying it = {from, to};

    if (!os_file_exists(from)) {
        return KW_OK;
    }
    TRY(op, os_dir_make(op, to, 0700));
    return os_dir_each(op, from, "", copy_one, &it);
}

/* A vault that survived: its keys, and the statements of those that were destroyed. */
static kw_status copy_vault(struct kw_op *op, const char *from, const char *to)
{
    static const char *const folders[] = {"keys", "destroyed"};
    char below_from[KW_PATH_BYTES], below_to[KW_PATH_BYTES];

    ENSURE(op, os_file_exists(from), KW_E_NOT_FOUND, "there is no folder %s", from);
    ENSURE(op, !os_file_exists(to), KW_E_CONFLICT, "its folder is there: is it named twice?");
    TRY(op, copy_folder(op, from, to));
    for (size_t i = 0; i < KW_COUNT(folders); i++) {
        TRY(op, os_path_join(op, below_from, sizeof(below_from), from, folders[i]));
        TRY(op, os_path_join(op, below_to, sizeof(below_to), to, folders[i]));
        TRY(op, copy_folder(op, below_from, below_to));
    }
    return KW_OK;
}

static kw_status vault_of(struct kw_op *op, const struct config *config, struct kw_span name,
                          const struct config_vault **ret)
{
    for (unsigned i = 0; i < config->n_vaults; i++) {
        if (kw_span_equal(kw_span_text(config->vaults[i].name), name)) {
            *ret = &config->vaults[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "--vault: the backup's keywright.yaml has no vault '%.*s'",
                (int)name.len, (const char *)name.p);
}

/* "DIR" for main, "NAME=DIR" for each, separated by commas. */
static kw_status copy_one_vault(struct kw_op *op, const struct config *config, const char *text,
                                const char *dir)
{
    const char *equals = strchr(text, '=');
    struct kw_span name =
        equals ? KW_SPAN((const uint8_t *)text, (size_t)(equals - text)) : kw_span_text("main");
    const struct config_vault *vault = NULL;
    char to[KW_PATH_BYTES];

    TRY(op, vault_of(op, config, name, &vault));
    TRY(op, os_path_join(op, to, sizeof(to), dir, vault->folder));
    return copy_vault(op, equals ? equals + 1 : text, to);
}

static kw_status copy_vaults(struct kw_op *op, const struct config *config, const char *list,
                             const char *dir)
{
    char one[KW_PATH_BYTES];

    while (*list) {
        size_t n = strcspn(list, ",");
        ENSURE(op, n > 0 && n < sizeof(one), KW_E_INPUT, "--vault takes DIR or NAME=DIR,NAME=DIR");
        (void)snprintf(one, sizeof(one), "%.*s", (int)n, list);
        TRY(op, copy_one_vault(op, config, one, dir), "vault %s", one);
        list += n + (list[n] == ',');
    }
    return KW_OK;
}

/* passphrase-file:PATH, as `init` takes it. */
static kw_status copy_passphrase(struct kw_op *op, const char *how, const char *dir)
{
    static const char scheme[] = "passphrase-file:";
    char to[KW_PATH_BYTES];
    AUTO(kw_secret) *passphrase = NULL;

    ENSURE(op, strncmp(how, scheme, sizeof(scheme) - 1) == 0, KW_E_INPUT,
           "--unlock takes passphrase-file:PATH here");
    TRY(op, os_file_read_secret(op, how + sizeof(scheme) - 1, SECRET_MAX, &passphrase));
    TRY(op, os_path_join(op, to, sizeof(to), dir, "keeper.passphrase"));
    return os_file_write(op, to, 0600, kw_secret_span(passphrase));
}

static kw_status copy_checkpoint(struct kw_op *op, const char *from, const char *dir)
{
    char to[KW_PATH_BYTES];
    struct checkpoint head;
    AUTO(kw_bytes) *note = NULL;

    TRY(op, os_file_read(op, from, CHECKPOINT_TEXT_MAX, &note));
    TRY(op, checkpoint_parse(op, kw_bytes_span(note), &head), "%s", from);
    TRY(op, os_path_join(op, to, sizeof(to), dir, "store/seen.checkpoint"));
    return os_file_write(op, to, 0644, kw_bytes_span(note));
}

static kw_status add_rest(struct kw_op *op, const struct cli *cli, const char *dir)
{
    char run[KW_PATH_BYTES];
    struct config config;

    TRY(op, config_load(op, dir, &config));
    if (cli->options[OPT_VAULT]) {
        TRY(op, copy_vaults(op, &config, cli->options[OPT_VAULT], dir));
    }
    if (cli->options[OPT_UNLOCK]) {
        TRY(op, copy_passphrase(op, cli->options[OPT_UNLOCK], dir));
    }
    if (cli->options[OPT_CHECKPOINT]) {
        TRY(op, copy_checkpoint(op, cli->options[OPT_CHECKPOINT], dir));
    }
    TRY(op, os_path_join(op, run, sizeof(run), dir, "run"));
    TRY(op, os_dir_make(op, run, 0755));
    return owners_set(op, &config);
}

/* An empty folder may be replaced, nothing else. */
static kw_status check_target(struct kw_op *op, const char *dir)
{
    ENSURE(op, rmdir(dir) == 0 || errno == ENOENT, KW_E_CONFLICT,
           "%s is there and not empty: nothing is restored over something else", dir);
    return KW_OK;
}

static kw_status put_in_place(struct kw_op *op, const char *work, const char *final)
{
    char folder[KW_PATH_BYTES];

    sync(); /* many files and folders; all before the name */
    TRY(op, check_target(op, final));
    ENSURE(op, rename(work, final) == 0, KW_E_IO, "putting %s in place: %s", final,
           strerror(errno));
    KW_TEXT_SET(folder, final);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = 0;
    }
    OS_FD_AUTO int fd = open(slash && *folder ? folder : slash ? "/" : ".", O_RDONLY | O_DIRECTORY);
    ENSURE(op, fd >= 0 && fsync(fd) == 0, KW_E_UNSURE, "%s is in place, but not synced", final);
    return KW_OK;
}

static void say(const struct cli *cli, uint64_t size)
{
    (void)printf("restored       %s with a log of %" PRIu64 " entries\n", cli->options[OPT_STATE],
                 size);
    if (!cli->options[OPT_VAULT]) {
        (void)puts("vault          not in a backup: put the one that survived to keeper/");
    }
    (void)puts("next           keywright restore replay, with an export of the log: until it is "
               "whole the server answers good of nothing and issues nothing");
}

static kw_status restore(struct kw_op *op, const struct cli *cli, const char *work)
{
    __attribute__((cleanup(backup_file_done))) struct backup_file file = {.fd = -1};
    AUTO(kw_secret) *recovery = NULL;
    uint64_t size = 0;

    TRY(op, backup_file_open(op, cli, cli->args[0], &file));
    TRY(op, backup_join_shares(op, cli, &recovery));
    TRY(op, backup_unpack(op, &file, recovery, work, &size));
    TRY(op, backup_print_keys(op, work));
    TRY(op, add_rest(op, cli, work));
    TRY(op, put_in_place(op, work, cli->options[OPT_STATE]));
    say(cli, size);
    return KW_OK;
}

kw_status cli_restore(struct kw_op *op, struct cli *cli)
{
    const char *state = cli->options[OPT_STATE];
    char work[KW_PATH_BYTES];

    ENSURE(op, state && *state, KW_E_INPUT, "--state DIR is missing");
    ENSURE(op, snprintf(work, sizeof(work), "%s.restoring", state) < (int)sizeof(work), KW_E_INPUT,
           "--state is too long");
    TRY(op, check_target(op, state));
    (void)kw_ok(os_tree_remove(NULL, work)); /* of one that was cut */
    kw_status status = restore(op, cli, work);
    if (!kw_ok(status)) {
        (void)kw_ok(os_tree_remove(NULL, work));
    }
    return status;
}
