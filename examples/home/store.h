/* What the cloud keeps: readings, and what became of its commands. SQLite. */
#ifndef HOME_STORE_H
#define HOME_STORE_H

#include "message.h"

struct store;
/* NULL: told on stderr. */
struct store *store_open(const char *path);
void store_close(struct store *store);

enum stored { STORED, STORED_BEFORE, STORED_NOT };
enum stored store_reading(struct store *store, const char *device, const struct reading *reading);
/* text: as signed; message: its hash. */
bool store_command(struct store *store, const char *device, const struct command *command,
                   const char *message, const char *text);
/* False: no such command was sent to that device, or it has its receipt. text: as signed. */
bool store_receipt(struct store *store, const char *device, const struct receipt *receipt,
                   const char *text);
/* Commands without a receipt after so many seconds. How many. */
int store_unanswered(struct store *store, unsigned after_s);
/* Forget what is older than so many days. */
bool store_prune(struct store *store, unsigned days);

#endif
