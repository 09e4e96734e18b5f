/* What events tell of, who certificates are of, who acts: "KIND:NAME", as the log, the store and
 * the API write it. */
#ifndef MODEL_OBJECT_H
#define MODEL_OBJECT_H

#include "base/bytes.h"
#include "base/limits.h"

#define OBJECT_KINDS(X)                                                                            \
    X(BATCH, "batch:")                                                                             \
    X(BLOCKLIST, "blocklist:")                                                                     \
    X(BROKER, "broker:")                                                                           \
    X(CA, "ca:")                                                                                   \
    X(CERT, "cert:") /* its name is CA/SERIAL */                                                   \
    X(DEVICE, "device:")                                                                           \
    X(GATEWAY, "gateway:")                                                                         \
    X(KEY, "key:")                                                                                 \
    X(OPERATOR, "operator:")                                                                       \
    X(REQUEST, "request:") /* its number */                                                        \
    X(SERVICE, "service:")                                                                         \
    X(STATION, "station:")                                                                         \
    X(USER, "user:")

enum object_kind {
    OBJECT_OTHER, /* or no "KIND:NAME" */
#define X(name, prefix) OBJECT_##name,
    OBJECT_KINDS(X)
#undef X
        OBJECT_KIND_MAX
};

enum object_kind object_kind(const char *text);
/* "DEV1" of "device:DEV1", borrowed; NULL where it is of another kind. */
const char *object_name(enum object_kind kind, const char *text);
/* "device:DEV1"; the caller has seen to it that the name is no longer than 80 octets: the rest is
 * cut off. Not OBJECT_OTHER. */
void object_write(enum object_kind kind, const char *name, char ret[KW_NAME_MAX]);
/* "cert:CA/SERIAL", in hexadecimal. */
void object_write_cert(const char *ca, struct kw_span serial, char ret[KW_NAME_MAX]);

#endif
