/* The home example's JSON from a peer: what is taken can be written, and read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define AGAIN(noun, data, size)                                                                    \
    do {                                                                                           \
        struct noun first, second;                                                                 \
        memset(&first, 0, sizeof(first));                                                          \
        memset(&second, 0, sizeof(second));                                                        \
        if (noun##_parse((data), (size), &first) &&                                                \
            (!noun##_write(&first, text) || !noun##_parse(text, strlen(text), &second) ||          \
             !same_##noun(&first, &second))) {                                                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static int same_reading(const struct reading *a, const struct reading *b)
{
    return strcmp(a->sensor, b->sensor) == 0 && strcmp(a->boot, b->boot) == 0 &&
           a->time == b->time && a->number == b->number &&
           a->lost == b->lost; /* the value is rounded */
}

static int same_command(const struct command *a, const struct command *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static int same_receipt(const struct receipt *a, const struct receipt *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *json = (const char *)data;
    char text[MESSAGE_MAX];

    AGAIN(reading, json, size);
    AGAIN(command, json, size);
    AGAIN(receipt, json, size);
    return 0;
}
