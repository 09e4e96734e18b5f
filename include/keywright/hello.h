/* The heartbeat. */
#ifndef KEYWRIGHT_HELLO_H
#define KEYWRIGHT_HELLO_H

#include <keywright/identity.h>

KEYWRIGHT_C_BEGIN

/* Tell the server that this device is alive, over mTLS with the LDevID. */
KEYWRIGHT_API enum keywright_result keywright_hello(struct keywright *kw);
/* The same with another of its certificates. */
KEYWRIGHT_API enum keywright_result keywright_hello_as(struct keywright *kw,
                                                       enum keywright_identity identity);

KEYWRIGHT_C_END

#endif
