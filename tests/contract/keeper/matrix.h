/*
 * Every class of key in every state, for every purpose, inside and outside its periods and counts,
 * and every step from every state: what the keeper allows is what SP 800-57 says, written out here
 * a second time. The same for each custody: the caller opens the keyring.
 */
#ifndef TESTS_CONTRACT_KEEPER_MATRIX_H
#define TESTS_CONTRACT_KEEPER_MATRIX_H

#include "cmd/keywright-keeper/keyring.h"

/* Makes one key of each class in it ("matrix-…") and tries everything; fails the test at the first
 * difference. ret: how many cases were tried; may be NULL. */
void matrix_run(struct keyring *keyring, unsigned *ret_n);

#endif
