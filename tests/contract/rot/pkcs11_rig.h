/* A token behind the library that misbehaves on command, for tests of the pkcs11 backend. */
#ifndef TESTS_CONTRACT_ROT_PKCS11_RIG_H
#define TESTS_CONTRACT_ROT_PKCS11_RIG_H

#include <p11-kit/pkcs11.h>

#include "env.h"
#include "pkcs11_fault.h"

struct rig {
    char dir[64];
    struct softhsm hsm;
    struct p11_fault *fault;
};

/* Name the library once, in main(): argv of the test program. */
void rig_use_library(const char *path);
/* cmocka fixtures: *state goes on as the rig; NULL where SoftHSM is not installed. */
int rig_setup(void **state);
int rig_teardown(void **state);
/* The rig of a test; the test is skipped without SoftHSM. */
struct rig *rig_of(void **state);

struct rot *rig_open(const struct rig *rig);
enum kw_code rig_open_code(const struct rig *rig, struct rot **ret);
/* Arm: from the `first`th call of the function on, n times (0: for ever). */
void rig_arm(struct rig *rig, unsigned function, unsigned action, CK_RV rv, unsigned first,
             unsigned n_times);
void rig_disarm(struct rig *rig);
/* Until the back-off is over: call until it is not KW_E_UNAVAILABLE, for 8 s at most. */
kw_status rig_patiently(kw_status (*call)(struct rot *rot, void *ctx), struct rot *rot, void *ctx);
/* Whole keys in the token; RIG_LEFTOVERS where anything else lies there. */
enum { RIG_LEFTOVERS = 1000000 };
unsigned rig_count(const struct rig *rig);
kw_status rig_list(struct rot *rot, void *unused);

#endif
