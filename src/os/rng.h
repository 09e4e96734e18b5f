/* Random octets from the kernel, getrandom(2). Keys come from OpenSSL's DRBG or the root of trust
 * instead. */
#ifndef OS_RNG_H
#define OS_RNG_H

#include <stddef.h>

#include "base/op.h"

/* Fill n octets. KW_E_UNAVAILABLE only where the kernel has no entropy source (never after boot).
 */
kw_status os_random(struct kw_op *op, void *p, size_t n);

#endif
