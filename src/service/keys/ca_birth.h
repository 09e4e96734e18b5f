/*
 * A CA more, after the ceremony. Its file lies in STATE/authorities and those of its profiles in
 * STATE/profiles when the server starts: then it is planned. The keeper makes its key and that of
 * its OCSP signer, each under a policy sealed with it; the offline authority above it signs the
 * certificate of what the request describes; ca_install() takes it into use, without a restart.
 */
#ifndef SERVICE_KEYS_CA_BIRTH_H
#define SERVICE_KEYS_CA_BIRTH_H

#include "codec/fields.h"
#include "service/authorities.h"

/* What goes to the one that signs, besides the PKCS#10 request: where the CA will live. Borrowed by
 * nobody; the authority itself follows as its file's fields. */
struct ca_place {
    char organization[64], public_url[256], server_name[128];
    char issuer[KW_NAME_MAX]; /* id of the key that signs: "root", "root.2"; part of URLs */
};
extern const struct codec_field ca_place_fields[];
extern const size_t ca_place_fields_count;
/* A line of JSON each: struct ca_place, and the authority. */
kw_status ca_put_description(struct kw_op *op, const struct service *service,
                             const struct authority *authority, const char *issuer,
                             struct kw_bytes *into);

/**
 * Make the keys of a planned CA, those that are not made yet, and its request.
 * approval_id: 0, or the approval that the vault's rules want for the key that is missing.
 * ret_wanted: with KW_E_APPROVAL the policy of the key that others have to approve.
 * ret: PEM of the request; then a line of JSON each: struct ca_place, and the authority.
 * Errors: KW_E_NOT_FOUND no such authority is planned; KW_E_CONFLICT it has its certificate, or its
 * name is another CA's, or its key was made when its profiles said something else; KW_E_STATE the
 * authority above it is not made; those of key_create().
 */
kw_status ca_birth_request(struct kw_op *op, struct service *service, const char *name,
                           uint64_t approval_id, struct key_policy *ret_wanted,
                           struct kw_bytes **ret);
/**
 * Is this the certificate of a planned CA's first key? ret_key: then that key, and the certificate
 * is what the authority's file says; key_id is "" where it is none such.
 * Errors: KW_E_INPUT it is bounded otherwise; KW_E_DENIED it is not by the authority above it.
 */
kw_status ca_birth_check(struct kw_op *op, struct service *service, const struct authorities *all,
                         const struct cert *cert, struct keeper_key_info *ret_key);

#endif
