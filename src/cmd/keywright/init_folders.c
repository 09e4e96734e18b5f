/* `keywright init`: the folders, and the profiles and authorities in them. */
#include "cmd/keywright/init.h"

#include <stdio.h>

#include "base/b64.h"
#include "os/files.h"
#include "os/rng.h"

enum { PASSPHRASE_BYTES = 24 };

/* A folder of YAML files on its way into the state folder. */
struct copying {
    struct init *it;
    char from[KW_PATH_BYTES];
    const char *to; /* folder in the state folder */
};

static kw_status copy_file(struct kw_op *op, const char *name, void *ctx)
{
    const struct copying *copying = ctx;
    char from[KW_PATH_BYTES], to[KW_PATH_BYTES], file[KW_NAME_MAX + 16];
    AUTO(kw_bytes) *content = NULL;

    (void)snprintf(file, sizeof(file), "%s/%.90s", copying->to, name);
    TRY(op, os_path_join(op, from, sizeof(from), copying->from, name));
    TRY(op, config_path(op, &copying->it->config, file, to, sizeof(to)));
    TRY(op, os_file_read(op, from, 65536, &content));
    return os_file_write(op, to, 0644, kw_bytes_span(content));
}

/* part: folder below --profiles; "" is that one itself. */
static kw_status copy_folder(struct kw_op *op, struct init *it, const char *part, const char *to)
{
    struct copying copying = {.it = it, .to = to};

    TRY(op, os_path_join(op, copying.from, sizeof(copying.from), it->cli->options[OPT_PROFILES],
                         *part ? part : "."));
    TRY(op, os_dir_each(op, copying.from, ".yaml", copy_file, &copying), "%s (set --profiles)",
        copying.from);
    return KW_OK;
}

/* A file of a vertical takes the place of one of the same name. */
static kw_status copy_vertical(struct kw_op *op, struct init *it, const char *name)
{
    char part[KW_NAME_MAX + 32], path[KW_PATH_BYTES];

    ENSURE(op, *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name),
           KW_E_INPUT, "--vertical: there is no '%.40s'", name);
    (void)snprintf(part, sizeof(part), "verticals/%.80s", name);
    TRY(op, copy_folder(op, it, part, "profiles"), "--vertical %s", name);
    (void)snprintf(part, sizeof(part), "verticals/%.80s/authorities", name);
    TRY(op, os_path_join(op, path, sizeof(path), it->cli->options[OPT_PROFILES], part));
    return os_file_exists(path) ? copy_folder(op, it, part, "authorities") : KW_OK;
}

static kw_status copy_verticals(struct kw_op *op, struct init *it)
{
    const char *rest = it->cli->options[OPT_VERTICAL] ? it->cli->options[OPT_VERTICAL] : "";
    char name[KW_NAME_MAX];

    while (*rest) {
        size_t len = strcspn(rest, ",");
        ENSURE(op, len < sizeof(name), KW_E_INPUT, "--vertical: there is no '%.40s…'", rest);
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, rest);
        TRY(op, copy_vertical(op, it, name));
        rest += len + (rest[len] == ',');
    }
    return KW_OK;
}

/* Its issuing CAs are the server's. */
static kw_status read_plan(struct kw_op *op, struct init *it)
{
    char path[KW_PATH_BYTES];

    TRY(op, config_path(op, &it->config, "authorities", path, sizeof(path)));
    TRY(op, plan_load(op, path, &it->plan));
    ENSURE(op, plan_find(&it->plan, "root"), KW_E_INPUT, "there is no authority 'root'");
    it->config.n_cas = 0;
    for (unsigned i = 0; i < it->plan.n; i++) {
        const struct authority *one = &it->plan.at[i];
        if (authority_kind_of(one) != AUTHORITY_ISSUING) {
            continue;
        }
        ENSURE(op, it->config.n_cas < CONFIG_CAS_MAX, KW_E_LIMIT, "more than %d issuing CAs",
               (int)CONFIG_CAS_MAX);
        memcpy(it->config.cas[it->config.n_cas++], one->name, sizeof(one->name));
    }
    return KW_OK;
}

static kw_status copy_profiles(struct kw_op *op, struct init *it)
{
    if (!it->cli->options[OPT_PROFILES]) {
        it->cli->options[OPT_PROFILES] = KW_PROFILES_DIR;
    }
    TRY(op, copy_folder(op, it, "", "profiles"));
    TRY(op, copy_folder(op, it, "authorities", "authorities"));
    TRY(op, copy_verticals(op, it));
    return read_plan(op, it);
}

kw_status init_folders(struct kw_op *op, struct init *it)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {
        {"certs",       0755},
        {"profiles",    0755},
        {"authorities", 0755},
        {"store",       0700},
        {"keeper",      0700},
        {"admin",       0700},
        {"run",         0755}
    };
    char path[KW_PATH_BYTES];

    TRY(op, os_dir_make(op, it->work, 0755));
    ENSURE(op, KW_TEXT_SET(it->config.state_dir, it->work), KW_E_INPUT,
           "the path of the state folder is too long");
    for (unsigned i = 0; i < KW_COUNT(folders); i++) {
        TRY(op, config_path(op, &it->config, folders[i].name, path, sizeof(path)));
        TRY(op, os_dir_make(op, path, folders[i].mode));
    }
    return copy_profiles(op, it);
}

/* Without --unlock: a random passphrase in a file that only this user may read. Convenient, not
 * strong; README says so. */
kw_status init_unlock(struct kw_op *op, struct init *it)
{
    uint8_t random[PASSPHRASE_BYTES];
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    if (it->cli->options[OPT_UNLOCK]) {
        return init_take_text(op, it->cli, OPT_UNLOCK, it->config.unlock,
                              sizeof(it->config.unlock));
    }
    KW_TEXT_SET(it->config.unlock, "passphrase-file:keeper.passphrase");
    TRY(op, os_random(op, random, sizeof(random)));
    TRY(op, kw_bytes_new(64, &text));
    TRY(op, kw_b64url_encode(KW_SPAN_ARRAY(random), text));
    TRY(op, config_path(op, &it->config, "keeper.passphrase", path, sizeof(path)));
    kw_status status = os_file_write(op, path, 0600, kw_bytes_span(text));
    kw_wipe(random, sizeof(random));
    kw_wipe(text->p, text->len);
    return status;
}
