/* A TLS 1.3 handshake in memory, the server's key being the one to be tried. */
#ifndef TESTS_CONTRACT_ROT_HANDSHAKE_H
#define TESTS_CONTRACT_ROT_HANDSHAKE_H

#include "crypto/privkey.h"

/* With a self-signed certificate, which the key signs as well; the client verifies it. */
bool handshake_works(const struct privkey *key);

#endif
