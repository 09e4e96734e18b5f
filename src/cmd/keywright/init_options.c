/* `keywright init`: its command line. */
#include "cmd/keywright/init.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/keywright/owners.h"
#include "os/files.h"

kw_status init_take_text(struct kw_op *op, const struct cli *cli, enum cli_option option,
                         char *text, size_t cap)
{
    const char *given = cli->options[option];

    ENSURE(op, !given || (*given && kw_text_copy(text, cap, given)), KW_E_INPUT,
           "'%.60s' cannot be used here", given);
    return KW_OK;
}

/* "8443,9443,8080": exactly n whole numbers up to max. */
static bool read_numbers(const char *text, unsigned n, unsigned long max, unsigned long ret[])
{
    for (unsigned i = 0; i < n; i++) {
        char *end = NULL;
        ret[i] = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || ret[i] > max || *end != (i + 1 < n ? ',' : 0)) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

static kw_status take_ports(struct kw_op *op, const struct cli *cli, struct config *config)
{
    const char *given = cli->options[OPT_PORTS];
    unsigned long ports[3];

    if (!given) {
        return KW_OK;
    }
    ENSURE(op, read_numbers(given, 3, 65535, ports), KW_E_INPUT,
           "--ports takes three port numbers: devices,operators,relying");
    config->devices.port = (uint32_t)ports[0];
    config->operators.port = (uint32_t)ports[1];
    config->relying.port = (uint32_t)ports[2];
    return KW_OK;
}

static kw_status take_listen(struct kw_op *op, const struct cli *cli, struct config *config)
{
    TRY(op, init_take_text(op, cli, OPT_LISTEN, config->devices.address,
                           sizeof(config->devices.address)));
    TRY(op, init_take_text(op, cli, OPT_LISTEN, config->operators.address,
                           sizeof(config->operators.address)));
    return init_take_text(op, cli, OPT_LISTEN, config->relying.address,
                          sizeof(config->relying.address));
}

kw_status cli_shares(struct kw_op *op, const struct cli *cli, unsigned *ret_m, unsigned *ret_n)
{
    const char *given = cli->options[OPT_SHARES];
    unsigned long shares[2] = {2, 3};

    ENSURE(op, !given || read_numbers(given, 2, KW_SHARES_MAX, shares), KW_E_INPUT,
           "--shares takes M,N up to %d", KW_SHARES_MAX);
    ENSURE(op, shares[0] >= 2 && shares[0] <= shares[1], KW_E_INPUT,
           "--shares M,N needs 2 <= M <= N");
    *ret_m = (unsigned)shares[0];
    *ret_n = (unsigned)shares[1];
    return KW_OK;
}

static kw_status take_paths(struct kw_op *op, struct init *it)
{
    const char *state = it->cli->options[OPT_STATE], *offline = it->cli->options[OPT_OFFLINE];

    ENSURE(op, state, KW_E_INPUT, "--state DIR is missing");
    ENSURE(op, offline, KW_E_INPUT,
           "--offline DIR is missing: where the root key and its shares go");
    TRY(op, os_dir_make(op, state, 0755));
    ENSURE(op, strlen(state) < KW_PATH_BYTES - 64 && realpath(state, it->final), KW_E_INPUT,
           "%s: %s", state, strerror(errno));
    ENSURE(op, rmdir(it->final) == 0, KW_E_CONFLICT, "%s is not empty; nothing was changed",
           it->final);
    (void)snprintf(it->work, sizeof(it->work), "%s.init", it->final);
    ENSURE(op, kw_text_copy(it->offline, sizeof(it->offline), offline), KW_E_INPUT,
           "--offline is too long");
    char sealed[INIT_PATH_ROOM + 32];
    (void)snprintf(sealed, sizeof(sealed), "%s/root.key.sealed", it->offline);
    ENSURE(op, !os_file_exists(sealed), KW_E_CONFLICT,
           "%s holds a root key already; nothing was changed", it->offline);
    return KW_OK;
}

kw_status init_options(struct kw_op *op, struct init *it)
{
    struct config *config = &it->config;

    config_defaults(config);
    TRY(op, init_take_text(op, it->cli, OPT_ORGANIZATION, config->organization,
                           sizeof(config->organization)));
    TRY(op, init_take_text(op, it->cli, OPT_SERVER_NAME, config->server_name,
                           sizeof(config->server_name)));
    TRY(op, init_take_text(op, it->cli, OPT_USER, config->user, sizeof(config->user)));
    TRY(op, init_take_text(op, it->cli, OPT_KEEPER_USER, config->keeper_user,
                           sizeof(config->keeper_user)));
    TRY(op, owners_choose(op, config));
    TRY(op, take_listen(op, it->cli, config));
    TRY(op, take_ports(op, it->cli, config));
    (void)snprintf(config->public_url, sizeof(config->public_url), "http://%s:%u",
                   config->server_name, config->relying.port);
    (void)snprintf(config->log_origin, sizeof(config->log_origin), "%.70s/keywright",
                   config->server_name);
    it->operator_name = it->cli->options[OPT_OPERATOR] ? it->cli->options[OPT_OPERATOR] : "admin";
    ENSURE(op, *it->operator_name && strlen(it->operator_name) <= ROSTER_NAME_LEN, KW_E_INPUT,
           "--operator takes a name of at most %d octets", ROSTER_NAME_LEN);
    TRY(op, cli_number(op, it->cli, OPT_APPROVALS, 0, ROSTER_NEEDED_MAX, &it->approvals));
    TRY(op, cli_shares(op, it->cli, &it->m, &it->n));
    return take_paths(op, it);
}
