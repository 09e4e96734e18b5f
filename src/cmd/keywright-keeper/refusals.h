/* refusals.log: what the keeper refused, one line each, readable without the keeper. */
#ifndef KEEPER_CMD_REFUSALS_H
#define KEEPER_CMD_REFUSALS_H

#include "base/op.h"

enum {
    REFUSALS_FILE_MAX = 1 << 20, /* then it becomes refusals.log.1 */
    REFUSALS_BURST = 256,        /* lines at once: each one is synced to disk */
    REFUSALS_PER_SECOND = 16,    /* and thereafter */
    REFUSALS_LINE_MAX = 512,
};

struct refusal {
    const char *request_id; /* "" = none */
    const char *message;    /* name of the row, "FRAME" where there is none */
    const char *key_id;     /* "" = none */
    enum kw_code code;
    const char *reason;
};

struct refusals {
    char path[KW_PATH_BYTES];
    int fd; /* -1: not writable */
    int64_t size;
    uint64_t total;    /* refusals since the start */
    uint64_t unlogged; /* of these, counted only */
    /* The last line, to count the same again. */
    char last[REFUSALS_LINE_MAX];
    int64_t last_mono_ms;
    uint64_t repeated;
    /* How many lines may be written now. */
    unsigned tokens;
    int64_t filled_mono_ms;
};

/* dir: the vault. A log that cannot be opened is no failure; it is tried again at each refusal. */
void refusals_open(struct refusals *refusals, const char *dir, int64_t mono_ms);
/* Count only: there is no vault to write to. */
void refusals_none(struct refusals *refusals, int64_t mono_ms);
/* Record one. unix_ms: wall clock for the line; mono_ms: for the rate. */
void refusals_note(struct refusals *refusals, const struct refusal *refusal, int64_t unix_ms,
                   int64_t mono_ms);
/* Write the count of repeated lines once the second is over (or `now` at once). */
void refusals_tick(struct refusals *refusals, int64_t unix_ms, int64_t mono_ms, bool now);
bool refusals_writable(const struct refusals *refusals);
void refusals_close(struct refusals *refusals);

#endif
