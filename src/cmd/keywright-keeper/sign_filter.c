#include "cmd/keywright-keeper/sign_filter.h"

#include "cmd/keywright-keeper/cert_checks.h"
#include "cmd/keywright-keeper/crl_job.h"

/* Where its numbers are kept beside those of CRLs; no URL that a policy allows. */
static const char SCOPE[] = "revocation-filter";

static int64_t time_of(const struct statement_case *c, const char *name)
{
    return statement_time(c->statement, name);
}

static bool issuer_is_own(const struct statement_case *c)
{
    uint8_t hash[KW_HASH_BYTES];

    statement_hash(c->statement, "issuer-spki-sha256", hash);
    return memcmp(hash, pubkey_id(keeper_key_pubkey(c->key)), sizeof(hash)) == 0;
}

static bool is_of_now(const struct statement_case *c)
{
    int64_t from = time_of(c, "this-update");

    return from >= c->now_unix - CLOCK_SKEW_S && from <= c->now_unix + CLOCK_SKEW_S;
}

static bool next_within(const struct statement_case *c)
{
    int64_t from = time_of(c, "this-update"), next = time_of(c, "next-update");

    return next > from && next - from <= c->key->policy.crl_max_s;
}

static bool covers_the_past(const struct statement_case *c)
{
    int64_t now = time_of(c, "this-update");

    return time_of(c, "begin-until") <= now && time_of(c, "end-from") <= now;
}

static bool counts_fit(const struct statement_case *c)
{
    return statement_number(c->statement, "revoked") <=
           statement_number(c->statement, "certificates");
}

static bool number_rises(const struct statement_case *c)
{
    const struct crl_numbers *numbers =
        crl_numbers_find(c->server->keyring->state, c->key->record, SCOPE);

    return statement_number(c->statement, "number") > (numbers ? numbers->last : 0);
}

static const struct filter_check {
    const char *name;
    bool (*holds)(const struct statement_case *c);
    const char *says;
} filter_checks[] = {
    {"filter-issuer",      issuer_is_own,   "it is about another key"                       },
    {"filter-this-update", is_of_now,       "this-update is not now"                        },
    {"filter-next-update", next_within,     "next-update is too late, or before this-update"},
    {"filter-coverage",    covers_the_past, "it is about what will be"                      },
    {"filter-counts",      counts_fit,      "more are revoked than there are"               },
    {"filter-number",      number_rises,    "its number is not above the last filter's"     },
};

kw_status filter_check(struct kw_op *op, const struct statement_case *c)
{
    for (size_t i = 0; i < KW_COUNT(filter_checks); i++) {
        ENSURE(op, filter_checks[i].holds(c), KW_E_DENIED, "%s: %s", filter_checks[i].name,
               filter_checks[i].says);
    }
    return KW_OK;
}

kw_status filter_remember(struct kw_op *op, const struct statement_case *c)
{
    const struct crl_claim claim = {
        .url = SCOPE,
        .number = statement_number(c->statement, "number"),
        .this_update = time_of(c, "this-update"),
    };

    return crl_remember(op, c->server, c->key->record, &claim);
}
