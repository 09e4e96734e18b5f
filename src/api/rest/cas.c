#include "api/rest/rest.h"
#include "base/hex.h"
#include "crypto/dn.h"

struct ca_view {
    char id[KW_NAME_MAX], key_id[KW_NAME_MAX], subject[256], fingerprint[2 * KW_HASH_BYTES + 1];
    int64_t not_before, not_after, ocsp_not_after;
};

static const struct codec_field view_fields[] = {
    FIELD_STRING("id", struct ca_view, id, 0, "CA"),
    FIELD_STRING("key", struct ca_view, key_id, CODEC_OMIT_EMPTY, "its key in the keeper; the root's is offline"),
    FIELD_STRING("subject", struct ca_view, subject, 0, "name"),
    FIELD_STRING("fingerprint", struct ca_view, fingerprint, 0, "SHA-256 of the certificate"),
    FIELD_TIME_S("not_before", struct ca_view, not_before, 0, "begin"),
    FIELD_TIME_S("not_after", struct ca_view, not_after, 0, "end"),
    FIELD_TIME_S("ocsp_not_after", struct ca_view, ocsp_not_after, CODEC_OMIT_EMPTY, "end of its OCSP signer"),
};

static void view(const char *id, const char *key_id, const struct cert *cert, const struct cert *ocsp,
                 struct ca_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->id, id);
    KW_TEXT_SET(ret->key_id, key_id);
    dn_text(cert_subject(cert), ret->subject, sizeof(ret->subject));
    kw_hex(KW_SPAN(cert_sha256(cert), KW_HASH_BYTES), ret->fingerprint, sizeof(ret->fingerprint));
    ret->not_before = cert_not_before(cert);
    ret->not_after = cert_not_after(cert);
    ret->ocsp_not_after = ocsp ? cert_not_after(ocsp) : 0;
}

REST_HANDLER(rest_ca_list)
{
    struct service *service = rest_service(ctx);
    struct codec_list list;
    struct ca_view shown;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    view("root", "", service->root, NULL, &shown);
    TRY(op, codec_json_list_item(op, &list, view_fields, KW_COUNT(view_fields), &shown));
    for (unsigned i = 0; i < service->n_cas; i++) {
        const struct ca *ca = &service->cas[i];
        view(ca->id, ca->key_id, ca->cert, ca->ocsp_cert, &shown);
        TRY(op, codec_json_list_item(op, &list, view_fields, KW_COUNT(view_fields), &shown));
    }
    return codec_json_list_end(op, &list, NULL);
}

static const struct codec_field profile_fields[] = {
    FIELD_STRING("name", struct profile, name, 0, "profile"),
    FIELD_STRING("doc", struct profile, doc, 0, "what it is for"),
    FIELD_STRING("ca", struct profile, ca, 0, "issuing CA"),
    FIELD_STRING("subject", struct profile, subject, 0, "for whom"),
    FIELD_STRING("enrol", struct profile, enrol, 0, "how the first certificate is authorised"),
    FIELD_BOOL("no_end", struct profile, no_end, 0, "for the device's life"),
    FIELD_INT("validity_hours", struct profile, validity_hours, 0, 0, 0, "validity"),
    FIELD_INT("overlap_hours", struct profile, overlap_hours, 0, 0, 0, "overlap after a renewal"),
    FIELD_STRINGS("key_algs", struct profile, key_algs, n_key_algs, 0, "key algorithms"),
};

REST_HANDLER(rest_profile_list)
{
    struct service *service = rest_service(ctx);
    struct codec_list list;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    for (unsigned i = 0; i < service->n_profiles; i++) {
        TRY(op, codec_json_list_item(op, &list, profile_fields, KW_COUNT(profile_fields), &service->profiles[i].data));
    }
    return codec_json_list_end(op, &list, NULL);
}
