#include "model/firmware.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char others[] = "0123456789._+-";

bool firmware_valid(const char *version)
{
    size_t n = strnlen(version, FIRMWARE_MAX);

    if (n == 0 || n == FIRMWARE_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!strchr(letters, version[i]) && !strchr(others, version[i])) {
            return false;
        }
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits of any length, without leading zeros. */
static size_t digits(const char **at)
{
    size_t n = 0;

    while (**at == '0' && is_digit((*at)[1])) {
        (*at)++;
    }
    while (is_digit((*at)[n])) {
        n++;
    }
    return n;
}

/* Both stand on a digit; both are moved behind their numbers. */
static int compare_numbers(const char **a, const char **b)
{
    size_t n = digits(a), m = digits(b);
    int order = n != m ? (n < m ? -1 : 1) : memcmp(*a, *b, n);

    *a += n;
    *b += m;
    return order;
}

/* What may stand where two versions part, oldest first: a part behind '-', the end, one behind '+',
 * another separator, letters, digits. */
static int rank(char c)
{
    if (c == '-') {
        return 0;
    }
    if (c == '\0') {
        return 1;
    }
    if (c == '+') {
        return 2;
    }
    return is_digit(c) ? 5 : c == '.' || c == '_' ? 3 : 4;
}

int firmware_compare(const char *a, const char *b)
{
    while (*a || *b) {
        if (is_digit(*a) && is_digit(*b)) {
            int order = compare_numbers(&a, &b);
            if (order != 0) {
                return order;
            }
            continue;
        }
        if (*a != *b) {
            int order = rank(*a) - rank(*b);
            return order != 0 ? order : (unsigned char)*a - (unsigned char)*b;
        }
        a++;
        b++;
    }
    return 0;
}
