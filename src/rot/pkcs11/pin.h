/* The PIN of a token: read from its file for each login, wiped after it, never tried again once
 * refused. */
#ifndef ROT_PKCS11_PIN_H
#define ROT_PKCS11_PIN_H

#include <sys/stat.h>

#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"

enum { P11_PIN_MIN = 4, P11_PIN_MAX = 255 };

struct p11_pin {
    const char *path; /* borrowed */
    struct stat file; /* as it was when it was read last */
    bool refused;     /* the token did not take what was in it then */
};

/* KW_E_DENIED the token refused what still stands in the file. Asks nobody but the file system. */
kw_status p11_pin_check(struct kw_op *op, const struct p11_pin *pin);
/**
 * Read the PIN; line ends behind it are no part of it. KW_E_DENIED as p11_pin_check(), or others
 * may read the file; KW_E_INPUT no PIN in it; KW_E_NOT_FOUND.
 */
kw_status p11_pin_read(struct kw_op *op, struct p11_pin *pin, struct kw_secret **ret);
/**
 * The token refused what was read last. Also noted in a file beside the PIN's ("PATH.refused":
 * which file it was, nothing of its content), where that can be written: a service that is started
 * again and again would lock the token otherwise.
 */
void p11_pin_refused(struct p11_pin *pin);
/* The token took it: a note of an earlier refusal goes. */
void p11_pin_accepted(struct p11_pin *pin);

#endif
