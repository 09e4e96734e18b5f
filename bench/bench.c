#include "bench.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_DIRS = 16, FIRST_CAP = 1024 };

void bench_die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

uint64_t bench_setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    char *end = NULL;

    if (!text || !*text) {
        return fallback;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || *text == '-') {
        bench_die("%s is no number: '%s'", name, text);
    }
    return value;
}

void bench_op(struct kw_op *op)
{
    kw_op_init(op, "system", 0);
}

void bench_need(struct kw_op *op, kw_status status, const char *what)
{
    char words[1024];

    if (!kw_ok(status)) {
        bench_die("%s: %s: %s", what, kw_code_text(status.code),
                  op ? kw_op_message(op, words, sizeof(words)) : "");
    }
}

/* --- clocks ----------------------------------------------------------------------------------- */

static double read_clock(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0) {
        bench_die("no such clock: %s", strerror(errno));
    }
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double bench_wall_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double bench_thread_cpu_us(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

double bench_self_cpu_us(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_process_cpu_us(pid_t pid)
{
    clockid_t id;

    if (clock_getcpuclockid(pid, &id) != 0) {
        bench_die("process %d has ended", (int)pid);
    }
    return read_clock(id);
}

/* --- statistics ------------------------------------------------------------------------------- */

static void reserve(struct bench_list *list, size_t n)
{
    if (n <= list->cap) {
        return;
    }
    size_t cap = n > 2 * list->cap ? n + FIRST_CAP : 2 * list->cap;
    double *at = realloc(list->at, cap * sizeof(*at));
    if (!at) {
        bench_die("no memory");
    }
    list->at = at;
    list->cap = cap;
}

void bench_add(struct bench_list *list, double value)
{
    reserve(list, list->n + 1);
    list->at[list->n++] = value;
}

void bench_merge(struct bench_list *list, struct bench_list *from)
{
    for (size_t i = 0; i < from->n; i++) {
        bench_add(list, from->at[i]);
    }
    bench_list_done(from);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(struct bench_list *list, double q)
{
    if (list->n == 0) {
        return 0;
    }
    qsort(list->at, list->n, sizeof(*list->at), compare);
    size_t i = (size_t)(q * (double)(list->n - 1) + 0.5);
    return list->at[i];
}

double bench_median(struct bench_list *list)
{
    return bench_quantile(list, 0.5);
}

void bench_list_done(struct bench_list *list)
{
    free(list->at);
    *list = (struct bench_list){0};
}

/* --- print ------------------------------------------------------------------------------------ */

void bench_title(const char *what)
{
    double load[1] = {0};

    (void)getloadavg(load, 1);
    printf("%s  (%ld CPUs, load %.1f before)\n", what, sysconf(_SC_NPROCESSORS_ONLN), load[0]);
    (void)fflush(stdout);
}

void bench_row(const char *what, double floor_us, double work_us, double ratio, const char *target)
{
    printf("  %-34s floor %8.1f us  work %8.1f us  ratio %5.2f  target %s\n", what, floor_us,
           work_us, ratio, target);
    (void)fflush(stdout);
}

void bench_figure(const char *name, double value, const char *unit)
{
    printf("  %-34s %12.1f %s\n", name, value, unit);
    (void)fflush(stdout);
}

/* --- folders ---------------------------------------------------------------------------------- */

void bench_dir_make(char *path, size_t cap)
{
    const char *base = getenv("TMPDIR");

    int n = snprintf(path, cap, "%s/keywright-bench.XXXXXX", base && *base ? base : "/tmp");
    if (n < 0 || (size_t)n >= cap || !mkdtemp(path)) {
        bench_die("no folder for the state: %s", strerror(errno));
    }
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat;
    (void)type;
    (void)where;
    return remove(path);
}

void bench_dir_remove(const char *path)
{
    (void)nftw(path, remove_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS); /* best effort: it is in /tmp */
}
