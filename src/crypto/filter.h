/*
 * The revocation filter (docs/protocol/filter.md): exact about every certificate that it covers,
 * some ten bits for each revoked one. The reader allocates nothing and reads a few dozen octets for
 * an answer; the maker is for servers.
 */
#ifndef CRYPTO_FILTER_H
#define CRYPTO_FILTER_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/pubkey.h"

enum {
    FILTER_SALT_BYTES = 16,
    FILTER_COLUMNS_MAX = 32,
    FILTER_STATEMENT_MAX = 2048,
    FILTER_BAND = 64, /* rows that an equation can take */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* What the statement says. */
struct filter_said {
    char ca[KW_NAME_MAX];
    uint8_t issuer[KW_HASH_BYTES]; /* SHA-256 of the CA's SubjectPublicKeyInfo */
    uint64_t number;
    int64_t this_update, next_update; /* Unix seconds, as the next two */
    int64_t begin_until, end_from;
    uint64_t certs, revoked;
    uint8_t body_sha256[KW_HASH_BYTES];
};

/* A table of columns of bits; 0 rows: there is none. */
struct filter_table {
    const uint8_t *at; /* borrowed from the body */
    uint32_t rows;
    unsigned columns;
};

struct filter_body {
    const uint8_t *salt; /* borrowed, as the tables */
    struct filter_table first, second;
};

/* A filter file; borrows from the octets that it was read from. */
struct filter {
    struct filter_said said;
    struct kw_span statement, signature, body_octets;
    struct filter_body body;
};

/* KW_E_INPUT: it is not exactly as the page says. */
kw_status filter_body_parse(struct kw_span octets, struct filter_body *ret);
/* What the filter says of a serial number (without leading zeroes); it must be covered. */
bool filter_body_has(const struct filter_body *body, struct kw_span serial);

/* Read a whole file; nothing is verified yet. KW_E_INPUT. */
kw_status filter_parse(struct kw_op *op, struct kw_span file, struct filter *ret);
/* By this key, about this key, and its body whole? KW_E_DENIED. */
kw_status filter_verify(struct kw_op *op, const struct filter *filter, const struct pubkey *issuer);

/* Not from the future (five minutes), not over. */
bool filter_is_current(const struct filter *filter, int64_t now_s);

#define FILTER_ANSWERS(X)                                                                          \
    X(GOOD, "good")                                                                                \
    X(REVOKED, "revoked")                                                                          \
    X(NOT_COVERED, "not covered")                                                                  \
    X(STALE, "stale")
enum filter_answer {
#define X(name, text) FILTER_##name,
    FILTER_ANSWERS(X)
#undef X
        FILTER_ANSWER_MAX
};
const char *filter_answer_text(enum filter_answer answer);

/* A certificate of the issuer of a verified filter. Only FILTER_GOOD is good. */
enum filter_answer filter_ask(const struct filter *filter, struct kw_span serial,
                              int64_t not_before, int64_t not_after, int64_t now_s);

/* --- making ----------------------------------------------------------------------------------- */

struct filter_maker;
kw_status filter_maker_new(struct kw_op *op, struct filter_maker **ret);
void filter_maker_free(struct filter_maker *maker);
KW_OWNED(filter_maker, struct filter_maker, filter_maker_free)
/* One certificate. KW_E_INPUT no serial number of 1 to 20 octets; KW_E_LIMIT over 2^30 of them. */
kw_status filter_maker_add(struct kw_op *op, struct filter_maker *maker, struct kw_span serial,
                           bool revoked);
uint64_t filter_maker_count(const struct filter_maker *maker, uint64_t *ret_revoked);
/**
 * The body, asked about every certificate before it is returned. Takes about a second of CPU for a
 * million; 20 octets of memory each. KW_E_CONFLICT one serial number both revoked and not, or this
 * salt has no solution: take another.
 */
kw_status filter_maker_make(struct kw_op *op, struct filter_maker *maker,
                            const uint8_t salt[FILTER_SALT_BYTES], struct kw_bytes **ret);
/* Put the parts together. KW_E_TOO_LARGE. */
kw_status filter_join(struct kw_op *op, struct kw_span statement, struct kw_span signature,
                      struct kw_span body, struct kw_bytes **ret);

#endif
