/* What all benchmarks share: settings, clocks, statistics, how a row is printed. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/op.h"

/* A number from the environment; fallback where absent. Ends the program where it is none. */
uint64_t bench_setting(const char *name, uint64_t fallback);
/* Say what went wrong and end the program: a benchmark that cannot measure has no result. */
_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* End the program with the operation's words unless status is good. */
void bench_need(struct kw_op *op, kw_status status, const char *what);
/* A fresh operation without a deadline that counts as the system's. */
void bench_op(struct kw_op *op);

/* Microseconds since some moment. CPU times are user and system together, of all threads. */
double bench_wall_us(void);
double bench_thread_cpu_us(void);
double bench_self_cpu_us(void);
double bench_process_cpu_us(pid_t pid); /* of any process */

/* A growing list of measurements. Zero-initialise. Not thread-safe. */
struct bench_list {
    double *at;
    size_t n, cap;
};
void bench_add(struct bench_list *list, double value);
/* Take over what another one holds. */
void bench_merge(struct bench_list *list, struct bench_list *from);
double bench_quantile(struct bench_list *list, double q); /* sorts; 0 where empty */
double bench_median(struct bench_list *list);
void bench_list_done(struct bench_list *list);

/* Headline: what is measured, on what, how busy the machine was before. */
void bench_title(const char *what);
/* One row of ARCHITECTURE section 8. target: as text, "at most 1.6 x". */
void bench_row(const char *what, double floor_us, double work_us, double ratio, const char *target);
/* One measured figure beside the rows. */
void bench_figure(const char *name, double value, const char *unit);

/* A folder of our own below /tmp (or $TMPDIR), and its removal with all that is in it. */
void bench_dir_make(char *path, size_t cap);
void bench_dir_remove(const char *path);

#endif
