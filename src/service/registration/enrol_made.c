/* Keys that are made for devices which cannot (RFC 7030 section 4.4): who decrypts them, and where
 * they are made. */
#include "service/authorities.h"
#include "service/registration/enrol_internal.h"

/* Only a key that is meant for it: RFC 5280 section 4.2.1.3. */
static bool may_decrypt(const struct cert *cert)
{
    unsigned needed = pubkey_alg(cert_public(cert)) == KEY_ALG_RSA_3072 ? CERT_KU_KEY_ENCIPHERMENT
                                                                        : CERT_KU_KEY_AGREEMENT;

    return (cert_key_usage(cert) & needed) != 0;
}

kw_status enrol_find_decrypter(struct kw_op *op, const struct csr *csr, const struct cert *peer,
                               struct enrol_decrypter *ret)
{
    struct kw_span id = csr_decrypt_key(csr);
    const struct pubkey *own = csr_public(csr);

    ENSURE(op, csr_decrypt_secret(csr).len == 0, KW_E_INPUT,
           "no secret is shared that a DecryptKeyIdentifier could name; name a key pair");
    ENSURE(op, id.len > 0, KW_E_INPUT,
           "a private key leaves only encrypted: name yours by AsymmetricDecryptKeyIdentifier");
    if (kw_span_equal(id, KW_SPAN(pubkey_sha1(own), 20))) {
        *ret = (struct enrol_decrypter){own, id};
        return KW_OK;
    }
    ENSURE(op, peer && kw_span_equal(id, cert_ski(peer)), KW_E_INPUT,
           "the AsymmetricDecryptKeyIdentifier is neither the request's own key nor the "
           "connection's");
    ENSURE(op, may_decrypt(peer), KW_E_INPUT,
           "the connection's certificate is not for decryption; name the request's own key");
    *ret = (struct enrol_decrypter){cert_public(peer), id};
    return KW_OK;
}

kw_status enrol_check_made(struct kw_op *op, const struct enrolment *it)
{
    ENSURE(op, !it->decrypter || it->profile->data.server_keygen, KW_E_DENIED,
           "keys of profile '%s' are not made here", it->profile->data.name);
    return KW_OK;
}

kw_status enrol_make_key(struct kw_op *op, const struct enrolment *it, struct pubkey **ret)
{
    AUTO(authorities) *all = service_authorities(it->service);
    const struct profile *profile = &it->profile->data;
    const struct ca *ca = NULL;

    TRY(op, authorities_issuing(op, all, profile->ca, &ca));
    TRY(op, ca_refuse_taken_back(op, ca)); /* before a key is made for nothing */
    return keeper_key_birth(op, service_keeper(it->service, ca->key_id), ca->key_id, profile->name,
                            key_alg_from_text(profile->key_algs[0]), it->decrypter->key,
                            it->decrypter->id, ret, it->ret_sealed);
}
