/* Options of a program, as a table: its usage text and its reading. */
#ifndef HOME_OPTIONS_H
#define HOME_OPTIONS_H

#include <stdbool.h>

struct option_row {
    const char *name; /* "--broker" */
    const char *value, *doc;
    const char **text; /* where it goes: one of the three */
    double *number;
    const char **list; /* may be repeated, up to list_max; ends with NULL */
    double min, max;   /* of number */
    unsigned list_max;
};

enum { OPTIONS_EXIT = 2 }; /* of a program that was called wrongly */
enum options {
    OPTIONS_TAKEN,
    OPTIONS_HELP, /* --help: told on stdout */
    OPTIONS_WRONG /* told on stderr */
};
/* rows end with one whose name is NULL. */
enum options options_take(int argc, char **argv, const struct option_row *rows);
/* Tell that this is no such value. OPTIONS_EXIT. */
int options_refuse(const char *program, const char *name, const char *given, const char *value);

#endif
