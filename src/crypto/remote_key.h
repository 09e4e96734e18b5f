/*
 * Private to crypto/: the OpenSSL provider "keywright", whose keys have a public half and a
 * function.
 *
 *   remote_key.c        the key, calling its function, and how a refusal travels through OpenSSL
 *   remote_keymgmt.c    OpenSSL's view of the key: types, parameters, comparison
 *   remote_signature.c  OpenSSL's view of signing
 *   remote_provider.c   the provider, its library context, and making an EVP_PKEY
 */
#ifndef CRYPTO_REMOTE_KEY_H
#define CRYPTO_REMOTE_KEY_H

#include <openssl/core.h>

#include "crypto/openssl.h"
#include "crypto/privkey.h"

struct remote_source {
    const struct pubkey *public_key;
    privkey_sign_fn sign;
    void *ctx;
};

struct remote_key; /* reference counted; lives inside an EVP_PKEY */

/* The parameter of EVP_PKEY_fromdata() that carries a struct remote_import * to the keymgmt. */
#define REMOTE_PARAM_IMPORT "keywright-import"
struct remote_import {
    struct remote_source source;
    struct remote_key *made; /* borrowed from the EVP_PKEY; set by the keymgmt */
};

struct remote_key *remote_key_new(void); /* NULL: no memory */
struct remote_key *remote_key_ref(struct remote_key *key);
void remote_key_unref(struct remote_key *key);
KW_OWNED(remote_key, struct remote_key, remote_key_unref)

/* Fill an empty key: from the parts of privkey_remote(), or with only a public half (for
 * comparing). */
void remote_key_set_source(struct remote_key *key, const struct remote_source *source);
void remote_key_set_public(struct remote_key *key, struct pubkey *public_key);
void remote_key_set_free(struct remote_key *key, void (*ctx_free)(void *ctx));
const struct pubkey *remote_key_public(const struct remote_key *key); /* NULL while empty */
bool remote_key_can_sign(const struct remote_key *key);
/* The longest signature, in octets. */
size_t remote_key_sig_max(const struct pubkey *public_key);

/* Call the function, and judge the form of its answer. op may be NULL. */
kw_status remote_call(struct kw_op *op, const struct remote_source *source, struct kw_span message,
                      bool pss, struct kw_out *sig);
/* The same from inside OpenSSL: op is that of PRIVKEY_SCOPE, a refusal goes to the error queue too.
 */
bool remote_key_sign(const struct remote_key *key, struct kw_span message, bool pss,
                     struct kw_out *sig);

/* OpenSSL error library of refusals, whose reasons are enum kw_code; -1 before the first remote
 * key. */
int remote_error_library(void);
void remote_error_init(void);
void remote_raise(enum kw_code code, const char *text);

extern const OSSL_ALGORITHM remote_keymgmts[];
extern const OSSL_ALGORITHM remote_signatures[];

/* An EVP_PKEY around a remote key. ctx_free is kept only on success. */
kw_status remote_evp_new(struct kw_op *op, const struct remote_source *source,
                         void (*ctx_free)(void *ctx), EVP_PKEY **ret);

#endif
