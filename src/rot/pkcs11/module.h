/*
 * The vendor's library, loaded once a process however many tokens of it are open, and never
 * unloaded: not every library survives that. C_Initialize counts for the whole process, so who has
 * to repeat it (a daemon behind the library was restarted) waits until nobody is inside and moves
 * the generation on; the other users see that and open their sessions anew.
 */
#ifndef ROT_PKCS11_MODULE_H
#define ROT_PKCS11_MODULE_H

#include <p11-kit/pkcs11.h>

#include "base/op.h"

struct p11_module; /* shared; guarded inside */

/**
 * Load and initialise. KW_E_NOT_FOUND no such file, KW_E_DENIED others may write it (it becomes
 * part of this process), KW_E_DEVICE not a PKCS#11 library, KW_E_UNAVAILABLE it does not start.
 */
kw_status p11_module_open(struct kw_op *op, const char *path, struct p11_module **ret);
/* The last one to close it finalises the library. */
void p11_module_close(struct p11_module *module);

/* The library's functions; call them between enter and leave only. */
const CK_FUNCTION_LIST *p11_module_functions(const struct p11_module *module);
/**
 * Begin a visit; *ret_generation says since which C_Initialize. KW_E_UNAVAILABLE the library could
 * not be initialised, or another user of it hangs inside it.
 */
kw_status p11_module_enter(struct kw_op *op, struct p11_module *module, unsigned *ret_generation);
void p11_module_leave(struct p11_module *module);
/* Outside of a visit: finalise and initialise, unless somebody did since `generation`. */
kw_status p11_module_restart(struct kw_op *op, struct p11_module *module, unsigned generation);

#endif
