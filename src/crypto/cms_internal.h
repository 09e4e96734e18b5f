/* Between the files that write CMS. */
#ifndef CRYPTO_CMS_INTERNAL_H
#define CRYPTO_CMS_INTERNAL_H

#include <stdbool.h>

#include "crypto/alg.h"
#include "crypto/openssl.h"

/* SHA-256 in the recipient's key wrapping: OpenSSL's own choices are SHA-1. recipient: made with
 * CMS_KEY_PARAM; NULL is a failure. */
bool cms_set_strength(CMS_RecipientInfo *recipient, enum key_alg alg);

#endif
