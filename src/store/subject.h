/* Subjects as they are searched: in small letters, with their common name. */
#ifndef STORE_SUBJECT_H
#define STORE_SUBJECT_H

#include "store/store.h"
#include "store/txn.h"

enum { SUBJECT_MAX = 256 };

/* A to Z as a to z; other letters stay: SQLite's lower() does the same. */
void subject_lower(const char *text, char ret[SUBJECT_MAX]);
/* The value behind the first "cn=" of a subject in small letters; the whole where it has none. */
void subject_cn(const char *lower, char ret[SUBJECT_MAX]);
/* Does a subject (as the certificate has it) match what was asked? See store_cert_filter. */
bool subject_matches(const char *subject, const char *asked);
/* Let an owner be found by this subject; nothing to do where it can be already. */
kw_status subject_note(struct kw_op *op, struct store_txn *txn, const char *subject, int64_t owner);

#endif
