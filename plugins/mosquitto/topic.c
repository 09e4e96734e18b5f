#include "mosquitto/topic.h"

#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"

/* One level; at: where the next one begins, NULL after the last. */
static struct kw_span take_level(const char **at)
{
    size_t n = strcspn(*at, "/");
    struct kw_span level = KW_SPAN(*at, n);

    *at = (*at)[n] == '/' ? *at + n + 1 : NULL;
    return level;
}

static bool is_text(struct kw_span level, const char *text)
{
    return level.len == strlen(text) && memcmp(level.p, text, level.len) == 0;
}

static bool same(struct kw_span a, struct kw_span b)
{
    return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

static bool level_covers(struct kw_span pattern, const char *id, struct kw_span level, bool first)
{
    if (is_text(pattern, "+")) {
        return !is_text(level, "#") && !(first && level.len > 0 && level.p[0] == '$');
    }
    return is_text(pattern, "{id}") ? is_text(level, id) : same(pattern, level);
}

bool topic_covers(const char *pattern, const char *id, const char *filter)
{
    bool dollar = filter[0] == '$';

    for (bool first = true;; first = false) {
        struct kw_span wanted = take_level(&pattern);
        if (is_text(wanted, "#")) {
            return !(first && dollar);
        }
        struct kw_span level = take_level(&filter);
        if (!level_covers(wanted, id, level, first)) {
            return false;
        }
        if (!filter) { /* "a/#" is "a" too */
            return !pattern || strcmp(pattern, "#") == 0;
        }
        if (!pattern) {
            return false;
        }
    }
}

static unsigned depth_of(const char *text)
{
    unsigned n = 1;

    for (; *text; text++) {
        n += *text == '/';
    }
    return n;
}

static bool is_plain(const char *text)
{
    return *text && strlen(text) <= UINT16_MAX && kw_utf8_is_plain(kw_span_text(text)) &&
           depth_of(text) <= TOPIC_DEPTH_MAX;
}

bool topic_is_name(const char *topic)
{
    return is_plain(topic) && !strpbrk(topic, "+#");
}

bool topic_is_filter(const char *filter)
{
    if (!is_plain(filter)) {
        return false;
    }
    while (filter) {
        struct kw_span level = take_level(&filter);
        bool wild = memchr(level.p, '+', level.len) || memchr(level.p, '#', level.len);
        if (wild && level.len != 1) {
            return false;
        }
        if (is_text(level, "#") && filter) {
            return false;
        }
    }
    return true;
}

bool topic_is_pattern(const char *pattern)
{
    if (!topic_is_filter(pattern) || strlen(pattern) >= TOPIC_MAX) {
        return false;
    }
    while (pattern) {
        struct kw_span level = take_level(&pattern);
        bool brace = memchr(level.p, '{', level.len) || memchr(level.p, '}', level.len);
        if (brace && !is_text(level, "{id}")) {
            return false;
        }
    }
    return true;
}

const char *topic_of_subscription(const char *subscription)
{
    static const char share[] = "$share";
    const char *at = subscription;
    struct kw_span first = take_level(&at);

    if (!is_text(first, share)) {
        return subscription;
    }
    struct kw_span group = at ? take_level(&at) : KW_SPAN("", 0);
    bool wild = memchr(group.p, '+', group.len) || memchr(group.p, '#', group.len);
    return group.len > 0 && !wild && at && *at ? at : NULL;
}

bool topic_is_level(const char *id)
{
    return *id && *id != '$' && kw_utf8_is_plain(kw_span_text(id)) && !strpbrk(id, "/+#");
}
