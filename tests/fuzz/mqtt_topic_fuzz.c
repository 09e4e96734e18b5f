/*
 * Topics, as any client sends them: identity, pattern of the policy, filter, each ended by an octet
 * of zero. A filter that is covered stands for no topic that the pattern does not cover.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mosquitto/topic.h"

enum { TEXT_MAX = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const uint8_t **data, size_t *size, char ret[TEXT_MAX])
{
    size_t n = strnlen((const char *)*data, *size < TEXT_MAX ? *size : TEXT_MAX - 1);

    memcpy(ret, *data, n);
    ret[n] = '\0';
    n += n < *size;
    *data += n;
    *size -= n;
}

/* A topic that the filter stands for; of '#' so many levels. */
static void topic_of(const char *filter, unsigned levels, char ret[2 * TEXT_MAX])
{
    for (; *filter && *filter != '#'; filter++) {
        *ret++ = *filter == '+' ? 'x' : *filter;
    }
    for (unsigned i = 0; *filter && i < levels; i++) {
        *ret++ = i % 2 ? '/' : 'y';
    }
    *ret = '\0';
}

static void check(const char *pattern, const char *id, const char *filter)
{
    char topic[2 * TEXT_MAX];

    for (unsigned levels = 1; levels < 8; levels += 2) {
        topic_of(filter, levels, topic);
        if (topic_is_name(topic) && !topic_covers(pattern, id, topic)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char id[TEXT_MAX], pattern[TEXT_MAX], subscription[TEXT_MAX];

    take(&data, &size, id);
    take(&data, &size, pattern);
    take(&data, &size, subscription);
    const char *filter = topic_of_subscription(subscription);
    if (filter && topic_is_level(id) && topic_is_pattern(pattern) && topic_is_filter(filter) &&
        topic_covers(pattern, id, filter)) {
        check(pattern, id, filter);
    }
    return 0;
}
