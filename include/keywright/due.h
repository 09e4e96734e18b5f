/* What a device has to do next, for programs with a loop of their own. */
#ifndef KEYWRIGHT_DUE_H
#define KEYWRIGHT_DUE_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/* Append only. */
enum keywright_task {
    KEYWRIGHT_TASK_NONE = 0,  /* wiped, and the server knows: nothing will be due */
    KEYWRIGHT_TASK_ENROL = 1, /* keywright_enrol() */
    KEYWRIGHT_TASK_RENEW = 2, /* keywright_renew() */
    KEYWRIGHT_TASK_WIPE = 3   /* keywright_wipe(): a wipe has begun and is not over */
};

struct keywright_due {
    enum keywright_task task;
    int64_t in_ms;       /* from now, on a clock that nobody sets; 0 = now */
    int64_t hello_in_ms; /* keywright_hello() not before: its last one failed; 0 = as you like */
    unsigned failures;   /* of this task in a row, with this object */
    uint32_t reserved_[8];
};

/**
 * What is due next, and in how long. A loop asks before each wait, and calls what is due.
 *
 * Renewal is due at two thirds of a certificate's life and up to a twentieth later, so that a batch
 * that was born together does not come at once; now, where the server asks for it or a renewal was
 * begun. It is counted by the machine's uptime: a clock that is set back makes it no later. What
 * failed is due again after one second, two, four, … up to an hour, half of that at random; never
 * before what the server's Retry-After asks for (at most a day). Failures are counted by this
 * object, not over restarts.
 *
 * Errors  STORAGE, UNAVAILABLE another process has the device's turn, BAD_INPUT a damaged file
 * Blocks  never for the server or the root of trust
 */
KEYWRIGHT_API enum keywright_result keywright_due(struct keywright *kw, struct keywright_due *ret);

KEYWRIGHT_C_END

#endif
