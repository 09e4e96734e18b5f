#include "service/authority/explain.h"

#include <stdio.h>

#include "base/time.h"
#include "crypto/alg.h"
#include "crypto/cert.h"
#include "crypto/dn.h"
#include "service/authority/sealed.h"

static const struct terms_place
    at_subject = {"subject", "the profile's subject_dn, filled by the registry",
                  "RFC 5280 section 4.1.2.6"},
    at_issuer = {"issuer", "the profile's ca", "RFC 5280 section 4.1.2.4"},
    at_end = {"not_after", "the profile's validity_hours or no_end", "RFC 5280 section 4.1.2.5"},
    at_key = {"key", "one of the profile's key_algs", "SP 800-140C"},
    at_usage = {"key_usage", "the profile's, never the request's", "RFC 5280 section 4.2.1.3"},
    at_eku = {"eku", "the profile's, never the request's", "RFC 5280 section 4.2.1.12"},
    at_san = {"san", "hardware from the registry, names from the operator",
              "RFC 5280 section 4.2.1.6, RFC 4108 section 5"},
    at_ca = {"ca", "no profile is of a CA", "RFC 5280 section 4.2.1.9"},
    at_status = {"status", "the profile's crl_url, ocsp_url and ocsp_nocheck",
                 "RFC 5280 sections 4.2.1.13 and 4.2.2.1"},
    at_rule = {"sealed_rule", "the rule that was sealed with the CA's key",
               "docs/protocol/keeper.md, SIGN_CERT"};

static void join(char room[TERMS_TEXT_MAX], const char *text)
{
    size_t n = strlen(room);

    (void)snprintf(room + n, TERMS_TEXT_MAX - n, "%s%s", n ? ", " : "", text);
}

static void tell_usage(struct terms *terms, const struct cert *cert)
{
    char text[TERMS_TEXT_MAX] = "";
    const char *word = NULL;

    for (size_t i = 0; (word = profile_word("key_usage", i)) != NULL; i++) {
        if (cert_key_usage(cert) & (1u << i)) {
            join(text, word);
        }
    }
    terms_tell(terms, &at_usage, NULL, text);
}

static void tell_names(struct terms *terms, const struct cert *cert, const struct csr *asked)
{
    char got[TERMS_TEXT_MAX] = "", wanted[TERMS_TEXT_MAX] = "";

    for (unsigned i = 0; i < cert_san_count(cert); i++) {
        join(got, cert_san(cert, i));
    }
    for (unsigned i = 0; i < csr_san_count(asked); i++) {
        join(wanted, csr_san(asked, i));
    }
    terms_tell(terms, &at_san, wanted, got);
}

static void tell_eku(struct terms *terms, const struct cert *cert)
{
    char text[TERMS_TEXT_MAX] = "";

    for (unsigned i = 0; i < cert_eku_count(cert); i++) {
        join(text, cert_eku(cert, i));
    }
    terms_tell(terms, &at_eku, NULL, *text ? text : "absent: any purpose");
}

static void tell_status(struct terms *terms, const struct cert *cert)
{
    char text[TERMS_TEXT_MAX] = "";
    unsigned ext = cert_ext_present(cert);

    join(text, ext & CERT_EXT_CRL_DP ? "CRL" : "no CRL");
    join(text, ext & CERT_EXT_AIA ? "OCSP or issuer's place" : "no OCSP");
    if (ext & CERT_EXT_OCSP_NOCHECK) {
        join(text, "never checked");
    }
    terms_tell(terms, &at_status, NULL, text);
}

static void tell_subject(struct terms *terms, const struct cert *cert, const struct csr *asked)
{
    char got[TERMS_TEXT_MAX], wanted[TERMS_TEXT_MAX];

    (void)dn_text(cert_subject(cert), got, sizeof(got));
    (void)dn_text(csr_subject(asked), wanted, sizeof(wanted));
    terms_tell(terms, &at_subject, wanted, got);
    (void)dn_text(cert_issuer(cert), got, sizeof(got));
    terms_tell(terms, &at_issuer, NULL, got);
}

/* A profile that was added or widened after the CA was made: the keeper would refuse. */
static kw_status check_rule(struct kw_op *op, struct service *service, const struct explain_case *c)
{
    char text[SEALED_TEXT_MAX];

    TRY(op, sealed_look(op, service, c->profile, c->ca_key_id, text));
    ENSURE(op, !*text, KW_E_DENIED, "%s", text);
    return KW_OK;
}

kw_status explain_tbs(struct kw_op *op, struct service *service, const struct explain_case *c,
                      struct kw_span tbs, struct terms *terms)
{
    AUTO(cert) *cert = NULL;
    char when[KW_TIME_TEXT];
    unsigned refused = terms->n_refused;

    TRY(op, cert_parse_tbs(op, tbs, &cert));
    tell_subject(terms, cert, c->asked);
    terms_tell(terms, &at_end, NULL, kw_time_text(cert_not_after(cert), when));
    terms_tell(terms, &at_key, NULL, key_alg_text(pubkey_alg(cert_public(cert))));
    tell_usage(terms, cert);
    tell_eku(terms, cert);
    tell_names(terms, cert, c->asked);
    terms_tell(terms, &at_ca, NULL, cert_is_ca(cert) ? "CA" : "end entity");
    tell_status(terms, cert);
    TRY(op, terms_check(op, terms, &at_rule, check_rule(op, service, c)));
    if (terms->n_refused == refused) {
        terms_tell(terms, &at_rule, NULL, "as the profile");
    }
    return KW_OK;
}
