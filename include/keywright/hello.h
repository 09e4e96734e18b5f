/* The heartbeat. */
#ifndef KEYWRIGHT_HELLO_H
#define KEYWRIGHT_HELLO_H

#include <keywright/identity.h>

KEYWRIGHT_C_BEGIN

/**
 * Tell the server that this device is alive, over mTLS with the LDevID.
 *
 * Errors  NO_IDENTITY enrol first; REFUSED the server does not take this certificate (revoked,
 *         expired), or the device is suspended; NOT_TRUSTED the server, or whether it is revoked
 *         cannot be found out; UNAVAILABLE no line, server or root of trust busy; LOST; STORAGE
 * Blocks  up to timeout_ms
 */
KEYWRIGHT_API enum keywright_result keywright_hello(struct keywright *kw);
/* The same with another of its certificates. Errors: the same; NO_IDENTITY also where there is no
 * such certificate. */
KEYWRIGHT_API enum keywright_result keywright_hello_as(struct keywright *kw,
                                                       enum keywright_identity identity);

/* Unix seconds by which this device judges: since a time that the server signed by the machine's
 * uptime, else the clock; never before what the server once told. For what a device writes down,
 * whose own clock may be wrong. */
KEYWRIGHT_API int64_t keywright_now(const struct keywright *kw);

KEYWRIGHT_C_END

#endif
