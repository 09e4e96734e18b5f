/* Quotes: PCRs change while they are read, so reading and signing is repeated until both agree. */
#include <tss2/tss2_mu.h>

#include "crypto/digest.h"
#include "rot/tpm2/attest.h"

KW_OWNED(TPM2B_ATTEST, TPM2B_ATTEST, Esys_Free)
KW_OWNED(TPML_PCR_SELECTION, TPML_PCR_SELECTION, Esys_Free)
KW_OWNED(TPML_DIGEST, TPML_DIGEST, Esys_Free)

enum { TRIES = 8 };

typedef uint8_t pcr_values[ROT_PCRS][KW_HASH_BYTES];

static uint32_t bits_of(const uint8_t mask[ROT_PCR_MASK_BYTES])
{
    return mask[0] | (uint32_t)mask[1] << 8 | (uint32_t)mask[2] << 16;
}

/* The TPM gives as many as fit into one answer; *ret_got: which. */
static kw_status read_some(struct kw_op *op, struct tpm2_session *s, uint32_t wanted,
                           pcr_values values, uint32_t *ret_got)
{
    const TPML_PCR_SELECTION in = tpm2_pcr_selection(wanted);
    AUTO(TPML_PCR_SELECTION) *out = NULL;
    AUTO(TPML_DIGEST) *digests = NULL;
    uint32_t n = 0;

    TRY(op, tpm2_status(op, s,
                        Esys_PCR_Read(s->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &in, NULL,
                                      &out, &digests)));
    bool ours = out->count == 1 && out->pcrSelections[0].hash == TPM2_ALG_SHA256;
    uint32_t got = ours ? bits_of(out->pcrSelections[0].pcrSelect) & wanted : 0;
    ENSURE(op, got != 0, KW_E_UNSUPPORTED, "the TPM has no PCRs of SHA-256");
    for (unsigned i = 0; i < ROT_PCRS; i++) {
        if (got & 1u << i) {
            bool whole = n < digests->count && n < KW_COUNT(digests->digests) &&
                         digests->digests[n].size == KW_HASH_BYTES;
            ENSURE(op, whole, KW_E_DEVICE, "the TPM's answer lacks PCR %u", i);
            memcpy(values[i], digests->digests[n++].buffer, KW_HASH_BYTES);
        }
    }
    *ret_got = got;
    return KW_OK;
}

static kw_status read_pcrs(struct kw_op *op, struct tpm2_session *s, uint32_t pcrs,
                           pcr_values values)
{
    for (uint32_t left = pcrs; left != 0;) {
        uint32_t got = 0;
        TRY(op, read_some(op, s, left, values, &got), "reading the PCRs");
        left &= ~got;
    }
    return KW_OK;
}

static kw_status composite(struct kw_op *op, uint32_t pcrs, pcr_values values,
                           uint8_t ret[KW_HASH_BYTES])
{
    AUTO(digest_stream) *stream = NULL;

    TRY(op, digest_stream_new(op, &stream));
    for (unsigned i = 0; i < ROT_PCRS; i++) {
        if (pcrs & 1u << i) {
            digest_stream_add(stream, KW_SPAN(values[i], KW_HASH_BYTES));
        }
    }
    digest_stream_now(stream, ret);
    return KW_OK;
}

/* Is this statement about these very PCR values? */
static kw_status agrees(struct kw_op *op, const TPM2B_ATTEST *said, uint32_t pcrs,
                        pcr_values values, bool *ret)
{
    TPMS_ATTEST statement;
    uint8_t digest[KW_HASH_BYTES];
    size_t at = 0;

    ENSURE(op,
           Tss2_MU_TPMS_ATTEST_Unmarshal(said->attestationData, said->size, &at, &statement) ==
                   TSS2_RC_SUCCESS &&
               statement.type == TPM2_ST_ATTEST_QUOTE,
           KW_E_DEVICE, "the TPM's quote makes no sense");
    const TPMS_QUOTE_INFO *quote = &statement.attested.quote;
    TRY(op, composite(op, pcrs, values, digest));
    *ret = kw_span_equal(KW_SPAN(quote->pcrDigest.buffer, quote->pcrDigest.size),
                         KW_SPAN_ARRAY(digest));
    return KW_OK;
}

struct question {
    ESYS_TR ak;
    const struct tpm2_key *key;
    TPM2B_DATA qualifying;
    uint32_t pcrs;
};

static kw_status quote_once(struct kw_op *op, struct tpm2_session *s, const struct question *q,
                            struct rot_quote *ret, bool *ret_agrees)
{
    static const TPMT_SIG_SCHEME of_the_key = {.scheme = TPM2_ALG_NULL};
    const TPML_PCR_SELECTION selection = tpm2_pcr_selection(q->pcrs);
    AUTO(TPM2B_ATTEST) *said = NULL;
    AUTO(TPMT_SIGNATURE) *signature = NULL;

    TRY(op, tpm2_status(op, s,
                        Esys_Quote(s->esys, q->ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                   &q->qualifying, &of_the_key, &selection, &said, &signature)));
    TRY(op, read_pcrs(op, s, q->pcrs, ret->pcrs));
    TRY(op, agrees(op, said, q->pcrs, ret->pcrs, ret_agrees));
    return *ret_agrees ? tpm2_statement_take(op, q->key, said, signature, &ret->attest, &ret->sig)
                       : KW_OK;
}

static kw_status quote(struct kw_op *op, struct tpm2_session *s, struct question *q,
                       struct rot_quote *ret)
{
    bool agreed = false;

    TRY(op, tpm2_key_open(op, s, &q->key->entry, &q->ak));
    for (unsigned i = 0; i < TRIES && !agreed; i++) {
        TRY(op, quote_once(op, s, q, ret, &agreed));
    }
    ENSURE(op, agreed, KW_E_UNAVAILABLE, "the PCRs change as fast as they are read; retry");
    return KW_OK;
}

kw_status tpm2_attest_quote(struct kw_op *op, void *opaque, struct kw_span qualifying,
                            const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    struct tpm2 *self = opaque;
    struct rot_quote made = {0};
    struct question q = {.qualifying = tpm2_qualifying(qualifying), .pcrs = bits_of(mask)};
    AUTO(tpm2_key) *ak = NULL;
    AUTO(tpm2_session) *s = NULL;

    TRY(op, tpm2_ak_load(op, self, &ak));
    TRY(op, tpm2_visit(op, self, &s));
    q.key = ak;
    kw_status status = quote(op, s, &q, &made);
    if (!kw_ok(status)) {
        rot_quote_done(&made);
        return status;
    }
    *ret = made;
    return KW_OK;
}
