#include "cmd/keywright-keeper/crl_checks.h"

#include "cmd/keywright-keeper/cert_checks.h"

enum { CRL_V2 = 2, AKI_BYTES = 20 };

static bool is_v2(const struct crl_case *c)
{
    return crl_version(c->crl) == CRL_V2;
}

static bool issuer_is_own(const struct crl_case *c)
{
    return kw_span_equal(crl_issuer(c->crl),
                         KW_SPAN(c->ca->policy.issuer_dn, c->ca->policy.issuer_dn_len));
}

static bool sig_alg_is_own(const struct crl_case *c)
{
    return crl_sig_alg(c->crl) == pubkey_alg(keeper_key_pubkey(c->ca));
}

static bool no_unknown_ext(const struct crl_case *c)
{
    return !crl_has_unknown_ext(c->crl);
}

static bool aki_is_own(const struct crl_case *c)
{
    return kw_span_equal(crl_aki(c->crl),
                         KW_SPAN(pubkey_sha1(keeper_key_pubkey(c->ca)), AKI_BYTES));
}

static bool number_rises(const struct crl_case *c)
{
    uint64_t number = 0;

    return crl_number(c->crl, &number) && number > c->ca->record->crl_number;
}

static bool is_of_now(const struct crl_case *c)
{
    int64_t from = crl_this_update(c->crl);

    return from >= c->now_unix - CLOCK_SKEW_S && from <= c->now_unix + CLOCK_SKEW_S;
}

static bool next_within(const struct crl_case *c)
{
    int64_t from = crl_this_update(c->crl);
    int64_t next = crl_next_update(c->crl);

    return next > from && next - from <= c->ca->policy.crl_max_s;
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
const struct crl_check crl_checks[] = {
    ROW("crl-version", is_v2, "not a version 2 CRL"),
    ROW("crl-issuer", issuer_is_own, "the issuer is not the name of this CA"),
    ROW("crl-signature-algorithm", sig_alg_is_own, "the signature algorithm is not this CA's"),
    ROW("crl-ext-unknown", no_unknown_ext, "there is an extension other than AKI and CRL number"),
    ROW("crl-aki", aki_is_own, "the authority key identifier is not this CA's"),
    ROW("crl-number", number_rises, "the CRL number is missing or not above the last one"),
    ROW("crl-this-update", is_of_now, "thisUpdate is not now"),
    ROW("crl-next-update", next_within, "nextUpdate is missing or too late"),
};
const size_t crl_checks_count = KW_COUNT(crl_checks);

kw_status crl_check_all(struct kw_op *op, const struct crl_case *c)
{
    for (size_t i = 0; i < crl_checks_count; i++) {
        ENSURE(op, crl_checks[i].holds(c), KW_E_DENIED, "%s: %s", crl_checks[i].name,
               crl_checks[i].says);
    }
    return KW_OK;
}
