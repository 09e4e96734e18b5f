#include "gate.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 30000, STEP_US = 10000, SERVERS_MAX = 4 };

extern char **environ;

/* --- programs --------------------------------------------------------------------------------- */

void gate_program(const char *name, char *path, size_t cap)
{
    const char *root = getenv("KW_BUILD_ROOT");
    char *absolute = realpath(root ? root : "build", NULL);

    (void)snprintf(path, cap, "%s/src/cmd/%s/%s", absolute ? absolute : "", name, name);
    free(absolute);
    if (access(path, X_OK) != 0) {
        bench_die("%s is not there (KW_BUILD_ROOT)", path);
    }
}

pid_t gate_spawn(const struct bench_gate *gate, const char *const argv[])
{
    /* Builds with tests look into the environment at each look at the clock: a short one. */
    static char path[] = "PATH=/usr/bin:/bin";
    char *const env[] = {path, NULL};
    posix_spawn_file_actions_t actions;
    char log[192];
    pid_t pid = 0;

    (void)snprintf(log, sizeof(log), "%s/log", gate->dir);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    char *const *args = (char *const *)(uintptr_t)argv; /* POSIX: they are not changed */
    int error = posix_spawn(&pid, argv[0], &actions, NULL, args, env);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        bench_die("%s: %s", argv[0], strerror(error));
    }
    return pid;
}

/* Three ports that are free now. */
static void free_ports(uint16_t ports[GATE_DOORS])
{
    int fds[GATE_DOORS];

    for (unsigned i = 0; i < GATE_DOORS; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&address, len) != 0 ||
            getsockname(fds[i], (struct sockaddr *)&address, &len) != 0) {
            bench_die("no free port: %s", strerror(errno));
        }
        ports[i] = ntohs(address.sin_port);
    }
    for (unsigned i = 0; i < GATE_DOORS; i++) {
        (void)close(fds[i]);
    }
}

static void run_init(const struct bench_gate *gate)
{
    char path[512], profiles[512], offline[160], ports[32];
    const char *source = getenv("KW_SOURCE_ROOT");
    int status = 0;

    gate_program("keywright", path, sizeof(path));
    (void)snprintf(profiles, sizeof(profiles), "%s/profiles", source ? source : ".");
    (void)snprintf(offline, sizeof(offline), "%s/offline", gate->dir);
    (void)snprintf(ports, sizeof(ports), "%u,%u,%u", gate->ports[0], gate->ports[1],
                   gate->ports[2]);
    const char *argv[] = {path,         "init",   "--state", gate->state, "--offline", offline,
                          "--profiles", profiles, "--ports", ports,       NULL};
    pid_t pid = gate_spawn(gate, argv);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        bench_die("keywright init failed; see %s/log", gate->dir);
    }
}

/* A benchmark that cannot go on leaves no server behind; its folder stays, to look at the log. */
static pid_t running[SERVERS_MAX];

static void kill_running(void)
{
    for (unsigned i = 0; i < SERVERS_MAX; i++) {
        if (running[i]) {
            (void)kill(running[i], SIGTERM);
        }
    }
}

/* Put `to` where `from` was; 0 is a free place. */
static void note_running(pid_t from, pid_t to)
{
    for (unsigned i = 0; i < SERVERS_MAX; i++) {
        if (running[i] == from) {
            running[i] = to;
            return;
        }
    }
    bench_die("no more than %d servers at once", SERVERS_MAX);
}

void gate_init(struct bench_gate *gate)
{
    static bool again;

    if (!again) {
        (void)atexit(kill_running); /* fails only beyond 32 of them */
        again = true;
    }
    *gate = (struct bench_gate){0};
    bench_dir_make(gate->dir, sizeof(gate->dir));
    (void)snprintf(gate->state, sizeof(gate->state), "%s/state", gate->dir);
    free_ports(gate->ports);
    run_init(gate);
}

static pid_t child_of_task(const char *task)
{
    char path[384], text[64] = "";

    (void)snprintf(path, sizeof(path), "%s/children", task);
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    char *got = fgets(text, sizeof(text), file);
    (void)fclose(file);
    return got ? (pid_t)strtol(text, NULL, 10) : 0;
}

pid_t gate_child_of(pid_t pid)
{
    char dir[64], task[320];
    pid_t found = 0;

    (void)snprintf(dir, sizeof(dir), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(dir);
    for (struct dirent *entry; tasks && !found && (entry = readdir(tasks));) {
        (void)snprintf(task, sizeof(task), "%s/%s", dir, entry->d_name);
        found = entry->d_name[0] == '.' ? 0 : child_of_task(task);
    }
    if (tasks) {
        (void)closedir(tasks);
    }
    if (!found) {
        bench_die("process %d has no child", (int)pid);
    }
    return found;
}

/* keywrightd starts it through a process of its own, keywright-start. */
static pid_t keeper_of(pid_t server)
{
    char path[64], name[32] = "";
    pid_t keeper = gate_child_of(gate_child_of(server));

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)keeper);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(name, sizeof(name), file) || strncmp(name, "keywright-keep", 14) != 0) {
        bench_die("process %d is no keeper but '%s'", (int)keeper, name);
    }
    (void)fclose(file);
    return keeper;
}

void gate_start(struct bench_gate *gate)
{
    char path[512], endpoints[256];

    gate_program("keywrightd", path, sizeof(path));
    const char *argv[] = {path, "--state", gate->state, NULL};
    gate->server = gate_spawn(gate, argv);
    note_running(0, gate->server);
    (void)snprintf(endpoints, sizeof(endpoints), "%s/run/endpoints", gate->state);
    for (unsigned waited = 0; access(endpoints, R_OK) != 0; waited += STEP_US / 1000) {
        if (waited > START_MS || waitpid(gate->server, NULL, WNOHANG) != 0) {
            bench_die("keywrightd does not start; see %s/log", gate->dir);
        }
        (void)usleep(STEP_US);
    }
    gate->keeper = keeper_of(gate->server);
}

void gate_end(struct bench_gate *gate)
{
    int status = 0;

    if (gate->server) {
        (void)kill(gate->server, SIGTERM);
        (void)waitpid(gate->server, &status, 0);
        note_running(gate->server, 0);
        if (status != 0) {
            bench_die("keywrightd ended badly; see %s/log", gate->dir);
        }
    }
    bench_dir_remove(gate->dir);
}

double gate_cpu_us(const struct bench_gate *gate)
{
    return bench_process_cpu_us(gate->server) + bench_process_cpu_us(gate->keeper);
}

static void print_cpu(const char *name, pid_t pid)
{
    char path[64], text[1024] = "", shown[96];
    unsigned long ticks[2] = {0};

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    text[n] = 0;
    char *at = strrchr(text, ')'); /* then 11 fields, then utime and stime */
    for (unsigned field = 0; at && field < 12; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at) {
        ticks[0] = strtoul(at, &at, 10);
        ticks[1] = strtoul(at, NULL, 10);
    }
    double sum = (double)(ticks[0] + ticks[1]);
    (void)snprintf(shown, sizeof(shown), "%s: share in the kernel", name);
    bench_figure(shown, sum > 0 ? 100.0 * (double)ticks[1] / sum : 0, "%");
}

void gate_print_cpu(const struct bench_gate *gate)
{
    print_cpu("keywrightd", gate->server);
    print_cpu("keywright-keeper", gate->keeper);
}
