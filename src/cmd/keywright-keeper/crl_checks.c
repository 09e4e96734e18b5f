#include "cmd/keywright-keeper/crl_checks.h"

#include "cmd/keywright-keeper/cert_checks.h"

enum { AKI_BYTES = 20, PLACE_MAX = 64 };

static bool issuer_is_own(const struct crl_case *c)
{
    return kw_span_equal(c->crl->issuer,
                         KW_SPAN(c->ca->policy.issuer_dn, c->ca->policy.issuer_dn_len));
}

static bool sig_alg_is_own(const struct crl_case *c)
{
    return c->crl->sig_alg == pubkey_alg(keeper_key_pubkey(c->ca));
}

static bool aki_is_own(const struct crl_case *c)
{
    return kw_span_equal(c->crl->aki, KW_SPAN(pubkey_sha1(keeper_key_pubkey(c->ca)), AKI_BYTES));
}

static bool is_of_now(const struct crl_case *c)
{
    int64_t from = c->crl->this_update;

    return from >= c->now_unix - CLOCK_SKEW_S && from <= c->now_unix + CLOCK_SKEW_S;
}

static bool next_within(const struct crl_case *c)
{
    int64_t from = c->crl->this_update;
    int64_t next = c->crl->next_update;

    return next > from && next - from <= c->ca->policy.crl_max_s;
}

static bool is_place_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
}

/* One of the policy's beginnings, and a name behind it. */
static bool is_own_place(const struct key_policy *policy, const char *url)
{
    for (uint32_t i = 0; i < policy->n_scopes; i++) {
        size_t n = strlen(policy->scopes[i]);
        if (strncmp(url, policy->scopes[i], n) != 0) {
            continue;
        }
        size_t rest = 0;
        while (is_place_char(url[n + rest])) {
            rest++;
        }
        if (url[n + rest] == '\0' && rest > 0 && rest <= PLACE_MAX) {
            return true;
        }
    }
    return false;
}

static bool scope_is_own(const struct crl_case *c)
{
    const char *url = c->crl->scope.url;

    return url[0] == '\0' || is_own_place(&c->ca->policy, url);
}

static bool deltas_are_own(const struct crl_case *c)
{
    const char *url = c->crl->delta_url;

    return url[0] == '\0' || (c->crl->base_number == 0 && is_own_place(&c->ca->policy, url));
}

/* Whom it says that it is about: that must be all that the policy lets the CA issue. */
static bool kind_is_all(const struct crl_case *c)
{
    const struct key_policy *policy = &c->ca->policy;
    uint32_t n_cas = 0;

    for (uint32_t i = 0; i < policy->n_rules; i++) {
        n_cas += policy->rules[i].is_ca;
    }
    return (!c->crl->scope.only_users || n_cas == 0) &&
           (!c->crl->scope.only_cas || n_cas == policy->n_rules);
}

static bool removes_in_delta(const struct crl_case *c)
{
    return !c->crl->removes || c->crl->base_number > 0;
}

static bool base_is_own(const struct crl_case *c)
{
    return crl_numbers_has_base(c->numbers, &c->claim);
}

static bool number_rises(const struct crl_case *c)
{
    return crl_numbers_rise(c->numbers, &c->claim);
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
const struct crl_check crl_checks[] = {
    ROW("crl-issuer", issuer_is_own, "the issuer is not the name of this CA"),
    ROW("crl-signature-algorithm", sig_alg_is_own, "the signature algorithm is not this CA's"),
    ROW("crl-aki", aki_is_own, "the authority key identifier is not this CA's"),
    ROW("crl-this-update", is_of_now, "thisUpdate is not now"),
    ROW("crl-next-update", next_within, "nextUpdate is too late, or before thisUpdate"),
    ROW("crl-scope", scope_is_own, "the distribution point is not one that the policy allows"),
    ROW("crl-kind", kind_is_all, "it says to be about a part of what the policy lets the CA issue"),
    ROW("crl-freshest", deltas_are_own, "freshestCRL is in a delta, or not the policy's"),
    ROW("crl-remove", removes_in_delta, "removeFromCRL in a complete list"),
    ROW("crl-base", base_is_own, "the base is none of the last two complete lists of this scope"),
    ROW("crl-number", number_rises, "the CRL number is not above the last one of this scope"),
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
