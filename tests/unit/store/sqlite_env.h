/* A folder and a store in it, for tests that look at the SQLite file itself. */
#ifndef UNIT_STORE_SQLITE_ENV_H
#define UNIT_STORE_SQLITE_ENV_H

#include <sqlite3.h>

#include "check.h"
#include "store/store.h"

struct place {
    char dir[64];
    char path[96];
    struct store *store;
    struct kw_op op;
};

int place_setup(void **state);
int place_teardown(void **state);
#define PLACE_TEST(function) cmocka_unit_test_setup_teardown(function, place_setup, place_teardown)

kw_status place_open(struct place *place);
void place_close(struct place *place);
/* Run SQL on the closed file; the result code. message may be NULL, else 200 octets. */
int place_sql(struct place *place, const char *sql, char *message);
/* The first column of its first row. */
int64_t place_number(struct place *place, const char *sql);

/* A change: one certificate, its key and a log entry, all from one number. */
kw_status place_insert(struct place *place, unsigned no);
struct store_counts place_counts(struct place *place);

#endif
