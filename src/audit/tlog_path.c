/* Where tiles lie: C2SP tlog-tiles, "tile/<L>/<N>[.p/<W>]" and "tile/entries/<N>[.p/<W>]". */
#include <stdio.h>

#include "audit/tlog.h"
#include "audit/tlog_internal.h"

/* N in groups of three digits, all but the last behind an x: 1234067 is x001/x234/067. */
static kw_status put_index(uint64_t index, struct kw_out *out)
{
    char group[8];
    uint64_t unit = 1;

    while (index / unit >= 1000) {
        unit *= 1000;
    }
    for (; unit > 0; unit /= 1000) {
        int n = snprintf(group, sizeof(group), unit > 1 ? "x%03u/" : "%03u",
                         (unsigned)(index / unit % 1000));
        kw_status status = kw_out_append(out, KW_SPAN(group, (size_t)n));
        if (!kw_ok(status)) {
            return status;
        }
    }
    return KW_OK;
}

/* No tile lies where a tree of TLOG_SIZE_MAX leaves has none. */
static bool place_in_range(int level, uint64_t index, unsigned width)
{
    if (level < -1 || level >= TLOG_LEVELS_MAX || width < 1 || width > TLOG_TILE_WIDTH) {
        return false;
    }
    uint64_t n_hashes = TLOG_SIZE_MAX >> TLOG_TILE_BITS * (level < 0 ? 0 : level);
    return index <= (n_hashes - 1) / TLOG_TILE_WIDTH;
}

/* Appends the end of the path and its NUL, which every earlier part left room for. */
static kw_status put_path(int level, uint64_t index, unsigned width, struct kw_out *out)
{
    char head[32];
    char tail[16] = "";

    (void)snprintf(head, sizeof(head), level < 0 ? "tile/entries/" : "tile/%d/", level);
    if (width < TLOG_TILE_WIDTH) {
        (void)snprintf(tail, sizeof(tail), ".p/%u", width);
    }
    if (!kw_ok(kw_out_append(out, kw_span_text(head))) || !kw_ok(put_index(index, out))) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    return kw_out_append(out, KW_SPAN(tail, strlen(tail) + 1));
}

kw_status tlog_tile_path(int level, uint64_t index, unsigned width, char *path, size_t cap)
{
    struct kw_out out = {(uint8_t *)path, cap, 0};

    if (cap > 0) {
        path[0] = '\0';
    }
    if (!place_in_range(level, index, width)) {
        return KW_FAIL(KW_E_INPUT);
    }
    kw_status status = put_path(level, index, width, &out);
    if (!kw_ok(status) && cap > 0) {
        path[0] = '\0';
    }
    return status;
}

/* Decimal digits at *text, at most max of them; moves *text behind them. */
static bool take_digits(const char **text, unsigned min, unsigned max, uint64_t *ret)
{
    unsigned n = 0;
    uint64_t v = 0;

    while (n < max && (*text)[n] >= '0' && (*text)[n] <= '9') {
        v = v * 10 + (uint64_t)((*text)[n] - '0');
        n++;
    }
    *text += n;
    *ret = v;
    return n >= min;
}

static bool take_word(const char **text, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(*text, word, n) != 0) {
        return false;
    }
    *text += n;
    return true;
}

/* Seven groups hold 10^21: more would overflow, and no log has so many tiles. */
enum { GROUPS_MAX = 6 };
_Static_assert(TLOG_SIZE_MAX / TLOG_TILE_WIDTH < 1000000000000000000, "six groups hold any index");

static bool take_index(const char **text, uint64_t *ret)
{
    uint64_t index = 0;
    uint64_t group = 0;

    for (unsigned n = 0; n < GROUPS_MAX; n++) {
        bool is_last = !take_word(text, "x");
        if (!take_digits(text, 3, 3, &group)) {
            return false;
        }
        index = index * 1000 + group;
        if (is_last) {
            *ret = index;
            return true;
        }
        if (!take_word(text, "/")) {
            return false;
        }
    }
    return false;
}

/* Takes what a path of ours may look like, and more (leading zeros, say). */
static bool take_path(const char *text, int *level, uint64_t *index, unsigned *width)
{
    uint64_t number = 0;

    if (!take_word(&text, "tile/")) {
        return false;
    }
    *level = -1;
    if (!take_word(&text, "entries/")) {
        if (!take_digits(&text, 1, 2, &number) || !take_word(&text, "/")) {
            return false;
        }
        *level = (int)number;
    }
    if (!take_index(&text, index)) {
        return false;
    }
    *width = TLOG_TILE_WIDTH;
    if (take_word(&text, ".p/")) {
        if (!take_digits(&text, 1, 3, &number)) {
            return false;
        }
        *width = (unsigned)number;
    }
    return *text == '\0';
}

kw_status tlog_tile_parse(const char *path, int *ret_level, uint64_t *ret_index,
                          unsigned *ret_width)
{
    char same[KW_PATH_BYTES];
    int level = 0;
    uint64_t index = 0;
    unsigned width = 0;

    /* Strict by construction: only what tlog_tile_path() writes. */
    if (!take_path(path, &level, &index, &width) ||
        !kw_ok(tlog_tile_path(level, index, width, same, sizeof(same))) ||
        strcmp(path, same) != 0) {
        return KW_FAIL(KW_E_INPUT);
    }
    *ret_level = level;
    *ret_index = index;
    *ret_width = width;
    return KW_OK;
}
