/* Attacks as rows: each becomes one test case of its own name. */
#ifndef TESTS_HOSTILE_KEEPER_ATTACK_H
#define TESTS_HOSTILE_KEEPER_ATTACK_H

#include "hostile/keeper/rig.h"

enum { ATTACKS_MAX = 128 };

/* The rig of the running group. */
extern struct rig *attack_rig;

int attack_setup_serving(void **state);
int attack_teardown(void **state);
/* A new request id: its line in refusals.log is of this attack. */
void attack_begin(void);
/* The reply is this refusal, refusals.log has its line, and the keeper serves on. */
void attack_check(const struct keeper_row *row, const struct keeper_reply *reply, enum kw_code code,
                  const char *reason);

/* Cases from a table; row i begins with its name. */
struct attack_suite {
    struct CMUnitTest tests[ATTACKS_MAX];
    size_t n;
};
void attack_add(struct attack_suite *suite, const char *name, CMUnitTestFunction run,
                const void *row);
int attack_setup_people(void **state); /* and with everybody of rig_people.h enrolled */
int attack_run(const char *name, const struct attack_suite *suite);
int attack_run_people(const char *name, const struct attack_suite *suite);

#endif
