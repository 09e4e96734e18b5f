/*
 * Two readers of a ResponseData, which must agree: what ours takes, OpenSSL's templates take too,
 * and every member is the same. For the fuzz target and for tests/unit/crypto/test_ocsp.c.
 */
#ifndef TESTS_FUZZ_OCSP_AGREE_H
#define TESTS_FUZZ_OCSP_AGREE_H

#include "crypto/ocsp_asn1.h"

static inline bool ocsp_singles_agree(const struct ocsp_single *a, const struct ocsp_single *b)
{
    return ocsp_certid_equal(&a->id, &b->id) &&
           a->id.no_hash_parameters == b->id.no_hash_parameters && a->status == b->status &&
           a->revoked_unix == b->revoked_unix && a->reason == b->reason &&
           a->this_update == b->this_update && a->next_update == b->next_update;
}

static inline bool ocsp_readers_agree(struct kw_span der, bool *ret_read)
{
    static struct ocsp_tbs ours;
    static struct ocsp_tbs theirs;

    *ret_read = ocsp_tbs_read(der, &ours);
    if (!*ret_read) {
        return true;
    }
    if (!kw_ok(ocsp_tbs_parse_templates(NULL, der, &theirs)) || ours.n != theirs.n ||
        ours.produced_at != theirs.produced_at ||
        memcmp(ours.responder_key_sha1, theirs.responder_key_sha1, 20) != 0) {
        return false;
    }
    for (unsigned i = 0; i < ours.n; i++) {
        if (!ocsp_singles_agree(&ours.at[i], &theirs.at[i])) {
            return false;
        }
    }
    return true;
}

#endif
