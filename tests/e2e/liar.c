/*
 * keywright-agent whose TPM's quotes are altered on their way to the server: a TPM that lies, as
 * far as the server can tell. Linked with --wrap=rot_attest_quote. KW_LIE says how: signature one
 * bit of the signature magic        the statement is not by a TPM values       one bit of a PCR's
 * value pcrs         other PCRs than asked for certificate  a statement of the AK, but of
 * TPM2_Certify signer       a quote by another TPM's AK (KW_LIE_ROT) replay       the quote that
 * KW_LIE_FILE holds; it is kept there where the file is not. With KW_LIE_CSR its requests are for a
 * key in software, while the TPM tells the truth.
 */
#include <stdlib.h>

#include "crypto/csr.h"
#include "os/files.h"
#include "rot/rot.h"

kw_status __real_rot_attest_quote(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                                  const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret);
kw_status __wrap_rot_attest_quote(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                                  const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret);

struct lie {
    const char *how;
    kw_status (*tell)(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                      const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret);
};

static kw_status spoil_signature(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                                 const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    TRY(op, __real_rot_attest_quote(op, rot, qualifying, mask, ret));
    ret->sig->p[ret->sig->len - 1] ^= 1;
    return KW_OK;
}

static kw_status spoil_magic(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                             const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    TRY(op, __real_rot_attest_quote(op, rot, qualifying, mask, ret));
    ret->attest->p[0] ^= 1;
    return KW_OK;
}

static kw_status spoil_values(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                              const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    TRY(op, __real_rot_attest_quote(op, rot, qualifying, mask, ret));
    ret->pcrs[0][0] ^= 1;
    return KW_OK;
}

static kw_status other_pcrs(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                            const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    static const uint8_t others[ROT_PCR_MASK_BYTES] = {0, 0xff, 0};

    (void)mask;
    return __real_rot_attest_quote(op, rot, qualifying, others, ret);
}

static kw_status another_kind(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                              const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    struct rot_certified certified = {0};
    AUTO(rot_key) *key = NULL;

    TRY(op, __real_rot_attest_quote(op, rot, qualifying, mask, ret));
    TRY(op, rot_key_load(op, rot, "idevid", &key));
    TRY(op, rot_attest_certify(op, rot, key, qualifying, &certified));
    kw_bytes_free(ret->attest);
    kw_bytes_free(ret->sig);
    ret->attest = TAKE(certified.attest);
    ret->sig = TAKE(certified.sig);
    rot_certified_done(&certified);
    return KW_OK;
}

static kw_status another_signer(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                                const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    struct rot *other = NULL;

    (void)rot;
    TRY(op, rot_open(op, getenv("KW_LIE_ROT"), &other));
    kw_status status = __real_rot_attest_quote(op, other, qualifying, mask, ret);
    rot_close(other);
    return status;
}

static kw_status replay(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                        const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    const char *path = getenv("KW_LIE_FILE");
    AUTO(kw_bytes) *kept = NULL;

    TRY(op, __real_rot_attest_quote(op, rot, qualifying, mask, ret));
    if (!kw_ok(os_file_read(op, path, 4096, &kept))) { /* the statement, then 72 octets */
        kw_op_clear(op);
        TRY(op, kw_bytes_new(4096, &kept));
        TRY(op, kw_bytes_append(kept, kw_bytes_span(ret->attest)));
        TRY(op, kw_bytes_append(kept, kw_bytes_span(ret->sig)));
        return os_file_write(op, path, 0600, kw_bytes_span(kept));
    }
    size_t len = kept->len - ret->sig->len;
    memcpy(ret->sig->p, kept->p + len, ret->sig->len);
    kw_bytes_free(ret->attest);
    return kw_bytes_copy(KW_SPAN(kept->p, len), &ret->attest);
}

static const struct lie lies[] = {
    {"signature",   spoil_signature},
    {"magic",       spoil_magic    },
    {"values",      spoil_values   },
    {"pcrs",        other_pcrs     },
    {"certificate", another_kind   },
    {"signer",      another_signer },
    {"replay",      replay         },
};

kw_status __wrap_rot_attest_quote(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                                  const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    const char *how = getenv("KW_LIE");

    if (getenv("KW_LIE_CSR")) {
        return __real_rot_attest_quote(op, rot, qualifying, mask, ret);
    }
    for (unsigned i = 0; i < KW_COUNT(lies); i++) {
        if (how && strcmp(lies[i].how, how) == 0) {
            return lies[i].tell(op, rot, qualifying, mask, ret);
        }
    }
    return FAIL(op, KW_E_INPUT, "no lie is called '%s'", how ? how : "");
}

/* --- requests --------------------------------------------------------------------------------- */

kw_status __real_csr_build(struct kw_op *op, struct kw_span subject, const struct privkey *key,
                           struct kw_bytes **ret);
kw_status __wrap_csr_build(struct kw_op *op, struct kw_span subject, const struct privkey *key,
                           struct kw_bytes **ret);

kw_status __wrap_csr_build(struct kw_op *op, struct kw_span subject, const struct privkey *key,
                           struct kw_bytes **ret)
{
    AUTO(privkey) *soft = NULL;

    if (!getenv("KW_LIE_CSR")) {
        return __real_csr_build(op, subject, key, ret);
    }
    TRY(op, privkey_generate(op, KEY_ALG_EC_P256, &soft));
    return __real_csr_build(op, subject, soft, ret);
}
