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

static enum options help(const char *program, const struct option_row *rows)
{
    (void)printf("usage: %s [OPTION VALUE]...\n", program);
    for (; rows->name; rows++) {
        int width = 24 - (int)strlen(rows->name);
        (void)printf("  %s %-*s %s\n", rows->name, width > 1 ? width : 1, rows->value, rows->doc);
    }
    return OPTIONS_HELP;
}

static enum options complain(const char *program, const char *name, const char *what)
{
    (void)fprintf(stderr, "%s: %s: %s; see %s --help\n", program, name, what, program);
    return OPTIONS_WRONG;
}

int options_refuse(const char *program, const char *name, const char *given, const char *value)
{
    (void)fprintf(stderr, "%s: %s: '%s' is no %s; see %s --help\n", program, name, given, value,
                  program);
    return OPTIONS_EXIT;
}

static enum options refuse(const char *program, const struct option_row *row, const char *text)
{
    if (!row->number) {
        return complain(program, row->name, row->list ? "too many" : "must not be empty");
    }
    (void)fprintf(stderr, "%s: %s: '%s' is no number from %g to %g; see %s --help\n", program,
                  row->name, text, row->min, row->max, program);
    return OPTIONS_WRONG;
}

enum options options_take(int argc, char **argv, const struct option_row *rows)
{
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return help(argv[0], rows);
        }
        const struct option_row *row = find(rows, argv[i]);
        if (!row) {
            return complain(argv[0], argv[i], "there is no such option");
        }
        if (i + 1 >= argc) {
            return complain(argv[0], argv[i], "its value is missing");
        }
        if (!take(row, argv[i + 1])) {
            return refuse(argv[0], row, argv[i + 1]);
        }
    }
    return OPTIONS_TAKEN;
}
