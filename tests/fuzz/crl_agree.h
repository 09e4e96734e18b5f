/*
 * Two readers of a TBSCertList, which must agree: what the keeper's takes, OpenSSL's templates take
 * too, and every member is the same. For the fuzz target and for tests/unit/crypto/test_crl.c.
 */
#ifndef TESTS_FUZZ_CRL_AGREE_H
#define TESTS_FUZZ_CRL_AGREE_H

#include "crypto/crl_read.h"
#include "crypto/der.h"

/* All of it, a few entries at a time. False where it is not taken. */
static inline bool crl_read_all(struct kw_span tbs, size_t step, struct crl_reader *ret)
{
    bool more = true;

    if (!kw_ok(crl_read_begin(NULL, tbs, ret))) {
        return false;
    }
    while (more) {
        if (!kw_ok(crl_read_entries(NULL, ret, step, &more))) {
            return false;
        }
    }
    return kw_ok(crl_read_end(NULL, ret)) && crl_read_at(ret) == tbs.len;
}

static inline bool crl_scopes_agree(const struct crl_reader *ours, const struct crl *theirs)
{
    const struct crl_scope *scope = crl_scope_of(theirs);
    const char *delta_url = crl_delta_url(theirs);

    if (ours->has_scope != (scope != NULL) ||
        strcmp(ours->delta_url, delta_url ? delta_url : "") != 0) {
        return false;
    }
    return !scope ||
           (strcmp(ours->scope.url, scope->url) == 0 &&
            ours->scope.only_users == scope->only_users && ours->scope.only_cas == scope->only_cas);
}

static inline bool crl_members_agree(const struct crl_reader *ours, const struct crl *theirs)
{
    uint64_t number = 0;
    int reason = 0;
    int64_t at = 0;

    return crl_version(theirs) == 2 && !crl_has_unknown_ext(theirs) &&
           kw_span_equal(ours->issuer, crl_issuer(theirs)) &&
           kw_span_equal(ours->aki, crl_aki(theirs)) && ours->sig_alg == crl_sig_alg(theirs) &&
           ours->this_update == crl_this_update(theirs) &&
           ours->next_update == crl_next_update(theirs) && crl_number(theirs, &number) &&
           ours->number == number && ours->base_number == crl_base_number(theirs) &&
           ours->n_entries == crl_count(theirs) && crl_scopes_agree(ours, theirs) &&
           (ours->n_entries == 0 || kw_ok(crl_find(theirs, ours->last_serial, &reason, &at)));
}

/* Ours leaves the issuer's name to whoever knows what it must be. */
static inline bool crl_issuer_is_name(struct kw_span issuer)
{
    X509_NAME *name = NULL;
    bool is_name = kw_ok(der_decode(NULL, ASN1_ITEM_rptr(X509_NAME), issuer, "issuer name", &name));

    X509_NAME_free(name);
    return is_name;
}

/* ret_read: did ours take it? */
static inline bool crl_readers_agree(struct kw_span tbs, bool *ret_read)
{
    AUTO(crl) *theirs = NULL;
    static struct crl_reader ours;

    *ret_read = crl_read_all(tbs, 3, &ours);
    return !*ret_read || !crl_issuer_is_name(ours.issuer) ||
           (kw_ok(crl_parse_tbs(NULL, tbs, &theirs)) && crl_members_agree(&ours, theirs));
}

#endif
