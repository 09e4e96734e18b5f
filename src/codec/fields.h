/*
 * One table says how a struct looks as text: which fields, of which type, within which limits. JSON
 * and YAML decoders, the JSON encoder and the JSON schema all read the same rows.
 *
 *     static const struct codec_field issue_fields[] = {
 *         FIELD_STRING("profile", struct issue_req, profile, CODEC_REQUIRED, "name of the
 * profile"), FIELD_INT("days", struct issue_req, days, 0, 1, 825, "validity asked for"),
 *         FIELD_STRINGS("names", struct issue_req, names, n_names, 0, "DNS names"),
 *     };
 *     TRY(op, codec_json_decode(op, body, issue_fields, KW_COUNT(issue_fields), &req), "request
 * body");
 */
#ifndef CODEC_FIELDS_H
#define CODEC_FIELDS_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"

/* In text (JSON; YAML likewise) and in the struct: */
enum codec_type {
    CODEC_STRING, /* string; char[size], NUL-terminated UTF-8 without control characters */
    CODEC_BOOL,   /* true, false; bool */
    CODEC_U32,    /* whole number; unsigned of 1, 2 or 4 octets */
    CODEC_U64,    /* whole number up to 2^63-1; uint64_t or size_t */
    CODEC_I64,    /* whole number; int32_t, int or int64_t */
    CODEC_TIME,   /* "2026-11-21T02:22:42.123Z"; int64_t Unix milliseconds */
    CODEC_TIME_S, /* "2026-11-21T02:22:42Z"; int64_t Unix seconds; a fraction is refused */
    CODEC_HEX,  /* string of hex digits; uint8_t[size] and its count, or all of it (CODEC_FIXED) */
    CODEC_B64,  /* string of base64; uint8_t[size] and its count, or all of it (CODEC_FIXED) */
    CODEC_ENUM, /* one of names[]; an enum, holding the index */
    CODEC_STRINGS, /* list of strings; char[max_count][size] and its count */
    CODEC_OBJECT,  /* object by the table sub; an embedded struct */
    CODEC_ARRAY, /* list of objects by the table sub; an array of max_count structs and its count */
    CODEC_TYPE_MAX
};

enum codec_flags {
    CODEC_REQUIRED =
        1 << 0, /* must be there; a STRING, HEX, B64 or list must not be empty either */
    CODEC_OMIT_EMPTY =
        1 << 1,           /* encoding leaves out "", false, 0, no octets, no items, empty objects */
    CODEC_LINES = 1 << 2, /* STRING: line ends and tabs are allowed (PEM, notes) */
    CODEC_FIXED = 1 << 3, /* HEX, B64: exactly size octets, there is no count */
};

struct codec_field {
    const char *name; /* in text */
    enum codec_type type;
    size_t offset;                 /* of the member */
    size_t size;                   /* of the member; STRINGS, ARRAY: of one item */
    unsigned flags;                /* enum codec_flags */
    int64_t min, max;              /* numbers: both 0 = what the type holds */
    const char *doc;               /* one line for people: schema, reference */
    const struct codec_field *sub; /* OBJECT, ARRAY */
    size_t n_sub;
    size_t count_offset; /* HEX, B64, STRINGS, ARRAY: of the count member, an unsigned type … */
    size_t count_size;   /* … of this size */
    size_t max_count;    /* STRINGS, ARRAY: items that fit */
    const char *const *names; /* ENUM: max_count texts; NULL = a value that never travels */
};

#define CODEC_MEMBER(owner, member) (((owner *)0)->member)
#define CODEC_PLACE(name_, type_, owner, member, flags_, doc_)                                     \
    .name = (name_), .type = (type_), .offset = offsetof(owner, member), .flags = (flags_),        \
    .doc = (doc_)
#define CODEC_COUNTED(owner, count)                                                                \
    .count_offset = offsetof(owner, count), .count_size = sizeof(CODEC_MEMBER(owner, count))

#define FIELD_SCALAR(name_, type_, owner, member, flags_, doc_)                                    \
    {CODEC_PLACE(name_, type_, owner, member, flags_, doc_),                                       \
     .size = sizeof(CODEC_MEMBER(owner, member))}
#define FIELD_STRING(name_, owner, member, flags_, doc_)                                           \
    FIELD_SCALAR(name_, CODEC_STRING, owner, member, flags_, doc_)
#define FIELD_BOOL(name_, owner, member, flags_, doc_)                                             \
    FIELD_SCALAR(name_, CODEC_BOOL, owner, member, flags_, doc_)
#define FIELD_TIME(name_, owner, member, flags_, doc_)                                             \
    FIELD_SCALAR(name_, CODEC_TIME, owner, member, flags_, doc_)
#define FIELD_TIME_S(name_, owner, member, flags_, doc_)                                           \
    FIELD_SCALAR(name_, CODEC_TIME_S, owner, member, flags_, doc_)
/* A number of any integer member; the type follows from the member. */
#define FIELD_INT(name_, owner, member, flags_, min_, max_, doc_)                                  \
    {CODEC_PLACE(name_,                                                                            \
                 _Generic(CODEC_MEMBER(owner, member),                                             \
                     uint8_t: CODEC_U32,                                                           \
                     uint16_t: CODEC_U32,                                                          \
                     uint32_t: CODEC_U32,                                                          \
                     unsigned long: CODEC_U64,                                                     \
                     unsigned long long: CODEC_U64,                                                \
                     int: CODEC_I64,                                                               \
                     long: CODEC_I64,                                                              \
                     long long: CODEC_I64),                                                        \
                 owner, member, flags_, doc_),                                                     \
     .size = sizeof(CODEC_MEMBER(owner, member)), .min = (min_), .max = (max_)}
#define FIELD_HEX(name_, owner, member, count, flags_, doc_)                                       \
    {CODEC_PLACE(name_, CODEC_HEX, owner, member, flags_, doc_), CODEC_COUNTED(owner, count),      \
     .size = sizeof(CODEC_MEMBER(owner, member))}
#define FIELD_HEX_FIXED(name_, owner, member, flags_, doc_)                                        \
    FIELD_SCALAR(name_, CODEC_HEX, owner, member, (flags_) | CODEC_FIXED, doc_)
#define FIELD_B64(name_, owner, member, count, flags_, doc_)                                       \
    {CODEC_PLACE(name_, CODEC_B64, owner, member, flags_, doc_), CODEC_COUNTED(owner, count),      \
     .size = sizeof(CODEC_MEMBER(owner, member))}
#define FIELD_ENUM(name_, owner, member, flags_, names_, doc_)                                     \
    {CODEC_PLACE(name_, CODEC_ENUM, owner, member, flags_, doc_),                                  \
     .size = sizeof(CODEC_MEMBER(owner, member)), .names = (names_),                               \
     .max_count = KW_COUNT(names_)}
#define FIELD_STRINGS(name_, owner, member, count, flags_, doc_)                                   \
    {CODEC_PLACE(name_, CODEC_STRINGS, owner, member, flags_, doc_), CODEC_COUNTED(owner, count),  \
     .size = sizeof(CODEC_MEMBER(owner, member[0])),                                               \
     .max_count = KW_COUNT(CODEC_MEMBER(owner, member))}
#define FIELD_OBJECT(name_, owner, member, flags_, sub_, doc_)                                     \
    {CODEC_PLACE(name_, CODEC_OBJECT, owner, member, flags_, doc_),                                \
     .size = sizeof(CODEC_MEMBER(owner, member)), .sub = (sub_), .n_sub = KW_COUNT(sub_)}
#define FIELD_ARRAY(name_, owner, member, count, flags_, sub_, doc_)                               \
    {CODEC_PLACE(name_, CODEC_ARRAY, owner, member, flags_, doc_),                                 \
     CODEC_COUNTED(owner, count),                                                                  \
     .size = sizeof(CODEC_MEMBER(owner, member[0])),                                               \
     .max_count = KW_COUNT(CODEC_MEMBER(owner, member)),                                           \
     .sub = (sub_),                                                                                \
     .n_sub = KW_COUNT(sub_)}

#endif
