/* The JSON of docs/protocol/command.md: readings, commands, receipts. Pure. */
#ifndef HOME_MESSAGE_H
#define HOME_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_MAX = 512, COMMAND_ID = 32, MESSAGE_HASH = 64 };

struct reading {
    char sensor[33];
    double value;
    int64_t time; /* Unix seconds; 0 = not said */
    char boot[9]; /* "" = not said */
    int64_t number;
    int64_t lost;
};
/* len: text's, without NUL. */
bool reading_parse(const char *text, size_t len, struct reading *ret);
bool reading_write(const struct reading *reading, char text[MESSAGE_MAX]);

struct command {
    char id[COMMAND_ID + 1];
    char cmd[33];
};
bool command_parse(const char *text, size_t len, struct command *ret);
bool command_write(const struct command *command, char text[MESSAGE_MAX]);

struct receipt {
    char message[MESSAGE_HASH + 1];
    char id[COMMAND_ID + 1]; /* "" = not known */
    char result[9];          /* "obeyed", "refused" */
    char reason[33];         /* "" = obeyed */
    char light[4];
};
bool receipt_parse(const char *text, size_t len, struct receipt *ret);
bool receipt_write(const struct receipt *receipt, char text[MESSAGE_MAX]);

/* "devices/ID/LEAF": ID, where it is one level of at most 95 characters. */
bool topic_device(const char *topic, const char *leaf, char id[96]);

#endif
