/* What kind of TPM it is. */
#include <stdio.h>

#include "rot/tpm2/device.h"

enum { PROPERTIES_MAX = 24, VENDOR_TEXT = 32 };

static const uint32_t family_2_0 = 0x322e3000; /* "2.0" */

kw_status tpm2_capability(struct kw_op *op, struct tpm2_session *s, TPM2_CAP which, uint32_t from,
                          uint32_t count, TPMS_CAPABILITY_DATA **ret)
{
    TPMI_YES_NO more = TPM2_NO;
    TSS2_RC rc = Esys_GetCapability(s->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, which, from,
                                    count, &more, ret);
    TRY(op, tpm2_status(op, s, rc), "asking the TPM for capability %u", which);
    return KW_OK;
}

static uint32_t property(const TPML_TAGGED_TPM_PROPERTY *all, TPM2_PT which)
{
    for (uint32_t i = 0; i < all->count && i < TPM2_MAX_TPM_PROPERTIES; i++) {
        if (all->tpmProperty[i].property == which) {
            return all->tpmProperty[i].value;
        }
    }
    return 0;
}

/* Append four characters, blanks only between words. */
static void append_word(char *text, size_t cap, uint32_t four)
{
    size_t at = strlen(text);
    for (int shift = 24; shift >= 0; shift -= 8) {
        char c = (char)(four >> shift & 0xff);
        bool blank = c <= ' ' || c > '~';
        bool doubled = blank && (at == 0 || text[at - 1] == ' ');
        if (!doubled && at + 1 < cap) {
            text[at++] = blank ? ' ' : c;
            text[at] = '\0';
        }
    }
}

static void vendor_text(const TPML_TAGGED_TPM_PROPERTY *all, char *text, size_t cap)
{
    append_word(text, cap, property(all, TPM2_PT_MANUFACTURER));
    append_word(text, cap, ' ');
    for (TPM2_PT which = TPM2_PT_VENDOR_STRING_1; which <= TPM2_PT_VENDOR_STRING_4; which++) {
        append_word(text, cap, property(all, which));
    }
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == ' ') {
        text[len - 1] = '\0';
    }
}

/* swtpm says so itself; the way there tells other simulators. */
static bool is_simulated(const char *vendor, const char *tcti)
{
    return strstr(vendor, "SW TPM") || strncmp(tcti, "swtpm", 5) == 0 ||
           strncmp(tcti, "mssim", 5) == 0;
}

static kw_status read_curves(struct kw_op *op, struct tpm2_session *s, unsigned *ret_algs)
{
    AUTO(TPMS_CAPABILITY_DATA) *data = NULL;
    const struct tpm2_curve *p256 = tpm2_curve_of(KEY_ALG_EC_P256);
    const struct tpm2_curve *p384 = tpm2_curve_of(KEY_ALG_EC_P384);

    TRY(op, tpm2_capability(op, s, TPM2_CAP_ECC_CURVES, 0, TPM2_MAX_ECC_CURVES, &data));
    const TPML_ECC_CURVE *list = &data->data.eccCurves;
    for (uint32_t i = 0; i < list->count && i < TPM2_MAX_ECC_CURVES; i++) {
        *ret_algs |= list->eccCurves[i] == p256->id ? KEY_ALG_BIT(p256->alg) : 0;
        *ret_algs |= list->eccCurves[i] == p384->id ? KEY_ALG_BIT(p384->alg) : 0;
    }
    return KW_OK;
}

kw_status tpm2_identify(struct kw_op *op, struct tpm2_session *s, struct tpm2 *self)
{
    AUTO(TPMS_CAPABILITY_DATA) *data = NULL;
    char vendor[VENDOR_TEXT] = "";

    TRY(op, tpm2_capability(op, s, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FIXED, PROPERTIES_MAX, &data));
    const TPML_TAGGED_TPM_PROPERTY *all = &data->data.tpmProperties;
    ENSURE(op, property(all, TPM2_PT_FAMILY_INDICATOR) == family_2_0, KW_E_DEVICE,
           "not a TPM 2.0 (family 0x%08x)", property(all, TPM2_PT_FAMILY_INDICATOR));
    vendor_text(all, vendor, sizeof(vendor));
    uint32_t firmware = property(all, TPM2_PT_FIRMWARE_VERSION_1);
    self->info = (struct rot_info){
        .scheme = "tpm2",
        .caps = ROT_CAP_HARDWARE | ROT_CAP_SEAL | ROT_CAP_NO_EXPORT | ROT_CAP_RANDOM,
        .assurance_level = 3,
    };
    self->info.caps |= is_simulated(vendor, self->tcti) ? ROT_CAP_SIMULATED : 0;
    (void)snprintf(self->info.vendor, sizeof(self->info.vendor), "%s %u.%u", vendor, firmware >> 16,
                   firmware & 0xffff); /* cut where a vendor talks too much */
    TRY(op, read_curves(op, s, &self->algs));
    bool attests = (self->algs & KEY_ALG_BIT(KEY_ALG_EC_P256)) != 0;
    self->info.caps |= attests ? ROT_CAP_ATTEST : 0;
    return KW_OK;
}
