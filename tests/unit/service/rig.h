/* A server's state folder as `keywright init` makes it, opened in this process with a real keeper.
 */
#ifndef TESTS_SERVICE_RIG_H
#define TESTS_SERVICE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "crypto/csr.h"
#include "crypto/digest.h"
#include "service/registration/device.h"
#include "service/registration/enrol.h"
#include "service/service.h"

#define assert_ok(op, expr)                                                                        \
    do {                                                                                           \
        kw_status assert_status_ = (expr);                                                         \
        if (!kw_ok(assert_status_)) {                                                              \
            char text_[512];                                                                       \
            fail_msg("%s: %s", kw_code_text(assert_status_.code),                                  \
                     kw_op_message((op), text_, sizeof(text_)));                                   \
        }                                                                                          \
    } while (0)

#define assert_code(op, expr, want)                                                                \
    do {                                                                                           \
        kw_status assert_status_ = (expr);                                                         \
        if (assert_status_.code != (want)) {                                                       \
            char text_[512];                                                                       \
            fail_msg("%s, not %s: %s", kw_code_text(assert_status_.code), kw_code_text(want),      \
                     kw_op_message((op), text_, sizeof(text_)));                                   \
        }                                                                                          \
        kw_op_clear(op);                                                                           \
    } while (0)

#define TEST_OP(op)                                                                                \
    struct kw_op op;                                                                               \
    kw_op_init(&op, "test", 0)

/* A state folder of its own for each test; made from one that `keywright init` made once. */
struct place {
    char dir[64];
    char state[96];
    struct service *service;
};
int place_setup(void **state); /* opened, background work not started */
int place_teardown(void **state);
kw_status place_open(struct kw_op *op, struct place *place);
void place_close(struct place *place);
/* Run a program with these arguments (NULL-terminated), output thrown away; its exit status. */
int rig_run(const char *const argv[]);
/* "KW_BUILD_ROOT/rest" */
const char *rig_built(const char *rest, char room[512]);
const char *rig_source(const char *rest, char room[512]);

/* A device that is registered, its secret, and a key with a request for it. */
struct unit {
    char id[32], secret[DEVICE_SECRET_TEXT];
    struct privkey *key;
    struct kw_bytes *csr;
};
void unit_register(struct place *place, const char *id, struct unit *ret);
/* Another key and request. */
void unit_new_key(struct unit *unit);
void unit_done(struct unit *unit);
/* The request of a key for this CN ("" = empty subject). */
struct kw_bytes *rig_csr(const struct privkey *key, const char *cn);
struct privkey *rig_key(void);

/* Enrol with the secret / with a certificate / renew, as the API would ask. */
/* The first certificate as this asker wants it. */
kw_status unit_ask(struct kw_op *op, struct place *place, const struct enrol_asker *asker,
                   const char *profile, const struct kw_bytes *csr, struct store_cert *ret);
kw_status unit_enrol(struct kw_op *op, struct place *place, const struct unit *unit,
                     struct store_cert *ret);
kw_status unit_enrol_with(struct kw_op *op, struct place *place, const struct unit *unit,
                          const struct store_cert *with, const char *profile,
                          struct store_cert *ret);
kw_status unit_renew(struct kw_op *op, struct place *place, const struct unit *unit,
                     const struct store_cert *with, struct store_cert *ret);
/* IDevID and LDevID at once; the unit's key is the LDevID's after it. */
void unit_both(struct place *place, const char *id, struct unit *unit, struct store_cert *idevid,
               struct store_cert *ldevid);
struct cert *rig_parse(const struct store_cert *cert);
struct store_cert *rig_reload(struct place *place, const struct store_cert *cert,
                              struct store_cert *ret);
/* How many certificates and log entries there are. */
struct store_counts rig_counts(struct place *place);
/* A key of an issuing CA by its id, borrowed from the set as it is now. */
struct ca;
struct authorities;
struct ca *rig_ca(struct place *place, const char *id);
struct ca *rig_ca_of(struct authorities *all, const char *id);

#endif
