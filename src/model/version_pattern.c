#include "model/version_pattern.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char others[] = "0123456789._+-";

static size_t digits(struct kw_span rest)
{
    size_t n = 0;

    while (n < rest.len && rest.p[n] >= '0' && rest.p[n] <= '9') {
        n++;
    }
    return n;
}

bool version_pattern_matches(const char *pattern, struct kw_span version)
{
    struct kw_span rest = version;

    if (pattern[0] == '\0') {
        return true;
    }
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c == '*') {
            return true;
        }
        size_t n = *c == '#' ? digits(rest) : rest.len > 0 && rest.p[0] == (uint8_t)*c ? 1 : 0;
        if (n == 0) {
            return false;
        }
        rest = kw_span_sub(rest, n, rest.len);
    }
    return rest.len == 0;
}

bool version_pattern_valid(const char *pattern)
{
    for (const char *c = pattern; *c != '\0'; c++) {
        bool may_stand = strchr(letters, *c) || strchr(others, *c) || (*c == '#' && c[1] != '#') ||
                         (*c == '*' && c[1] == '\0');
        if (!may_stand) {
            return false;
        }
    }
    return true;
}
