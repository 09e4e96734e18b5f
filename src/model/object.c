#include "model/object.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

static const char *const prefixes[OBJECT_KIND_MAX] = {
#define X(name, prefix) [OBJECT_##name] = prefix,
    OBJECT_KINDS(X)
#undef X
};

enum object_kind object_kind(const char *text)
{
    for (enum object_kind kind = OBJECT_OTHER + 1; kind < OBJECT_KIND_MAX; kind++) {
        if (object_name(kind, text)) {
            return kind;
        }
    }
    return OBJECT_OTHER;
}

const char *object_name(enum object_kind kind, const char *text)
{
    size_t n = strlen(prefixes[kind]);

    return strncmp(text, prefixes[kind], n) == 0 ? text + n : NULL;
}

void object_write(enum object_kind kind, const char *name, char ret[KW_NAME_MAX])
{
    (void)snprintf(ret, KW_NAME_MAX, "%s%.80s", prefixes[kind], name);
}

void object_write_cert(const char *ca, struct kw_span serial, char ret[KW_NAME_MAX])
{
    char hex[2 * KW_SERIAL_MAX + 1];

    (void)snprintf(ret, KW_NAME_MAX, "%s%.48s/%s", prefixes[OBJECT_CERT], ca,
                   kw_hex(serial, hex, sizeof(hex)));
}
