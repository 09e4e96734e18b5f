/*
 * vault verbs. Status, sealing and rekeying go by the server; secrets go to the keeper directly, by
 * the socket in the vault's folder on the server's own machine, and never over the network.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/time.h"
#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "cmd/keywright/vault.h"
#include "codec/json.h"
#include "crypto/share.h"
#include "keeper/opening.h"
#include "os/clock.h"
#include "os/files.h"
#include "service/config.h"

enum { TYPED_MAX = 1024, TRIES = 3 };

/* --- what people type ------------------------------------------------------------------------- */

struct tty {
    int fd;
    struct termios before;
};

static void tty_done(struct tty *tty)
{
    if (tty->fd >= 0) {
        (void)tcsetattr(tty->fd, TCSAFLUSH, &tty->before); /* as it was */
        (void)close(tty->fd);                              /* nothing was written there */
    }
}

static kw_status tty_open(struct kw_op *op, struct tty *ret)
{
    ret->fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    ENSURE(op, ret->fd >= 0 && tcgetattr(ret->fd, &ret->before) == 0, KW_E_INPUT,
           "no terminal to ask at: use --passphrase-file or --share-file");
    struct termios quiet = ret->before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    ENSURE(op, tcsetattr(ret->fd, TCSAFLUSH, &quiet) == 0, KW_E_IO, "terminal: %s",
           strerror(errno));
    return KW_OK;
}

/* One line without echo; its end does not count. */
static kw_status ask(struct kw_op *op, const char *prompt, struct kw_secret **ret)
{
    __attribute__((cleanup(tty_done))) struct tty tty = {.fd = -1};
    AUTO(kw_secret) *line = NULL;
    size_t n = 0;

    TRY(op, tty_open(op, &tty));
    TRY(op, kw_secret_new(TYPED_MAX, &line));
    (void)dprintf(tty.fd, "%s: ", prompt); /* a prompt that is lost does no harm */
    for (;;) {
        uint8_t c = 0;
        ssize_t got = read(tty.fd, &c, 1);
        if (got <= 0 || c == '\n' || c == '\r') {
            break;
        }
        ENSURE(op, n < TYPED_MAX, KW_E_INPUT, "the line is too long");
        kw_secret_data(line)[n++] = c;
    }
    (void)dprintf(tty.fd, "\n"); /* likewise */
    ENSURE(op, n > 0, KW_E_INPUT, "nothing was typed");
    kw_secret_trim(line, n);
    *ret = TAKE(line);
    return KW_OK;
}

/* A file's content without the line ends at its end. */
static kw_status read_secret(struct kw_op *op, const char *path, struct kw_secret **ret)
{
    AUTO(kw_secret) *text = NULL;

    TRY(op, os_file_read_secret(op, path, OPENING_SECRET_MAX, &text));
    size_t n = kw_secret_len(text);
    while (n > 0 && (kw_secret_data(text)[n - 1] == '\n' || kw_secret_data(text)[n - 1] == '\r')) {
        n--;
    }
    ENSURE(op, n > 0, KW_E_INPUT, "'%s' is empty", path);
    kw_secret_trim(text, n);
    *ret = TAKE(text);
    return KW_OK;
}

/* --- the keeper's socket ---------------------------------------------------------------------- */

static kw_status tell(struct kw_op *op, const char *folder, enum opening_command command,
                      const struct kw_secret *secret, struct kw_secret **ret_packet,
                      struct opening_reply *ret)
{
    struct opening_request request = {.command = command};

    if (secret) {
        request.secret = kw_secret_span(secret);
    }
    TRY(op, opening_call(op, folder, &request, ret_packet, ret));
    ENSURE(op, ret->code == KW_CODE_OK, ret->code, "%s", ret->text);
    return KW_OK;
}

static kw_status tell_alone(struct kw_op *op, const char *folder, enum opening_command command,
                            const struct kw_secret *secret, struct opening_reply *ret)
{
    AUTO(kw_secret) *packet = NULL;

    return tell(op, folder, command, secret, &packet, ret);
}

/* --- opening ---------------------------------------------------------------------------------- */

static kw_status give_share(struct kw_op *op, const char *folder, const struct kw_secret *share,
                            struct opening_reply *ret)
{
    struct share_info info;

    TRY(op, share_check(op, share, &info));
    TRY(op, tell_alone(op, folder, OPENING_SHARE, share, ret));
    if (!ret->open) {
        (void)printf("share %u of set %s taken: %u of %u\n", info.index, info.set, ret->given,
                     ret->needed);
    }
    return KW_OK;
}

static kw_status type_share(struct kw_op *op, const char *folder, struct opening_reply *ret)
{
    for (unsigned i = 0;; i++) {
        AUTO(kw_secret) *share = NULL;
        char prompt[64];
        (void)snprintf(prompt, sizeof(prompt), "share (35 words; %u of %u given)", ret->given,
                       ret->needed);
        TRY(op, ask(op, prompt, &share));
        kw_status status = give_share(op, folder, share, ret);
        if (kw_ok(status) || status.code != KW_E_INPUT || i + 1 == TRIES) {
            return status;
        }
        (void)fprintf(stderr, "%s; once more\n", kw_op_cause(op));
        kw_op_clear(op);
    }
}

/* "FILE,FILE,...": until it is open. */
static kw_status give_share_files(struct kw_op *op, const char *folder, const char *files,
                                  struct opening_reply *ret)
{
    char path[KW_PATH_BYTES];

    while (*files && !ret->open) {
        AUTO(kw_secret) *share = NULL;
        size_t n = strcspn(files, ",");
        ENSURE(op, n < sizeof(path), KW_E_INPUT, "--share-file: path too long");
        (void)snprintf(path, sizeof(path), "%.*s", (int)n, files);
        TRY(op, read_secret(op, path, &share));
        TRY(op, give_share(op, folder, share, ret), "%s", path);
        files += n + (files[n] == ',');
    }
    return KW_OK;
}

static kw_status open_by_secret(struct kw_op *op, struct cli *cli, const char *folder,
                                struct opening_reply *reply)
{
    const char *file = cli->options[OPT_PASSPHRASE_FILE];
    const char *share_file = cli->options[OPT_SHARE_FILE];
    AUTO(kw_secret) *secret = NULL;

    if (share_file) {
        return give_share_files(op, folder, share_file, reply);
    }
    if (strcmp(reply->method, "shares") == 0) {
        return type_share(op, folder, reply);
    }
    if (file) {
        TRY(op, read_secret(op, file, &secret));
    } else {
        TRY(op, ask(op, "passphrase", &secret));
    }
    return tell_alone(op, folder, OPENING_PASSPHRASE, secret, reply);
}

/* The vault's folder and entry by its name; the first one where no name was given. */
static kw_status find_vault(struct kw_op *op, struct cli *cli, char folder[KW_PATH_BYTES],
                            const struct config_vault **ret)
{
    static struct config config; /* large; one vault a command */
    const char *state = cli->options[OPT_STATE] ? cli->options[OPT_STATE] : "/var/lib/keywright";
    const char *name = cli->n_args > 0 ? cli->args[0] : "main";

    TRY(op, config_load(op, state, &config));
    for (unsigned i = 0; i < config.n_vaults; i++) {
        if (strcmp(config.vaults[i].name, name) == 0) {
            *ret = &config.vaults[i];
            return config_path(op, &config, config.vaults[i].folder, folder, KW_PATH_BYTES);
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no vault '%s' in %s", name, state);
}

static bool asks(const char *unlock)
{
    return strncmp(unlock, "passphrase:", 11) == 0 || strncmp(unlock, "shares:", 7) == 0;
}

kw_status cli_vault_open(struct kw_op *op, struct cli *cli)
{
    const struct config_vault *vault = NULL;
    struct opening_reply reply;
    char folder[KW_PATH_BYTES];
    bool given = cli->options[OPT_PASSPHRASE_FILE] || cli->options[OPT_SHARE_FILE];

    TRY(op, find_vault(op, cli, folder, &vault));
    TRY(op, tell_alone(op, folder, OPENING_STATUS, NULL, &reply));
    ENSURE(op, !reply.open, KW_E_STATE, "the vault '%s' is open", vault->name);
    if (!asks(vault->unlock) && !given) {
        TRY(op, tell_alone(op, folder, OPENING_BY_METHOD, NULL, &reply));
        (void)printf("vault '%s' opens by %s\n", vault->name, reply.method);
        return KW_OK;
    }
    TRY(op, open_by_secret(op, cli, folder, &reply));
    (void)printf(reply.open ? "vault '%s' is open\n" : "vault '%s' waits for further shares\n",
                 vault->name);
    return KW_OK;
}

/* --- new secrets ------------------------------------------------------------------------------ */

static kw_status new_passphrase(struct kw_op *op, struct cli *cli, const char *folder,
                                const char *name)
{
    AUTO(kw_secret) *first = NULL;
    AUTO(kw_secret) *second = NULL;
    struct opening_reply reply;
    char prompt[96];

    if (cli->options[OPT_PASSPHRASE_FILE]) {
        TRY(op, read_secret(op, cli->options[OPT_PASSPHRASE_FILE], &first));
    } else {
        (void)snprintf(prompt, sizeof(prompt), "new passphrase of vault '%s'", name);
        TRY(op, ask(op, prompt, &first));
        TRY(op, ask(op, "the same again", &second));
        ENSURE(op, kw_secret_equal(first, second), KW_E_INPUT, "the two are not the same");
    }
    return tell_alone(op, folder, OPENING_NEW_PASSPHRASE, first, &reply);
}

static kw_status share_path(struct kw_op *op, const char *dir, const char *name, unsigned i,
                            char path[KW_PATH_BYTES])
{
    char file[96];

    (void)snprintf(file, sizeof(file), "vault-%.40s-share-%u.txt", name, i + 1);
    return os_path_join(op, path, KW_PATH_BYTES, dir, file);
}

static kw_status write_shares(struct kw_op *op, const char *dir, const char *name,
                              const struct opening_reply *reply)
{
    char title[96];
    char path[KW_PATH_BYTES];

    TRY(op, os_dir_make(op, dir, 0700));
    (void)snprintf(title, sizeof(title), "Keywright vault '%.40s'", name);
    for (unsigned i = 0; i < reply->n_shares; i++) {
        AUTO(kw_secret) *share = NULL;
        AUTO(kw_secret) *page = NULL;
        TRY(op, kw_secret_copy(reply->shares[i], &share));
        TRY(op, share_page(op, share, title, &page));
        TRY(op, share_path(op, dir, name, i, path));
        ENSURE(op, !os_file_exists(path), KW_E_CONFLICT, "'%s' is there; it is never overwritten",
               path);
        TRY(op, os_file_write(op, path, 0600, kw_secret_span(page)));
    }
    return KW_OK;
}

/* What custodians will do in years: M pages read back, and the keeper takes them. */
static kw_status read_back(struct kw_op *op, const char *folder, const char *dir, const char *name,
                           unsigned m)
{
    struct opening_reply reply;
    char path[KW_PATH_BYTES];

    for (unsigned i = 0; i < m; i++) {
        AUTO(kw_secret) *page = NULL;
        TRY(op, share_path(op, dir, name, i, path));
        TRY(op, read_secret(op, path, &page));
        TRY(op, tell_alone(op, folder, OPENING_SHARE, page, &reply), "reading '%s' back", path);
    }
    return KW_OK;
}

static kw_status new_shares(struct kw_op *op, const char *folder, const char *name, unsigned m,
                            unsigned n, const char *dir)
{
    AUTO(kw_secret) *packet = NULL;
    struct opening_request request = {
        .command = OPENING_NEW_SHARES, .m = (uint8_t)m, .n = (uint8_t)n};
    struct opening_reply reply;

    ENSURE(op, dir, KW_E_INPUT, "--out DIR is missing: where the shares go");
    TRY(op, opening_call(op, folder, &request, &packet, &reply));
    ENSURE(op, reply.code == KW_CODE_OK, reply.code, "%s", reply.text);
    TRY(op, write_shares(op, dir, name, &reply));
    TRY(op, read_back(op, folder, dir, name, m));
    (void)printf("vault          %s is opened by %u of %u shares in %s; read back and tried\n"
                 "Give each share to another person, and delete the files.\n",
                 name, m, n, dir);
    return KW_OK;
}

kw_status vault_give_secret(struct kw_op *op, struct cli *cli, const char *name, const char *folder,
                            const char *unlock, const char *dir)
{
    unsigned m = 0;
    unsigned n = 0;

    if (opening_shares(unlock, &m, &n)) {
        return new_shares(op, folder, name, m, n, dir);
    }
    ENSURE(op, strcmp(unlock, "passphrase:") == 0, KW_E_INPUT, "'%s' is no secret of people",
           unlock);
    return new_passphrase(op, cli, folder, name);
}

/* Replace the vault's secret, after `vault rekey --new-secret` has allowed it. */
kw_status cli_vault_shares(struct kw_op *op, struct cli *cli)
{
    const struct config_vault *vault = NULL;
    struct opening_reply reply;
    char folder[KW_PATH_BYTES];
    char unlock[64] = "passphrase:";
    const char *shares = cli->options[OPT_SHARES];

    TRY(op, find_vault(op, cli, folder, &vault));
    TRY(op, tell_alone(op, folder, OPENING_STATUS, NULL, &reply));
    ENSURE(op, reply.rekey, KW_E_DENIED, "allow it first: keywright vault rekey %s --new-secret",
           vault->name);
    if (shares) {
        (void)snprintf(unlock, sizeof(unlock), "shares:%.16s", shares);
    }
    TRY(op, vault_give_secret(op, cli, vault->name, folder, unlock, cli->options[OPT_OUT]));
    if (strncmp(vault->unlock, unlock, strcspn(unlock, ":") + 1) != 0) {
        (void)printf("Put 'unlock: \"%s\"' for this vault into keywright.yaml now.\n", unlock);
    }
    return KW_OK;
}

/* --- by the server ---------------------------------------------------------------------------- */

static kw_status local_status(struct kw_op *op, struct cli *cli)
{
    const struct config_vault *vault = NULL;
    struct opening_reply reply;
    char folder[KW_PATH_BYTES];

    TRY(op, find_vault(op, cli, folder, &vault));
    TRY(op, tell_alone(op, folder, OPENING_STATUS, NULL, &reply));
    (void)printf("name: %s\nstate: %s\nmethod: %s\n", vault->name, reply.open ? "open" : "sealed",
                 reply.method);
    if (reply.needed) {
        (void)printf("shares: %u of %u given\n", reply.given, reply.needed);
    }
    return KW_OK;
}

kw_status cli_vault_status(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"name",   "state",   "method",     "given",
                                          "needed", "custody", "generation", NULL};

    if (cli->options[OPT_STATE]) {
        return local_status(op, cli);
    }
    return cli_list(op, cli, "/api/v1/vaults", &vault_page, sizeof(struct vault_page), columns);
}

static kw_status post(struct kw_op *op, struct cli *cli, const char *verb, struct kw_span json)
{
    AUTO(kw_bytes) *answer = NULL;
    char path[KW_URI_MAX];

    TRY(op, cli_object_path(op, "vaults", cli->n_args > 0 ? cli->args[0] : "main", verb, path,
                            sizeof(path)));
    TRY(op, cli_post(op, cli, path, json, &answer));
    return cli_show(op, cli, &vault_view, kw_bytes_span(answer));
}

kw_status cli_vault_seal(struct kw_op *op, struct cli *cli)
{
    const struct config_vault *vault = NULL;
    struct opening_reply reply;
    char folder[KW_PATH_BYTES];

    if (!cli->options[OPT_STATE]) {
        return post(op, cli, "seal", kw_span_text("{}"));
    }
    TRY(op, find_vault(op, cli, folder, &vault));
    TRY(op, tell_alone(op, folder, OPENING_SEAL, NULL, &reply));
    (void)printf("vault '%s' is sealed\n", vault->name);
    return KW_OK;
}

/* A person says so who can look at another clock. */
kw_status cli_vault_clock(struct kw_op *op, struct cli *cli)
{
    const struct config_vault *vault = NULL;
    struct opening_reply reply;
    char folder[KW_PATH_BYTES], now[KW_TIME_TEXT];

    TRY(op, find_vault(op, cli, folder, &vault));
    TRY(op, tell_alone(op, folder, OPENING_CLOCK, NULL, &reply));
    (void)printf("vault '%s' takes this machine's clock for right: %s\n", vault->name,
                 kw_time_text(os_clock_unix_s(), now));
    return KW_OK;
}

kw_status cli_vault_rekey(struct kw_op *op, struct cli *cli)
{
    char json[96];
    uint32_t approval = 0;

    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, UINT32_MAX, &approval));
    (void)snprintf(json, sizeof(json), "{\"new_secret\": %s, \"approval\": %u}",
                   cli->options[OPT_NEW_SECRET] ? "true" : "false", approval);
    return post(op, cli, "rekey", kw_span_text(json));
}
