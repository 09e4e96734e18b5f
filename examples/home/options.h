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

/* False: wrong, and told on stderr with the usage. Ends with a row whose name is NULL. */
bool options_take(int argc, char **argv, const struct option_row *rows);

#endif
