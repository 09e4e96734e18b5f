#include "swtpm.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT_FIRST = 20000, PORT_RANGE = 12000, START_TRIES = 20, WAIT_STEPS = 500, STEP_MS = 10 };

static struct sockaddr_in local_address(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

bool swtpm_is_installed(void)
{
    return access("/usr/bin/swtpm", X_OK) == 0 || access("/usr/local/bin/swtpm", X_OK) == 0;
}

static bool put_text(const char *dir, const char *name, const char *text)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    bool written = file && fputs(text, file) >= 0;
    return file && fclose(file) == 0 && written;
}

bool swtpm_manufacture(const char *dir, const char *ca_dir)
{
    char text[1600], config[300];
    int status = 0;

    (void)snprintf(text, sizeof(text),
                   "statedir = %s\nsigningkey = %s/key.pem\nissuercert = %s/issuer.pem\n"
                   "certserial = %s/serial\n",
                   ca_dir, ca_dir, ca_dir, ca_dir);
    bool ready = put_text(ca_dir, "localca.conf", text) && put_text(ca_dir, "options", "");
    (void)snprintf(text, sizeof(text),
                   "create_certs_tool = /usr/bin/swtpm_localca\n"
                   "create_certs_tool_config = %s/localca.conf\n"
                   "create_certs_tool_options = %s/options\n",
                   ca_dir, ca_dir);
    ready = ready && put_text(ca_dir, "setup.conf", text);
    (void)snprintf(config, sizeof(config), "%s/setup.conf", ca_dir);
    pid_t pid = ready ? fork() : -1;
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)execlp("swtpm_setup", "swtpm_setup", "--tpm2", "--tpmstate", dir, "--config", config,
                     "--create-ek-cert", "--overwrite", (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool is_free(unsigned port)
{
    struct sockaddr_in address = local_address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return bound;
}

static unsigned find_port(void)
{
    for (int i = 0; i < 1000; i++) {
        unsigned r = 0;
        if (getrandom(&r, sizeof(r), 0) != sizeof(r)) {
            return 0;
        }
        unsigned port = PORT_FIRST + r % PORT_RANGE * 2; /* the control port is the next one */
        if (is_free(port) && is_free(port + 1)) {
            return port;
        }
    }
    return 0;
}

/* Without connecting: the TPM's port serves one client at a time. */
static bool listens(unsigned port)
{
    char wanted[32], line[256];
    bool found = false;
    FILE *table = fopen("/proc/net/tcp", "re");

    (void)snprintf(wanted, sizeof(wanted), "0100007F:%04X 00000000:0000 0A", port);
    while (table && !found && fgets(line, sizeof(line), table)) {
        found = strstr(line, wanted) != NULL;
    }
    if (table) {
        (void)fclose(table);
    }
    return found;
}

static void run_child(const struct swtpm *tpm)
{
    char state[300], server[80], control[80];
    (void)snprintf(state, sizeof(state), "dir=%s", tpm->dir);
    (void)snprintf(server, sizeof(server), "type=tcp,port=%u,bindaddr=127.0.0.1", tpm->port);
    (void)snprintf(control, sizeof(control), "type=tcp,port=%u,bindaddr=127.0.0.1", tpm->port + 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    (void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
                 "--ctrl", control, "--flags", "not-need-init,startup-clear", (char *)NULL);
    _exit(127);
}

static bool wait_for(struct swtpm *tpm)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (waitpid(tpm->pid, NULL, WNOHANG) != 0) {
            tpm->pid = 0;
            return false;
        }
        if (listens(tpm->port) && listens(tpm->port + 1)) {
            return true;
        }
        (void)nanosleep(&step, NULL);
    }
    swtpm_stop(tpm);
    return false;
}

/* So that what it leaves lying has its name (tools/lsan.supp): tss2 unloads it after each use. */
static void keep_its_driver(void)
{
    (void)dlopen("libtss2-tcti-swtpm.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

bool swtpm_start(struct swtpm *tpm, const char *dir, unsigned port)
{
    keep_its_driver();
    for (int i = 0; i < START_TRIES; i++) {
        tpm->port = port ? port : find_port();
        (void)snprintf(tpm->dir, sizeof(tpm->dir), "%s", dir);
        (void)snprintf(tpm->tcti, sizeof(tpm->tcti), "swtpm:host=127.0.0.1,port=%u", tpm->port);
        tpm->pid = fork();
        if (tpm->pid == 0) {
            run_child(tpm);
        }
        if (tpm->pid > 0 && wait_for(tpm)) {
            return true;
        }
    }
    return false;
}

void swtpm_stop(struct swtpm *tpm)
{
    if (tpm->pid > 0) {
        (void)kill(tpm->pid, SIGKILL);
        (void)waitpid(tpm->pid, NULL, 0);
        tpm->pid = 0;
    }
}
