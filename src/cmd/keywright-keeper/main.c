/* clang-format off */
/*
 * keywright-keeper: holds every backend key and signs only what their sealed policies allow.
 *
 * What this process has, promise by promise:
 *   descriptor 3         the channel to the gate; the only way in. Everything above is closed.
 *   descriptors 0, 1, 2  /dev/null, and the gate's outputs for one line should the start fail.
 *   files                below --vault: read at the start; written: state, refusals.log, and keys/
 *                        in a ceremony. The passphrase file is read once, before the first message.
 *   network              none. With --unlock tpm2:... the TPM is opened, asked once and closed before
 *                        the first message (a simulator's TCTI may be a local TCP port).
 *   memory               no core dumps, not traceable, secrets locked (os/sandbox.h, base/secret.h).
 *   processes            starts none, gains no privileges, dies with the gate.
 *   libraries            no HTTP, SQL, JSON or event loop (tests/hostile/keeper checks the binary).
 */
/* clang-format on */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/keywright-keeper/confine.h"
#include "cmd/keywright-keeper/server.h"
#include "crypto/privkey.h"
#include "os/clock.h"
#include "os/sandbox.h"

enum { EXIT_USAGE = 2, CUSTODY_PATHS_MAX = 8 };

struct options {
    const char *vault;
    const char *unlock;
    const char *custody;
    const char *paths[CUSTODY_PATHS_MAX];
    unsigned n_paths;
    bool create;
    bool ceremony;
    bool help;
    bool version;
};

static const char usage[] =
    "usage: keywright-keeper --vault DIR --unlock METHOD [--create] [--ceremony]\n"
    "\n"
    "Started by keywrightd and keywright init, with its channel as descriptor 3.\n"
    "  --vault DIR       folder of the sealed keys\n"
    "  --unlock METHOD   passphrase-file:PATH, tpm2:... or pkcs11:... (root-of-trust URIs);\n"
    "                    passphrase: or shares:M,N wait for 'keywright vault open'\n"
    "  --custody URI     private keys are made in this token or TPM (pkcs11:..., tpm2:...);\n"
    "                    else sealed in the vault\n"
    "  --path PATH       folder or file that its driver needs; at most 8\n"
    "  --create          make a new vault first\n"
    "  --ceremony        keys may be made, and the CA's own request signed\n"
    "  --version, --help\n";

static volatile int stop;

static void on_term(int number)
{
    (void)number;
    stop = 1;
}

static const struct option long_options[] = {
    {"vault",    required_argument, NULL, 'v'},
    {"unlock",   required_argument, NULL, 'u'},
    {"custody",  required_argument, NULL, 'k'},
    {"path",     required_argument, NULL, 'p'},
    {"create",   no_argument,       NULL, 'c'},
    {"ceremony", no_argument,       NULL, 'y'},
    {"version",  no_argument,       NULL, 'V'},
    {"help",     no_argument,       NULL, 'h'},
    {NULL,       0,                 NULL, 0  },
};

static bool parse_options(int argc, char *argv[], struct options *ret)
{
    int letter = 0;

    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (letter) {
        case 'v':
            ret->vault = optarg;
            break;
        case 'u':
            ret->unlock = optarg;
            break;
        case 'k':
            ret->custody = optarg;
            break;
        case 'p':
            if (ret->n_paths == CUSTODY_PATHS_MAX) {
                return false;
            }
            ret->paths[ret->n_paths++] = optarg;
            break;
        case 'c':
            ret->create = true;
            break;
        case 'y':
            ret->ceremony = true;
            break;
        case 'V':
            ret->version = true;
            break;
        case 'h':
            ret->help = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && (ret->version || ret->help || (ret->vault && ret->unlock));
}

static kw_status check_channel(struct kw_op *op)
{
    int type = 0;
    socklen_t len = sizeof(type);

    ENSURE(op,
           getsockopt(KEEPER_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
               type == SOCK_SEQPACKET,
           KW_E_INPUT, "descriptor %d is no channel: keywrightd starts this program",
           KEEPER_CHANNEL_FD);
    return KW_OK;
}

/* SIGTERM ends it in order; a Ctrl-C is the gate's business; a lost reader is seen in send(). */
static kw_status set_signals(struct kw_op *op)
{
    struct sigaction term = {.sa_handler = on_term};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    ENSURE(op,
           sigaction(SIGTERM, &term, NULL) == 0 && sigaction(SIGINT, &ignore, NULL) == 0 &&
               sigaction(SIGPIPE, &ignore, NULL) == 0,
           KW_E_IO, "signals: %s", strerror(errno));
    return KW_OK;
}

static kw_status set_up(struct kw_op *op)
{
    TRY(op, check_channel(op));
    os_sandbox_closefrom(KEEPER_CHANNEL_FD + 1);
    TRY(op, set_signals(op));
    return os_sandbox_harden(op);
}

static int complain(const struct kw_op *op)
{
    char text[KW_OP_FRAMES_MAX * KW_OP_TEXT_MAX];

    (void)fprintf(stderr, "keywright-keeper: %s\n", kw_op_message(op, text, sizeof(text)));
    return SERVER_END_FAILED;
}

/* The vault is ours: open it, unless a person has to. */
static kw_status open_vault(struct kw_op *op, const struct options *options, struct server *server)
{
    struct vault_opening *opening = &server->opening;

    if (unlock_asks(options->unlock) || vault_sealed_by_hand(&opening->folder)) {
        server->sealed = true;
        opening->fresh = options->create;
        return KW_OK;
    }
    if (options->create) {
        AUTO_OPENER opener = {0};
        TRY(op, opener_new(op, options->unlock, &opener));
        TRY(op, vault_fill(op, &opening->folder, &opener));
    } else {
        TRY(op, vault_open_by(op, &opening->folder, options->unlock));
    }
    bool reopened = vault_take_reopened(&opening->folder);
    TRY(op, keyring_load(op, &opening->folder, opening->custody, &server->keyring));
    if (reopened) {
        TRY(op, keyring_note_deed(op, server->keyring, KEEPER_VAULT_OPENED, 0, os_clock_unix_s()));
    }
    return KW_OK;
}

/* What a driver opens while it serves. */
static size_t custody_paths(const struct options *options, struct os_path ret[CUSTODY_PATHS_MAX])
{
    for (unsigned i = 0; i < options->n_paths; i++) {
        ret[i] = (struct os_path){options->paths[i], OS_ACCESS_WRITE | OS_ACCESS_IF_THERE,
                                  "the token's driver (--path)"};
    }
    return options->n_paths;
}

/* What the vault's keys need is opened before the rest is given up. */
static kw_status open_keys(struct kw_op *op, const struct options *options, struct server *server)
{
    struct os_path paths[CUSTODY_PATHS_MAX];
    const struct confinement wanted = {
        .vault = options->vault,
        .custody = {paths, custody_paths(options, paths)},
        .drivers = options->custody || unlock_by_device(options->unlock),
    };

    if (options->custody) {
        custody_preload(options->custody);
    }
    if (unlock_by_device(options->unlock)) {
        custody_preload(options->unlock);
    }
    server->opening.unlock = options->unlock;
    server->opening.custody = options->custody;
    TRY(op, unlock_check(op, options->unlock));
    TRY(op, vault_attach(op, options->vault, options->create, &server->opening.folder));
    TRY(op, open_socket_listen(op, options->vault, &server->socket));
    TRY(op, open_vault(op, options, server));
    return keeper_confine(op, &wanted, &server->confined);
}

/* A vault that does not open is told to the gate by the answer to its HELLO. */
static enum server_end serve(const struct options *options)
{
    static struct server server; /* large */

    server.fd = KEEPER_CHANNEL_FD;
    server.mode = KEEPER_GREETING;
    server.opened = options->ceremony ? KEEPER_CEREMONY : KEEPER_SERVING;
    server.saved_mono_ms = os_clock_mono_ms();
    server.opening.folder.lock_fd = -1;
    server.socket = (struct open_socket){.listen_fd = -1, .peer_fd = -1};
    kw_op_init(&server.failed, "keeper", 0);
    if (kw_ok(open_keys(&server.failed, options, &server))) {
        refusals_open(&server.refusals, options->vault, os_clock_mono_ms());
    } else {
        keyring_free(server.keyring); /* what was not confined does not serve */
        server.keyring = NULL;
        server.sealed = false;
        refusals_none(&server.refusals, os_clock_mono_ms());
    }
    enum server_end end = server_run(&server, &stop);
    if (end == SERVER_END_FAILED && !server.failure_told) {
        (void)complain(&server.failed); /* nobody listened */
    }
    refusals_close(&server.refusals);
    keyring_free(server.keyring);
    open_socket_close(&server.socket);
    vault_open_done(&server.opening);
    return end;
}

int main(int argc, char *argv[])
{
    struct options options = {0};
    struct kw_op op;

    os_clock_boot_id((uint8_t[OS_BOOT_ID_BYTES]){0}); /* while it can be read */
    (void)crypto_wipe_freed(); /* first of all: too late is our bug, and costs only the wiping */
    (void)crypto_lock_keys(); /* where the lock limit forbids it: the process leaves no core dump */
    if (!parse_options(argc, argv, &options)) {
        (void)fputs(usage, stderr); /* the exit status says it too */
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        (void)fputs(options.help ? usage : "keywright-keeper " KW_VERSION "\n", stdout);
        return 0;
    }
    kw_op_init(&op, "keeper", 0);
    if (!kw_ok(set_up(&op))) {
        return complain(&op);
    }
    return (int)serve(&options);
}
