/*
 * Reading TUF metadata that is to be signed, without a JSON library: canonical JSON has one way to
 * be written, and four members are all that the policy asks for.
 */
#ifndef KEEPER_CMD_TUF_SCAN_H
#define KEEPER_CMD_TUF_SCAN_H

#include "base/bytes.h"

enum { TUF_DEPTH_MAX = 16 };

/* Members of the outermost object; the spans borrow from the body, as they stand there. */
struct tuf_head {
    struct kw_span type;         /* _type */
    struct kw_span expires;      /* 2026-11-21T02:22:42Z */
    struct kw_span spec_version; /* 1.0.31 */
    uint64_t version;            /* 1 and up */
    int64_t expires_unix;
};

/**
 * Check one body of TUF metadata to its last octet: OLPC canonical JSON (no white space, object
 * members in the order of their names and none twice, in strings only '"' and '\' escaped, whole
 * numbers), nested at most TUF_DEPTH_MAX deep, strings of UTF-8 without control characters except
 * tab, line feed and carriage return (PEM keys have them).
 * ret_wrong: in few words what is wrong, where it fails.
 * Errors: KW_E_INPUT, also where one of the four members is missing or not of its form.
 */
kw_status tuf_scan(struct kw_span body, struct tuf_head *ret, const char **ret_wrong);

#endif
