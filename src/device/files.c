/* Files for others: the reader is judged as servers are, then crypto/cms_file.h writes. */
#include "crypto/cms_file.h"
#include "device/device.h"

enum { READER_CERTS_MAX = 6 };

struct reader {
    struct cert *certs[READER_CERTS_MAX]; /* the first is its own */
    unsigned n;
};

static void reader_done(struct reader *reader)
{
    for (unsigned i = 0; i < reader->n; i++) {
        cert_unref(reader->certs[i]);
    }
}

static bool can_decrypt(const struct cert *cert)
{
    unsigned needed = pubkey_alg(cert_public(cert)) == KEY_ALG_RSA_3072 ? CERT_KU_KEY_ENCIPHERMENT
                                                                        : CERT_KU_KEY_AGREEMENT;

    return !cert_is_ca(cert) && (cert_key_usage(cert) & needed) != 0;
}

/* Among what came with it and what we know. NULL: nobody. */
static const struct cert *issuer_of(const struct device *device, const struct reader *reader)
{
    for (unsigned i = 1; i < reader->n; i++) {
        if (device_issued_by(reader->certs[0], reader->certs[i])) {
            return reader->certs[i];
        }
    }
    for (unsigned i = 0; i < device->n_issuers; i++) {
        if (device_issued_by(reader->certs[0], device->issuers[i])) {
            return device->issuers[i];
        }
    }
    return NULL;
}

static kw_status judge_reader(struct kw_op *op, struct device *device, const struct reader *reader)
{
    struct cert *others[READER_CERTS_MAX + DEVICE_ISSUERS_MAX];
    unsigned n = 0;

    ENSURE(op, can_decrypt(reader->certs[0]), KW_E_AUTH,
           "the reader's certificate is not for key agreement or encipherment");
    for (unsigned i = 1; i < reader->n; i++) {
        others[n++] = reader->certs[i];
    }
    for (unsigned i = 0; i < device->n_issuers; i++) {
        others[n++] = device->issuers[i];
    }
    kw_status status = cert_verify_path(op, reader->certs[0], others, n, device->roots,
                                        device->n_roots, NULL, device_now_s(device));
    ENSURE(op, kw_ok(status), KW_E_AUTH, "the reader's certificate does not lead to the root");
    const struct cert *issuer = issuer_of(device, reader);
    ENSURE(op, issuer, KW_E_AUTH, "the root itself issued the reader's certificate");
    return server_judge(op, device, reader->certs[0], issuer);
}

kw_status device_protect(struct kw_op *op, struct device *device, struct kw_span recipient_pem,
                         struct kw_span data, struct kw_bytes **ret)
{
    __attribute__((cleanup(reader_done))) struct reader reader = {0};
    AUTO(cert) *own = NULL;
    AUTO(privkey) *key = NULL;
    struct cert *chain[2];

    TRY(op, cert_parse_pem(op, recipient_pem, reader.certs, READER_CERTS_MAX, &reader.n),
        "the reader's certificate");
    TRY(op, server_identity(op, device, DEVICE_LDEVID, &own, &key));
    TRY(op, judge_reader(op, device, &reader), "the reader");
    return cms_file_protect(op, data, key, chain, server_chain(device, own, chain), reader.certs[0],
                            device_now_s(device), ret);
}
