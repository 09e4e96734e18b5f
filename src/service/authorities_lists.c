/* Which CAs are on the list (CRL) of who is above them: those issue nothing more. */
#include <stdio.h>

#include "crypto/crl.h"
#include "service/authorities_internal.h"
#include "service/validation/crl_doc.h"

static bool lists(const struct crl *crl, const struct cert *cert)
{
    int64_t when = 0;
    int why = 0;

    return kw_span_equal(cert_issuer(cert), crl_issuer(crl)) &&
           kw_ok(crl_find(crl, cert_serial(cert), &why, &when));
}

/* What is below a CA that was taken back is believed no more than that one. */
static void mark(struct authorities *all, const struct crl *crl, const char *id)
{
    struct cert *path[1 + AUTHORITIES_BETWEEN_MAX];

    for (unsigned i = 0; i < all->n; i++) {
        unsigned n = authorities_climb(all, &all->at[i], path);
        for (unsigned k = 0; k < n; k++) {
            if (lists(crl, path[k]) && !all->at[i].taken_back_above) {
                KW_TEXT_SET(all->at[i].taken_back, id);
                all->at[i].taken_back_above = k > 0;
            }
        }
    }
}

/* One that has ended still says what was taken back. */
static kw_status look_at(struct kw_op *op, struct service *service, struct authorities *all,
                         const char *id)
{
    AUTO(crl_doc) *doc = NULL;
    AUTO(crl) *crl = NULL;

    kw_status status = crl_doc_load(op, service, id, &doc);
    if (status.code == KW_E_NOT_FOUND) { /* in a ceremony; else doctor tells of it */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status, "the list of '%s'", id);
    TRY(op, crl_parse(op, kw_bytes_span(doc->der), &crl), "the list of '%s'", id);
    mark(all, crl, id);
    return KW_OK;
}

kw_status authorities_load_lists(struct kw_op *op, struct service *service, struct authorities *all)
{
    for (unsigned i = 0; i < all->n_roots; i++) {
        TRY(op, look_at(op, service, all, all->roots[i].id));
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        TRY(op, look_at(op, service, all, all->above[i].name));
    }
    return KW_OK;
}

bool ca_is_taken_back(const struct ca *ca)
{
    return ca->taken_back[0] != 0;
}

void ca_taken_back_text(const struct ca *ca, char text[KW_OP_TEXT_MAX])
{
    if (ca->taken_back_above) {
        (void)snprintf(text, KW_OP_TEXT_MAX,
                       "the list of '%.40s' takes a CA above it back; it needs a tree made anew "
                       "(docs/PROFILES.md)",
                       ca->taken_back);
        return;
    }
    (void)snprintf(text, KW_OP_TEXT_MAX,
                   "the list of '%.40s' takes it back; give it another key: keywright ca rotate "
                   "%.40s",
                   ca->taken_back, ca->base);
}

kw_status ca_refuse_taken_back(struct kw_op *op, const struct ca *ca)
{
    char text[KW_OP_TEXT_MAX];

    if (!ca_is_taken_back(ca)) {
        return KW_OK;
    }
    ca_taken_back_text(ca, text);
    return FAIL(op, KW_E_STATE, "CA '%s' issues nothing: %s", ca->id, text);
}
