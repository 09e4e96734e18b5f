/* The key-encrypting key of a soft root of trust: 32 random octets in a file of their own. */
#ifndef ROT_SOFT_KEK_H
#define ROT_SOFT_KEK_H

#include "base/op.h"
#include "base/secret.h"

/* Two keys from one, so that a sealed secret can never be taken for a key file. */
struct soft_kek {
    struct kw_secret *for_keys;
    struct kw_secret *for_seals;
};

/**
 * Read the file; where it is absent, make it if may_make says so (nothing was sealed under it yet).
 * Errors: KW_E_INTEGRITY missing though keys exist, or not 32 octets; KW_E_DENIED readable by
 * others.
 */
kw_status soft_kek_open(struct kw_op *op, const char *path, bool may_make, struct soft_kek *ret);
void soft_kek_done(struct soft_kek *kek);

#endif
