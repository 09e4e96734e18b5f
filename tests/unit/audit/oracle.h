/*
 * Merkle trees by the letter of RFC 6962 section 2.1: recursive, over all leaves, no tiles. Slow
 * and obvious, and no line of it is shared with src/audit: what both agree on is right.
 */
#ifndef TESTS_AUDIT_ORACLE_H
#define TESTS_AUDIT_ORACLE_H

#include "audit/tlog.h"
#include "crypto/digest.h"

static inline struct tlog_hash oracle_leaf(const void *entry, size_t len)
{
    uint8_t octets[1 + 512];
    struct tlog_hash hash;

    assert_true(len <= 512);
    octets[0] = 0;
    if (len > 0) {
        memcpy(octets + 1, entry, len);
    }
    digest_sha256(KW_SPAN(octets, 1 + len), hash.b);
    return hash;
}

static inline struct tlog_hash oracle_node(struct tlog_hash l, struct tlog_hash r)
{
    uint8_t octets[65];
    struct tlog_hash hash;

    octets[0] = 1;
    memcpy(octets + 1, l.b, 32);
    memcpy(octets + 33, r.b, 32);
    digest_sha256(KW_SPAN(octets, 65), hash.b);
    return hash;
}

static inline uint64_t oracle_k(uint64_t n)
{
    uint64_t k = 1;

    while (k * 2 < n) {
        k *= 2;
    }
    return k;
}

/* MTH(D[n]) */
static inline struct tlog_hash oracle_mth(const struct tlog_hash *d, uint64_t n)
{
    struct tlog_hash hash;

    if (n == 0) {
        digest_sha256(KW_SPAN(NULL, 0), hash.b);
        return hash;
    }
    if (n == 1) {
        return d[0];
    }
    uint64_t k = oracle_k(n);
    return oracle_node(oracle_mth(d, k), oracle_mth(d + k, n - k));
}

/* PATH(m, D[n]), appended to proof. */
static inline unsigned oracle_path(uint64_t m, const struct tlog_hash *d, uint64_t n,
                                   struct tlog_hash *proof)
{
    if (n == 1) {
        return 0;
    }
    uint64_t k = oracle_k(n);
    unsigned used = m < k ? oracle_path(m, d, k, proof) : oracle_path(m - k, d + k, n - k, proof);
    proof[used] = m < k ? oracle_mth(d + k, n - k) : oracle_mth(d, k);
    return used + 1;
}

/* SUBPROOF(m, D[n], b), appended to proof. */
static inline unsigned oracle_subproof(uint64_t m, const struct tlog_hash *d, uint64_t n, bool b,
                                       struct tlog_hash *proof)
{
    unsigned used = 0;

    if (m == n) {
        if (!b) {
            proof[used++] = oracle_mth(d, n);
        }
        return used;
    }
    uint64_t k = oracle_k(n);
    if (m <= k) {
        used = oracle_subproof(m, d, k, b, proof);
        proof[used++] = oracle_mth(d + k, n - k);
    } else {
        used = oracle_subproof(m - k, d + k, n - k, false, proof);
        proof[used++] = oracle_mth(d, k);
    }
    return used;
}

/* PROOF(m, D[n]) */
static inline unsigned oracle_proof(uint64_t m, const struct tlog_hash *d, uint64_t n,
                                    struct tlog_hash *proof)
{
    return oracle_subproof(m, d, n, true, proof);
}

#endif
