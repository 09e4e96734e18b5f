/*
 * Two readers of a TBSCertificate, which must agree: what ours takes, OpenSSL's templates take too,
 * and every member is the same. For the fuzz target and for tests/unit/crypto/test_cert_read.c.
 */
#ifndef TESTS_FUZZ_TBS_AGREE_H
#define TESTS_FUZZ_TBS_AGREE_H

#include "crypto/cert_internal.h"

static inline bool tbs_texts_agree(const struct cert *a, const struct cert *b)
{
    if (cert_eku_count(a) != cert_eku_count(b) || cert_san_count(a) != cert_san_count(b)) {
        return false;
    }
    for (unsigned i = 0; i < cert_eku_count(a); i++) {
        if (strcmp(cert_eku(a, i), cert_eku(b, i)) != 0) {
            return false;
        }
    }
    for (unsigned i = 0; i < cert_san_count(a); i++) {
        if (strcmp(cert_san(a, i), cert_san(b, i)) != 0) {
            return false;
        }
    }
    return true;
}

static inline bool tbs_members_agree(const struct cert *a, const struct cert *b)
{
    return kw_span_equal(cert_der(a), cert_der(b)) &&
           kw_span_equal(cert_serial(a), cert_serial(b)) &&
           kw_span_equal(cert_issuer(a), cert_issuer(b)) &&
           kw_span_equal(cert_subject(a), cert_subject(b)) &&
           pubkey_equal(cert_public(a), cert_public(b)) &&
           memcmp(cert_sha256(a), cert_sha256(b), KW_HASH_BYTES) == 0 &&
           cert_not_before(a) == cert_not_before(b) && cert_not_after(a) == cert_not_after(b) &&
           cert_version(a) == cert_version(b) && cert_sig_alg(a) == cert_sig_alg(b) &&
           cert_is_ca(a) == cert_is_ca(b) && cert_path_len(a) == cert_path_len(b) &&
           cert_key_usage(a) == cert_key_usage(b) && cert_ext_present(a) == cert_ext_present(b) &&
           cert_ext_critical(a) == cert_ext_critical(b) &&
           kw_span_equal(cert_ski(a), cert_ski(b)) && kw_span_equal(cert_aki(a), cert_aki(b)) &&
           tbs_texts_agree(a, b);
}

/* ret_read: did ours take it? */
static inline bool tbs_readers_agree(struct kw_span tbs, bool *ret_read)
{
    AUTO(cert) *ours = NULL;
    AUTO(cert) *theirs = NULL;

    if (!kw_ok(cert_read_tbs(NULL, tbs, &ours))) {
        return false;
    }
    *ret_read = ours != NULL;
    return !ours ||
           (kw_ok(cert_parse_tbs_templates(NULL, tbs, &theirs)) && tbs_members_agree(ours, theirs));
}

#endif
