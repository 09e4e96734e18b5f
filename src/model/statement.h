/*
 * Statements: short texts that the keeper signs as facts. One kind has one list of fields, each
 * with its form, and one way to be written:
 *
 *     firmware-release v1
 *     product: lock
 *     hardware: rev-b
 *     ...
 *
 * Every line ends with a line feed; all fields are there, in the order of statement_fields(), once.
 * So a statement can be read in one way only, and nothing else that Keywright signs begins like one
 * (DER begins with 0x30, TUF metadata with '{', a TLS handshake with spaces, a checkpoint with the
 * name of its log).
 */
#ifndef MODEL_STATEMENT_H
#define MODEL_STATEMENT_H

#include "base/bytes.h"
#include "base/limits.h"

/* name, first word of the statement. Append only. */
#define STATEMENT_KINDS(X)                                                                         \
    X(FIRMWARE_RELEASE, "firmware-release")                                                        \
    X(PROVISIONING_RECORD, "provisioning-record")                                                  \
    X(EVIDENCE_MANIFEST, "evidence-manifest")                                                      \
    X(DESTRUCTION, "destruction")                                                                  \
    X(DEVICE_TIME, "device-time")                                                                  \
    X(REVOCATION_FILTER, "revocation-filter")                                                      \
    X(DEVICE_WIPE, "device-wipe")

enum statement_kind {
    STATEMENT_NONE = 0,
#define X(name, text) STATEMENT_##name,
    STATEMENT_KINDS(X)
#undef X
        STATEMENT_KIND_MAX
};
const char *statement_kind_text(enum statement_kind kind); /* "none" for a number that is none */

enum { STATEMENT_FIELDS_MAX = 10, STATEMENT_VALUE_MAX = 640, STATEMENT_MAX = 2048 };

/* What a value may look like. */
enum statement_form {
    STATEMENT_TOKEN,  /* 1..95 letters, digits and "._+-", not first a dot or hyphen */
    STATEMENT_TEXT,   /* 1..127 octets of UTF-8 without control characters, no space at an end */
    STATEMENT_SHA256, /* 64 lower-case hexadecimal digits */
    STATEMENT_HASH_OR_NONE,
    STATEMENT_HASHES, /* 1..8 of them, separated by commas */
    STATEMENT_NUMBER, /* decimal, no leading zero, below 2^63 */
    STATEMENT_TIME,   /* 2026-11-21T02:22:42Z */
};

struct statement_field {
    const char *name;
    enum statement_form form;
};

struct statement {
    enum statement_kind kind;
    unsigned n;                                 /* fields of the kind */
    struct kw_span value[STATEMENT_FIELDS_MAX]; /* borrowed from the text */
};

/* The fields of a kind, in their order; an empty list (*ret_n 0) for a number that is none. */
const struct statement_field *statement_fields(enum statement_kind kind, unsigned *ret_n);

/**
 * Read exactly one statement. ret borrows from text.
 * ret_wrong: where it fails, which field is wrong ("the first line" otherwise); may be NULL.
 * Errors: KW_E_INPUT.
 */
kw_status statement_parse(struct kw_span text, struct statement *ret, const char **ret_wrong);
/* Append one; `values` in the order of the fields. KW_E_INPUT what statement_parse() would refuse;
 * KW_E_TOO_LARGE (room of STATEMENT_MAX suffices). */
kw_status statement_write(enum statement_kind kind, const char *const values[], unsigned n,
                          struct kw_out *out);

/* All for a statement that was parsed and a field that its kind has, in the right form. */
struct kw_span statement_value(const struct statement *statement, const char *name);
bool statement_is(const struct statement *statement, const char *name, const char *text);
uint64_t statement_number(const struct statement *statement, const char *name);
int64_t statement_time(const struct statement *statement, const char *name); /* Unix seconds */
void statement_hash(const struct statement *statement, const char *name,
                    uint8_t ret[KW_HASH_BYTES]);

#endif
