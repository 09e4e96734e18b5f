/* The device's security events: a log that shows when it was altered, kept on the device, sent to
 * the server with the heartbeat. */
#ifndef KEYWRIGHT_EVENTS_H
#define KEYWRIGHT_EVENTS_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

struct keywright_event {
    uint64_t id;     /* 1, 2, … ; one that is left out was lost */
    int64_t unix_ms; /* by the device's judged time */
    int clock;       /* 0 its plain clock, 1 signed time, 2 no better than "not before" */
    char source[32]; /* "libkeywright" or "application" */
    char category[24];
    char type[48];    /* "server.refuse", "app.door" */
    char result[24];  /* "success" or what went wrong */
    char detail[192]; /* for people; may be empty */
    uint8_t hash[32];
};

struct keywright_events_info {
    uint64_t first, last; /* ids that the log holds; last 0: none was ever written */
    uint64_t sent;        /* the server has all up to this */
    uint64_t lost;        /* that could not be written since this object was opened */
    uint64_t reserved_[8];
};

/**
 * Record an event of the application's.
 *
 * type    "app." and letters, digits, dots
 * result  "success" or a word for what went wrong
 * detail  one sentence without secrets, or NULL; what is longer than a record holds is cut
 *
 * Errors  BAD_INPUT; STORAGE, UNAVAILABLE it was counted as lost, and the next record shows so
 */
KEYWRIGHT_API enum keywright_result keywright_event_record(struct keywright *kw, const char *type,
                                                           const char *result, const char *detail);
/* How the log stands. Errors: STORAGE it cannot be read. */
KEYWRIGHT_API enum keywright_result keywright_events_get_info(struct keywright *kw,
                                                              struct keywright_events_info *ret);
/* Events with an id higher than `after`, oldest first, into ret[*n]; *n becomes how many came.
 * Errors: STORAGE they cannot be read. */
KEYWRIGHT_API enum keywright_result keywright_events_read(struct keywright *kw, uint64_t after,
                                                          struct keywright_event *ret, size_t *n);

KEYWRIGHT_C_END

#endif
