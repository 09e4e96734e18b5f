#include "rot/tpm2/sealed.h"

#include <tss2/tss2_mu.h>

#include "base/reader.h"
#include "base/writer.h"
#include "rot/tpm2/public.h"

enum {
    SEALED_MAGIC = 0x4b575453,
    SEALED_VERSION = 1,
    SEALED_MAX = 6 + TPM2_NAME_BYTES + 2 + sizeof(TPM2B_PUBLIC) + 2 + sizeof(TPM2B_PRIVATE),
};

static bool is_ours(const TPMT_PUBLIC *area)
{
    const TPMT_PUBLIC *ours = &tpm2_sealed_template.publicArea;
    bool by_policy = area->authPolicy.size == TPM2_SHA256_DIGEST_SIZE;
    TPMA_OBJECT attributes = by_policy
                                 ? ours->objectAttributes & ~(TPMA_OBJECT)TPMA_OBJECT_USERWITHAUTH
                                 : ours->objectAttributes;
    return area->type == ours->type && area->nameAlg == ours->nameAlg &&
           area->objectAttributes == attributes && (by_policy || area->authPolicy.size == 0) &&
           area->parameters.keyedHashDetail.scheme.scheme == TPM2_ALG_NULL;
}

/* Both parts as TSS writes them. */
struct parts {
    size_t n_area;
    size_t n_wrapped;
    uint8_t area[sizeof(TPM2B_PUBLIC)];
    uint8_t wrapped[sizeof(TPM2B_PRIVATE)];
};

static bool marshal(const struct tpm2_sealed *sealed, struct parts *ret)
{
    ret->n_area = 0;
    ret->n_wrapped = 0;
    return Tss2_MU_TPM2B_PUBLIC_Marshal(&sealed->area, ret->area, sizeof(ret->area),
                                        &ret->n_area) == TSS2_RC_SUCCESS &&
           Tss2_MU_TPM2B_PRIVATE_Marshal(&sealed->wrapped, ret->wrapped, sizeof(ret->wrapped),
                                         &ret->n_wrapped) == TSS2_RC_SUCCESS;
}

/* TSS reads sizes generously: only what it writes again octet by octet is taken. */
static bool unmarshal(struct kw_span area, struct kw_span wrapped, struct tpm2_sealed *ret)
{
    struct parts again;
    size_t n_area = 0;
    size_t n_wrapped = 0;
    return Tss2_MU_TPM2B_PUBLIC_Unmarshal(area.p, area.len, &n_area, &ret->area) ==
               TSS2_RC_SUCCESS &&
           Tss2_MU_TPM2B_PRIVATE_Unmarshal(wrapped.p, wrapped.len, &n_wrapped, &ret->wrapped) ==
               TSS2_RC_SUCCESS &&
           marshal(ret, &again) && kw_span_equal(area, KW_SPAN(again.area, again.n_area)) &&
           kw_span_equal(wrapped, KW_SPAN(again.wrapped, again.n_wrapped));
}

kw_status tpm2_sealed_parse(struct kw_span octets, struct tpm2_sealed *ret)
{
    struct tpm2_sealed sealed = {0};
    struct kw_reader r = kw_reader_of(octets);

    bool known = kw_reader_u32(&r) == SEALED_MAGIC && kw_reader_u16(&r) == SEALED_VERSION;
    kw_reader_copy(&r, sealed.parent, sizeof(sealed.parent));
    struct kw_span area = kw_reader_span16(&r, sizeof(TPM2B_PUBLIC));
    struct kw_span wrapped = kw_reader_span16(&r, sizeof(TPM2B_PRIVATE));
    if (!known || r.failed || area.len == 0 || wrapped.len == 0 ||
        !unmarshal(area, wrapped, &sealed) || !is_ours(&sealed.area.publicArea)) {
        kw_reader_reject(&r);
    }
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = sealed;
    }
    return status;
}

kw_status tpm2_sealed_encode(const struct tpm2_sealed *sealed, struct kw_bytes **ret)
{
    struct parts parts;
    uint8_t room[SEALED_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);

    if (!marshal(sealed, &parts)) {
        return KW_FAIL(KW_E_DEVICE);
    }
    struct kw_writer w = kw_writer_of(&out);
    kw_writer_u32(&w, SEALED_MAGIC);
    kw_writer_u16(&w, SEALED_VERSION);
    kw_writer_put(&w, KW_SPAN_ARRAY(sealed->parent));
    kw_writer_span16(&w, KW_SPAN(parts.area, parts.n_area));
    kw_writer_span16(&w, KW_SPAN(parts.wrapped, parts.n_wrapped));
    kw_status status = kw_writer_end(&w);
    return kw_ok(status) ? kw_bytes_copy(kw_out_span(&out), ret) : status;
}
