/* The "pkcs11:" URI (RFC 7512) of one token: which library, which token, where its PIN is. */
#ifndef ROT_PKCS11_URI_H
#define ROT_PKCS11_URI_H

#include <p11-kit/pkcs11.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"

struct p11_uri {
    char module_path[KW_PATH_BYTES]; /* absolute */
    char pin_path[KW_PATH_BYTES];    /* absolute; "" where the token has a PIN pad or needs none */
    void *parsed;                    /* p11-kit's own form, for p11_uri_matches() */
};

/**
 * Read "pkcs11:token=LABEL?module-path=/…/libsofthsm2.so&pin-source=file:/…". The token is named by
 * token=, serial=, manufacturer= or model=, at least by one of the first two. KW_E_INPUT says what
 * to write instead: a PIN in the URI, an object's or slot's name, an unknown or missing part.
 */
kw_status p11_uri_parse(struct kw_op *op, const char *text, struct p11_uri *ret);
void p11_uri_done(struct p11_uri *uri);
bool p11_uri_matches(const struct p11_uri *uri, const CK_TOKEN_INFO *token);

#endif
