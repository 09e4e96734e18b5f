#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUSY_MS = 5000 };

static const char schema[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "CREATE TABLE IF NOT EXISTS readings("
    " device TEXT NOT NULL, sensor TEXT NOT NULL, value REAL NOT NULL, time INTEGER,"
    " boot TEXT, number INTEGER, lost INTEGER NOT NULL, received INTEGER NOT NULL,"
    " UNIQUE(device, boot, number));" /* NULLs, of hubs that do not number, are all different */
    "CREATE INDEX IF NOT EXISTS readings_received ON readings(received);"
    "CREATE TABLE IF NOT EXISTS commands("
    " message TEXT PRIMARY KEY, device TEXT NOT NULL, id TEXT NOT NULL, cmd TEXT NOT NULL,"
    " sent INTEGER NOT NULL, text TEXT NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'sent', reason TEXT, light TEXT, answered INTEGER, receipt TEXT);"
    "CREATE INDEX IF NOT EXISTS commands_sent ON commands(sent);";

enum statement { READING, COMMAND, RECEIPT, UNANSWERED, PRUNE_READINGS, PRUNE_COMMANDS, N };

static const char *const sql[N] = {
    [READING] = "INSERT OR IGNORE INTO readings(device, sensor, value, time, boot, number, lost,"
                " received) VALUES(?1, ?2, ?3, nullif(?4, 0), nullif(?5, ''), nullif(?6, 0), ?7,"
                " unixepoch())",
    [COMMAND] = "INSERT INTO commands(message, device, id, cmd, sent, text)"
                " VALUES(?1, ?2, ?3, ?4, unixepoch(), ?5)",
    [RECEIPT] = "UPDATE commands SET state = ?3, reason = nullif(?4, ''), light = ?5,"
                " answered = unixepoch(), receipt = ?6"
                " WHERE message = ?1 AND device = ?2 AND state IN ('sent', 'unanswered')",
    [UNANSWERED] = "UPDATE commands SET state = 'unanswered'"
                   " WHERE state = 'sent' AND sent < unixepoch() - ?1",
    [PRUNE_READINGS] = "DELETE FROM readings WHERE received < unixepoch() - ?1 * 86400",
    [PRUNE_COMMANDS] = "DELETE FROM commands WHERE sent < unixepoch() - ?1 * 86400",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *at[N];
};

static bool complain(const struct store *store, const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, store->db ? sqlite3_errmsg(store->db) : "no memory");
    return false;
}

static bool prepare(struct store *store)
{
    for (unsigned i = 0; i < N; i++) {
        if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->at[i],
                               NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

struct store *store_open(const char *path)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store) {
        (void)fprintf(stderr, "%s: no memory\n", path);
        return NULL;
    }
    if (sqlite3_open(path, &store->db) != SQLITE_OK ||
        sqlite3_busy_timeout(store->db, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK || !prepare(store)) {
        (void)complain(store, path);
        store_close(store);
        return NULL;
    }
    return store;
}

void store_close(struct store *store)
{
    if (!store) {
        return;
    }
    for (unsigned i = 0; i < N; i++) {
        (void)sqlite3_finalize(store->at[i]); /* tells of the last step again */
    }
    (void)sqlite3_close(store->db); /* every statement is finalised */
    free(store);
}

/* Run one whose parameters are bound. How many rows it changed; -1: failed, and told. */
static int run(struct store *store, enum statement which)
{
    sqlite3_stmt *statement = store->at[which];
    int done = sqlite3_step(statement);

    (void)sqlite3_reset(statement);          /* says what step said */
    (void)sqlite3_clear_bindings(statement); /* never fails */
    if (done != SQLITE_DONE) {
        (void)complain(store, "store");
        return -1;
    }
    return sqlite3_changes(store->db);
}

/* What cannot be bound is NULL, which the tables refuse. */
static void bind(struct store *store, enum statement which, int first, const char *const *texts)
{
    for (int i = 0; texts[i]; i++) {
        (void)sqlite3_bind_text(store->at[which], first + i, texts[i], -1, SQLITE_STATIC);
    }
}

enum stored store_reading(struct store *store, const char *device, const struct reading *reading)
{
    const char *const texts[] = {device, reading->sensor, NULL};
    const char *const boot[] = {reading->boot, NULL};
    sqlite3_stmt *statement = store->at[READING];

    bind(store, READING, 1, texts);
    (void)sqlite3_bind_double(statement, 3, reading->value);
    (void)sqlite3_bind_int64(statement, 4, reading->time);
    bind(store, READING, 5, boot);
    (void)sqlite3_bind_int64(statement, 6, reading->number);
    (void)sqlite3_bind_int64(statement, 7, reading->lost);
    int n = run(store, READING);
    return n < 0 ? STORED_NOT : n > 0 ? STORED : STORED_BEFORE;
}

bool store_command(struct store *store, const char *device, const struct command *command,
                   const char *message, const char *text)
{
    const char *const texts[] = {message, device, command->id, command->cmd, text, NULL};

    bind(store, COMMAND, 1, texts);
    return run(store, COMMAND) == 1;
}

bool store_receipt(struct store *store, const char *device, const struct receipt *receipt,
                   const char *text)
{
    const char *const texts[] = {
        receipt->message, device, receipt->result, receipt->reason, receipt->light, text, NULL};

    bind(store, RECEIPT, 1, texts);
    return run(store, RECEIPT) == 1;
}

int store_unanswered(struct store *store, unsigned after_s)
{
    (void)sqlite3_bind_int64(store->at[UNANSWERED], 1, after_s);
    return run(store, UNANSWERED);
}

bool store_prune(struct store *store, unsigned days)
{
    (void)sqlite3_bind_int64(store->at[PRUNE_READINGS], 1, days);
    (void)sqlite3_bind_int64(store->at[PRUNE_COMMANDS], 1, days);
    int readings = run(store, PRUNE_READINGS);
    int commands = run(store, PRUNE_COMMANDS);
    return readings >= 0 && commands >= 0;
}
