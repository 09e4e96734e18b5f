#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row *find(const struct option_row *rows, const char *name)
{
    while (rows->name && strcmp(rows->name, name) != 0) {
        rows++;
    }
    return rows->name ? rows : NULL;
}

static bool take_number(const struct option_row *row, const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    bool good = end != text && !*end && value >= row->min && value <= row->max;

    if (good) {
        *row->number = value;
    }
    return good;
}

static bool take_one_more(const struct option_row *row, const char *text)
{
    unsigned n = 0;

    while (row->list[n]) {
        n++;
    }
    if (n < row->list_max) {
        row->list[n] = text;
    }
    return n < row->list_max;
}

static bool take(const struct option_row *row, const char *text)
{
    if (row->text) {
        *row->text = text;
        return *text != '\0';
    }
    return row->number ? take_number(row, text) : take_one_more(row, text);
}

static bool complain(const char *program, const struct option_row *rows, const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", program, what);
    for (; rows->name; rows++) {
        (void)fprintf(stderr, "  %s %-*s %s\n", rows->name, 20 - (int)strlen(rows->name),
                      rows->value, rows->doc);
    }
    return false;
}

bool options_take(int argc, char **argv, const struct option_row *rows)
{
    for (int i = 1; i < argc; i += 2) {
        const struct option_row *row = find(rows, argv[i]);
        if (!row || i + 1 >= argc || !take(row, argv[i + 1])) {
            return complain(argv[0], rows, argv[i]);
        }
    }
    return true;
}
