/* The table that each root of trust fills; only rot.c calls through it. */
#ifndef ROT_OPS_H
#define ROT_OPS_H

#include "rot/rot.h"

enum { ROT_OPS_VERSION = 1, ROT_LABEL_MAX = 33 };

/* Every cell is filled; what a backend cannot do is a function that returns KW_E_UNSUPPORTED. */
struct rot_ops {
    unsigned version;   /* ROT_OPS_VERSION */
    const char *scheme; /* "tpm2" */
    const char *doc;    /* one line for help texts: URI form and meaning */
    kw_status (*open)(struct kw_op *op, const char *params, void **ret_self);
    void (*close)(void *self);
    void (*info)(const void *self, struct rot_info *ret);
    kw_status (*generate)(struct kw_op *op, void *self, const char *label, enum key_alg alg,
                          void **ret_key, struct pubkey **ret_public);
    kw_status (*load)(struct kw_op *op, void *self, const char *label, void **ret_key,
                      struct pubkey **ret_public);
    void (*key_close)(void *self, void *key);
    kw_status (*sign)(struct kw_op *op, void *self, void *key, enum key_alg alg,
                      struct kw_span message, struct kw_out *sig);
    kw_status (*attributes)(struct kw_op *op, void *self, void *key, char *text, size_t cap);
    kw_status (*destroy)(struct kw_op *op, void *self, const char *label, char *ret_proof,
                         size_t cap);
    kw_status (*forget)(struct kw_op *op, void *self);
    kw_status (*each)(struct kw_op *op, void *self,
                      kw_status (*each)(struct kw_op *op, const char *label, void *ctx), void *ctx);
    kw_status (*seal)(struct kw_op *op, void *self, const struct kw_secret *plain,
                      struct kw_bytes **ret);
    kw_status (*unseal)(struct kw_op *op, void *self, struct kw_span sealed,
                        struct kw_secret **ret);
    kw_status (*attest_keys)(struct kw_op *op, void *self, struct rot_attest_keys *ret);
    kw_status (*attest_activate)(struct kw_op *op, void *self, struct kw_span blob,
                                 struct kw_span secret, struct kw_secret **ret);
    kw_status (*attest_certify)(struct kw_op *op, void *self, void *key, struct kw_span qualifying,
                                struct rot_certified *ret);
    kw_status (*attest_quote)(struct kw_op *op, void *self, struct kw_span qualifying,
                              const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret);
};

/* The cell of roots of trust whose sealing key is not theirs alone: does nothing (no_attest.c). */
kw_status rot_no_forget(struct kw_op *op, void *self);
/* The cells of roots of trust that cannot attest: KW_E_UNSUPPORTED (no_attest.c). */
kw_status rot_no_attest_keys(struct kw_op *op, void *self, struct rot_attest_keys *ret);
kw_status rot_no_attest_activate(struct kw_op *op, void *self, struct kw_span blob,
                                 struct kw_span secret, struct kw_secret **ret);
kw_status rot_no_attest_certify(struct kw_op *op, void *self, void *key, struct kw_span qualifying,
                                struct rot_certified *ret);
kw_status rot_no_attest_quote(struct kw_op *op, void *self, struct kw_span qualifying,
                              const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret);

/*
 * The backend of a URI's scheme. Which there are is the build's choice: roots_builtin.c has all of
 * them in, roots_loaded.c (libkeywright) only soft; the others are modules that it loads when a
 * URI names them. KW_E_UNSUPPORTED no such kind, or its module is not installed.
 */
kw_status rot_roots_find(struct kw_op *op, const char *uri, const struct rot_ops **ret);

extern const struct rot_ops rot_soft_ops;
extern const struct rot_ops rot_tpm2_ops;
extern const struct rot_ops rot_pkcs11_ops;

#endif
