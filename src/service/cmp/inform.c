/* genm: CA certificates, root update, CRLs, request template (RFC 9483 section 4.3). */
#include <stdio.h>

#include "crypto/crl.h"
#include "crypto/dn.h"
#include "service/cmp/serving.h"
#include "service/registration/subject.h"
#include "service/validation/crl_maker.h"

enum { CRL_MAX = 14000 }; /* beside the header in what the keeper signs at once */

/* What a question is answered from, and its answer. */
struct question {
    struct kw_span value;    /* of the question; may be empty */
    struct kw_bytes *answer; /* NULL: nothing new */
};

/* Section 4.3.1: every CA that issues or issued, and the bridges between their keys; the root is
 * trusted by other ways. */
static kw_status ca_certs(struct kw_op *op, struct serving *it, struct question *q)
{
    struct kw_span list[2 * SERVICE_CAS_MAX + 2 * AUTHORITIES_ROOTS_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < it->all->n; i++) {
        list[n++] = cert_der(it->all->at[i].cert);
    }
    for (unsigned i = 0; i < it->all->n_cross; i++) {
        list[n++] = cert_der(it->all->cross[i].cert);
    }
    for (unsigned i = 0; i < it->all->n_links; i++) {
        list[n++] = cert_der(it->all->links[i].cert);
    }
    return cmp_list_value(op, list, n, &q->answer);
}

/* The root that the asker has, by its certificate; the last but one where none is named. */
static kw_status find_known_root(struct kw_op *op, struct serving *it, struct kw_span value,
                                 unsigned *ret)
{
    const struct authorities *all = it->all;

    *ret = all->n_roots > 1 ? all->n_roots - 2 : 0;
    if (value.len == 0) {
        return KW_OK;
    }
    it->fail = CMP_BAD_REQUEST;
    for (unsigned i = 0; i < all->n_roots; i++) {
        if (kw_span_equal(cert_der(all->roots[i].cert), value)) {
            *ret = i;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "this root certificate is none of ours");
}

static struct kw_span link_der(const struct authorities *all, const struct root *signer,
                               const struct root *subject)
{
    char name[KW_NAME_MAX];

    authorities_link_name(signer->id, subject->id, name);
    for (unsigned i = 0; i < all->n_links; i++) {
        if (strcmp(all->links[i].name, name) == 0) {
            return cert_der(all->links[i].cert);
        }
    }
    return KW_SPAN(NULL, 0);
}

/* Section 4.3.2: the root that follows the asker's, one step at a time. */
static kw_status root_update(struct kw_op *op, struct serving *it, struct question *q)
{
    const struct authorities *all = it->all;
    unsigned known = 0;

    TRY(op, find_known_root(op, it, q->value, &known));
    if (known + 1 >= all->n_roots) {
        return KW_OK;
    }
    const struct root *old = &all->roots[known], *next = old + 1;
    return cmp_root_update_value(op, cert_der(next->cert), link_der(all, old, next),
                                 link_der(all, next, old), &q->answer);
}

/* --- template (section 4.3.3) --------------------------------------------------------------------
 */

static kw_status choose_profile(struct kw_op *op, const struct serving *it,
                                const struct profile **ret)
{
    struct enrol_asker asker = cmp_asker(it);

    return enrol_profile_for(op, it->service, &asker, it->profile, ret);
}

static kw_status cert_template(struct kw_op *op, struct serving *it, struct question *q)
{
    const struct profile *profile = NULL;
    uint8_t room[KW_DN_MAX];
    struct kw_out subject = KW_OUT_ARRAY(room);
    struct store_device device;
    uint32_t algs = 0;

    it->fail = CMP_BAD_REQUEST;
    TRY(op, choose_profile(op, it, &profile));
    TRY(op, profile_key_algs(profile, &algs));
    if (*it->device_id) {
        TRY(op, store_device_get(op, it->service->store, it->device_id, &device));
        TRY(op, subject_build(op, it->service, profile, &device, &subject));
    }
    return cmp_template_value(op, kw_out_span(&subject), algs, &q->answer);
}

/* --- CRLs (section 4.3.4) ------------------------------------------------------------------------
 */

static kw_status put_crl(struct kw_op *op, struct serving *it, const char *name, bool has_time,
                         int64_t this_update, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;

    TRY(op, crl_get(op, it->service, name, &der));
    it->fail = CMP_ADD_INFO_NOT_AVAILABLE;
    ENSURE(op, der->len <= CRL_MAX, KW_E_LIMIT,
           "this CRL has %zu octets: fetch it from the address that certificates name", der->len);
    TRY(op, crl_parse(op, kw_bytes_span(der), &crl));
    if (!has_time || crl_this_update(crl) > this_update) {
        *ret = TAKE(der);
    }
    return KW_OK;
}

/* "http://…/crl/devices.crl" → "devices" */
static bool name_in_url(struct kw_span url, char name[KW_NAME_MAX])
{
    static const char folder[] = "/crl/", suffix[] = ".crl";
    char text[KW_URI_MAX];

    (void)snprintf(text, sizeof(text), "%.*s", (int)url.len, (const char *)url.p);
    char *at = strstr(text, folder);
    size_t len = strlen(text);
    if (url.len >= sizeof(text) || !at || len < sizeof(suffix) ||
        strcmp(text + len - (sizeof(suffix) - 1), suffix) != 0) {
        return false;
    }
    text[len - (sizeof(suffix) - 1)] = '\0';
    at += sizeof(folder) - 1;
    return !strchr(at, '/') && kw_text_copy(name, KW_NAME_MAX, at);
}

/* The name stands for the key that issues now: its list has what any of them issued. */
static bool name_of_issuer(const struct serving *it, struct kw_span issuer, char name[KW_NAME_MAX])
{
    for (unsigned i = 0; issuer.len > 0 && i < it->all->n; i++) {
        const struct ca *ca = &it->all->at[i];
        if (ca->issues && dn_same(cert_subject(ca->cert), issuer)) {
            return kw_text_copy(name, KW_NAME_MAX, ca->id);
        }
    }
    return false;
}

static kw_status crl_status(struct kw_op *op, struct serving *it, struct question *q)
{
    struct cmp_crl_status status;
    char name[KW_NAME_MAX];
    AUTO(kw_bytes) *crl = NULL;

    it->fail = CMP_BAD_DATA_FORMAT;
    TRY(op, cmp_crl_status_read(op, q->value, &status));
    it->fail = CMP_BAD_REQUEST;
    ENSURE(op,
           status.issuer.len > 0 ? name_of_issuer(it, status.issuer, name)
                                 : name_in_url(status.url, name),
           KW_E_NOT_FOUND, "there is no such CRL");
    TRY(op, put_crl(op, it, name, status.has_time, status.this_update, &crl));
    struct kw_span list = kw_bytes_span(crl);
    return crl ? cmp_list_value(op, &list, 1, &q->answer) : KW_OK;
}

/* RFC 9810 section 5.3.19.6: of the CA that issued the asker's certificate, or would. */
static kw_status current_crl(struct kw_op *op, struct serving *it, struct question *q)
{
    const struct profile *profile = NULL;
    const struct ca *ca = it->cert ? authorities_issuer_of(it->all, it->cert) : NULL;

    it->fail = CMP_BAD_REQUEST;
    if (!ca) {
        TRY(op, choose_profile(op, it, &profile));
        TRY(op, authorities_issuing(op, it->all, profile->ca, &ca));
    }
    return put_crl(op, it, ca->id, /* has_time= */ false, 0, &q->answer);
}

/* --- all -----------------------------------------------------------------------------------------
 */

static kw_status (*const answers[CMP_INFO_MAX])(struct kw_op *op, struct serving *it,
                                                struct question *q) = {
    [CMP_INFO_CA_CERTS] = ca_certs,           [CMP_INFO_ROOT_UPDATE] = root_update,
    [CMP_INFO_CERT_TEMPLATE] = cert_template, [CMP_INFO_CRL_STATUS] = crl_status,
    [CMP_INFO_CURRENT_CRL] = current_crl,
};

kw_status cmp_inform(struct kw_op *op, struct serving *it)
{
    struct question question = {0};
    struct kw_span oid = {0};

    it->type = CMP_GENP;
    it->fail = CMP_BAD_DATA_FORMAT;
    TRY(op, cmp_info_read(op, it->message.content, &oid, &question.value));
    it->fail = CMP_BAD_REQUEST;
    enum cmp_info info = cmp_info_of(oid);
    ENSURE(op, info < CMP_INFO_MAX, KW_E_UNSUPPORTED, "there is no answer to this kind of genm");
    TRY(op, answers[info](op, it, &question));
    kw_status status = cmp_info_reply(op, oid, kw_bytes_span(question.answer), &it->content);
    kw_bytes_free(question.answer);
    return status;
}
