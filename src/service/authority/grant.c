#include "service/authority/grant.h"

#include <stdio.h>

#include "base/utf8.h"
#include "crypto/csr.h"
#include "crypto/dn.h"
#include "service/authority/issue.h"
#include "service/authority/subject.h"
#include "service/log/gap.h"
#include "service/registration/enrol.h"

enum { NAME_LEN_MAX = 64 }; /* X.520 upper bound of a common name */

/* All that one grant gathers on its way. */
struct grant {
    struct service *service;
    const struct grant_request *request;
    struct terms *terms;
    const struct profile *profile;
    const char *prefix; /* of the owner: "station" */
    char owner[KW_NAME_MAX];
    const struct csr *csr;
};

/* Who may be granted a certificate; devices enrol, OCSP signers are the server's own affair. */
static const struct {
    enum profile_subject subject;
    const char *prefix;
} owners[] = {
    {PROFILE_SUBJECT_SERVER,   "server"  },
    {PROFILE_SUBJECT_OPERATOR, "operator"},
    {PROFILE_SUBJECT_STATION,  "station" },
    {PROFILE_SUBJECT_GATEWAY,  "gateway" },
    {PROFILE_SUBJECT_USER,     "user"    },
    {PROFILE_SUBJECT_SIGNER,   "signer"  },
    {PROFILE_SUBJECT_SERVICE,  "service" },
    {PROFILE_SUBJECT_BROKER,   "broker"  },
};

static kw_status check_profile(struct kw_op *op, struct grant *it)
{
    const struct bound_profile *bound = NULL;

    TRY(op, service_profile(op, it->service, it->request->profile, &bound));
    it->profile = &bound->data;
    for (size_t i = 0; i < KW_COUNT(owners); i++) {
        if (owners[i].subject == profile_subject_of(it->profile)) {
            it->prefix = owners[i].prefix;
        }
    }
    ENSURE(op, it->prefix && profile_speaks(it->profile, "rest"), KW_E_DENIED,
           "profile '%s' is not issued by an operator's word: its subject is %s, its protocols are "
           "others",
           it->profile->name, it->profile->subject);
    return KW_OK;
}

/* It stands in owners ("station:NAME"), in paths and in lines of the log. */
static bool name_plain(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_LEN_MAX && kw_utf8_is_plain(KW_SPAN(name, len)) &&
           strpbrk(name, ":/\"\\") == NULL;
}

static kw_status check_name(struct kw_op *op, struct grant *it)
{
    const char *name = it->request->name;

    ENSURE(op, name_plain(name), KW_E_INPUT,
           "a name has 1 to %d octets, no colon, slash, backslash or quotes", (int)NAME_LEN_MAX);
    (void)snprintf(it->owner, sizeof(it->owner), "%s:%.80s", it->prefix, name);
    ENSURE(op, strcmp(it->owner, "server:gate") != 0, KW_E_DENIED,
           "'gate' is this server, which has its certificate from itself");
    return KW_OK;
}

/* Whoever had a certificate in an operator's name would be that operator in the log. */
static kw_status refuse_impersonation(struct kw_op *op, const struct grant *it)
{
    const struct store_cert_filter filter = {.owner = it->owner};
    struct store_cert known;
    unsigned n = 0;

    if (profile_subject_of(it->profile) != PROFILE_SUBJECT_OPERATOR ||
        strcmp(op->principal, it->owner) == 0) {
        return KW_OK;
    }
    TRY(op, store_cert_list(op, it->service->store, &filter, 1, &known, &n));
    ENSURE(op, n == 0, KW_E_DENIED, "%s has certificates already and renews them in person",
           it->owner);
    return KW_OK;
}

/* As registration refuses a device in a service's name. */
static kw_status refuse_known(struct kw_op *op, const struct grant *it, kw_status found)
{
    ENSURE(op, !kw_ok(found), KW_E_CONFLICT, "'%s' is a device; a service needs another name",
           it->request->name);
    if (found.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return found;
}

static bool is_service(const struct grant *it)
{
    return profile_subject_of(it->profile) == PROFILE_SUBJECT_SERVICE;
}

static kw_status refuse_device_name(struct kw_op *op, const struct grant *it)
{
    struct store_device device;

    return is_service(it)
               ? refuse_known(op, it,
                              store_device_get(op, it->service->store, it->request->name, &device))
               : KW_OK;
}

/* Again in the transaction: there is no moment between the two. */
static kw_status refuse_new_device(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct grant *it = ctx;
    struct store_device device;

    return is_service(it)
               ? refuse_known(op, it, store_device_get_txn(op, txn, it->request->name, &device))
               : KW_OK;
}

static kw_status check_san(struct kw_op *op, const struct grant *it)
{
    const struct grant_request *request = it->request;
    bool given = request->san_dns[0] || request->san_ip[0];

    ENSURE(op, !given || it->profile->san_from_request, KW_E_INPUT,
           "a certificate of profile '%s' has no alternative names", it->profile->name);
    ENSURE(op, given || !it->profile->san_required, KW_E_INPUT,
           "profile '%s' needs an alternative name (--san); the request itself names %s",
           it->profile->name, csr_san_count(it->csr) ? csr_san(it->csr, 0) : "none");
    return KW_OK;
}

static kw_status check_key(struct kw_op *op, const struct grant *it)
{
    struct store_pubkey known;
    kw_status status =
        store_pubkey_get(op, it->service->store, pubkey_id(csr_public(it->csr)), &known);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    return FAIL(op, KW_E_CONFLICT, "this public key was used before; make a new key");
}

static kw_status build_subject(struct kw_op *op, const struct grant *it, struct kw_out *der)
{
    const struct subject_facts facts = {.organization = it->service->config.organization,
                                        .name = it->request->name};

    return subject_fill(op, it->profile->subject_dn, it->profile->n_subject_dn, &facts, der);
}

static const struct terms_place at_name = {"name", "1 to 64 octets; not this server's own",
                                           "X.520 ub-common-name"},
                                at_operator = {"subject", "an operator renews in person",
                                               "decision"},
                                at_service = {"subject", "a service has no device's name",
                                              "docs/protocol/signed-data.md"},
                                at_san = {"san_required",
                                          "names are the operator's, never the request's",
                                          "RFC 9525 section 2"},
                                at_key = {"key", "one owner and one use for each key, for ever",
                                          "SP 800-57 part 1 section 5.2"};

static kw_status check_all(struct kw_op *op, struct grant *it)
{
    TRY(op, terms_check(op, it->terms, &at_name, check_name(op, it)));
    TRY(op, terms_check(op, it->terms, &at_operator, refuse_impersonation(op, it)));
    TRY(op, terms_check(op, it->terms, &at_service, refuse_device_name(op, it)));
    TRY(op, terms_check(op, it->terms, &at_san, check_san(op, it)));
    return terms_check(op, it->terms, &at_key, check_key(op, it));
}

static kw_status issue(struct kw_op *op, struct grant *it, struct store_cert *ret)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out subject = KW_OUT_ARRAY(room);
    struct issue_request request = {
        .profile = it->profile->name,
        .owner = it->owner,
        .key = csr_public(it->csr),
        .csr_sha256 = csr_sha256(it->csr),
        .custody = it->prefix,
        .event = EVENT_CERT_ISSUE,
        .terms = it->terms,
        .asked = it->csr,
        .within = refuse_new_device,
        .within_ctx = it,
    };

    TRY(op, build_subject(op, it, &subject));
    request.subject = kw_out_span(&subject);
    memcpy(request.san_dns, it->request->san_dns, sizeof(request.san_dns));
    memcpy(request.san_ip, it->request->san_ip, sizeof(request.san_ip));
    return authority_issue(op, it->service, &request, ret);
}

static kw_status grant(struct kw_op *op, struct grant *it, struct store_cert *ret)
{
    TRY(op, check_profile(op, it));
    TRY(op, check_all(op, it));
    return issue(op, it, ret);
}

/* An operator's refused wish is worth a line; what was never a request is not. */
static kw_status note_refusal(struct kw_op *op, const struct grant *it, kw_status status)
{
    struct event event = {.type = EVENT_CERT_REFUSE};
    struct kw_op own;

    if (kw_ok(status) || it->terms || kw_code_http(status.code) >= 500) {
        return status;
    }
    kw_op_init(&own, op->principal, op->deadline_ms);
    KW_TEXT_SET(own.request_id, op->request_id);
    (void)snprintf(event.object, sizeof(event.object), "%s", *it->owner ? it->owner : "owner:?");
    KW_TEXT_SET(event.result, kw_code_text(status.code));
    (void)snprintf(event.detail, sizeof(event.detail), "%s", kw_op_cause(op));
    if (!kw_ok(service_record_alone(&own, it->service, &event))) {
        service_complain(it->service, &own, "a refused certificate could not be recorded");
    }
    return status;
}

kw_status grant_issue(struct kw_op *op, struct service *service,
                      const struct grant_request *request, struct terms *terms,
                      struct store_cert *ret)
{
    struct grant it = {.service = service, .request = request, .terms = terms};
    struct enrol_request asked;
    AUTO(csr) *csr = NULL;

    TRY(op, log_gap_refuse(op, service));
    TRY(op, enrol_request_from_csr(op, request->csr, &csr, &asked));
    it.csr = csr;
    return note_refusal(op, &it, grant(op, &it, ret));
}
