#include "crypto/tpm_log.h"

#include "base/reader.h"
#include "crypto/digest.h"

enum { EV_NO_ACTION = 3, ALGS_MAX = 8, HASH_MAX = 64, SHA1 = 20 };

struct replay {
    struct kw_reader r;
    unsigned n_algs;
    struct {
        uint16_t alg, size;
    } algs[ALGS_MAX];
    uint8_t pcrs[TPM_PCRS][KW_HASH_BYTES];
};

/* The log is little-endian. */
static uint16_t u16(struct kw_reader *r)
{
    return __builtin_bswap16(kw_reader_u16(r));
}

static uint32_t u32(struct kw_reader *r)
{
    return __builtin_bswap32(kw_reader_u32(r));
}

static bool is_said(struct kw_span data, const char *text, size_t n)
{
    return data.len >= n && memcmp(data.p, text, n) == 0;
}

static void read_algs(struct replay *it, struct kw_span data)
{
    struct kw_reader r = kw_reader_of(data);

    (void)kw_reader_take(&r, 16 + 4 + 4); /* signature, platform class, version, size of a number */
    it->n_algs = u32(&r);
    if (it->n_algs == 0 || it->n_algs > ALGS_MAX) {
        kw_reader_reject(&it->r);
        return;
    }
    for (unsigned i = 0; i < it->n_algs; i++) {
        it->algs[i].alg = u16(&r);
        it->algs[i].size = u16(&r);
        if (it->algs[i].size > HASH_MAX ||
            (it->algs[i].alg == TPM_ALG_SHA256 && it->algs[i].size != KW_HASH_BYTES)) {
            kw_reader_reject(&it->r);
        }
    }
    (void)kw_reader_take(&r, kw_reader_u8(&r));
    if (!kw_ok(kw_reader_end(&r))) {
        kw_reader_reject(&it->r);
    }
}

/* The first event is of the old form and says what the others look like. */
static void read_header(struct replay *it)
{
    static const char spec[16] = "Spec ID Event03";
    uint32_t pcr = u32(&it->r);
    uint32_t type = u32(&it->r);

    (void)kw_reader_take(&it->r, SHA1);
    struct kw_span data = kw_reader_take(&it->r, u32(&it->r));
    if (pcr != 0 || type != EV_NO_ACTION || !is_said(data, spec, sizeof(spec))) {
        kw_reader_reject(&it->r);
        return;
    }
    read_algs(it, data);
}

static unsigned size_of(const struct replay *it, uint16_t alg)
{
    for (unsigned i = 0; i < it->n_algs; i++) {
        if (it->algs[i].alg == alg) {
            return it->algs[i].size;
        }
    }
    return 0;
}

/* Exactly one digest of each algorithm that the header names; ret: the SHA-256 one. */
static struct kw_span read_digests(struct replay *it)
{
    struct kw_span found = {0};
    uint32_t n = u32(&it->r);

    if (n != it->n_algs) {
        kw_reader_reject(&it->r);
    }
    for (uint32_t i = 0; i < n && !it->r.failed; i++) {
        uint16_t alg = u16(&it->r);
        unsigned size = size_of(it, alg);
        struct kw_span digest = kw_reader_take(&it->r, size);
        if (size == 0 || (alg == TPM_ALG_SHA256 && found.len > 0)) {
            kw_reader_reject(&it->r);
        }
        found = alg == TPM_ALG_SHA256 ? digest : found;
    }
    if (found.len != KW_HASH_BYTES) {
        kw_reader_reject(&it->r);
    }
    return found;
}

/* Section 10.4.5.3: PCR 0 begins with the locality that started the TPM. */
static void begin_at(struct replay *it, uint32_t pcr, struct kw_span data)
{
    static const char locality[16] = "StartupLocality";

    if (pcr == 0 && data.len == sizeof(locality) + 1 && is_said(data, locality, sizeof(locality))) {
        it->pcrs[0][KW_HASH_BYTES - 1] = data.p[sizeof(locality)];
    }
}

struct entry {
    struct tpm_log_event event;
    struct kw_span data;
};

static struct entry read_entry(struct replay *it)
{
    struct entry entry = {.event.pcr = u32(&it->r), .event.type = u32(&it->r)};

    entry.event.digest = read_digests(it);
    entry.data = kw_reader_take(&it->r, u32(&it->r));
    if (entry.event.pcr >= TPM_PCRS && entry.event.type != EV_NO_ACTION) {
        kw_reader_reject(&it->r);
    }
    return entry;
}

static void take_event(struct replay *it)
{
    struct entry entry = read_entry(it);
    unsigned pcr = entry.event.pcr;

    if (it->r.failed) {
        return;
    }
    if (entry.event.type == EV_NO_ACTION) {
        begin_at(it, pcr, entry.data);
    } else {
        digest_sha256_two(KW_SPAN_ARRAY(it->pcrs[pcr]), entry.event.digest, it->pcrs[pcr]);
    }
}

bool tpm_log_events(struct kw_span log, unsigned entries, const uint8_t mask[3],
                    struct tpm_log_event ret[], unsigned max, unsigned *ret_n)
{
    struct replay it = {.r = kw_reader_of(log)};

    *ret_n = 0;
    if (log.len == 0) {
        return entries == 0 || entries == TPM_LOG_ALL;
    }
    read_header(&it);
    for (unsigned i = 0; i < entries && !it.r.failed; i++) {
        if (entries == TPM_LOG_ALL && it.r.rest.len == 0) {
            break;
        }
        struct tpm_log_event event = read_entry(&it).event;
        bool asked = !it.r.failed && event.type != EV_NO_ACTION &&
                     mask[event.pcr / 8] & 1 << (event.pcr % 8);
        if (asked && *ret_n < max) {
            ret[*ret_n] = event;
        }
        *ret_n += asked;
    }
    return !it.r.failed;
}

static bool fits(const struct replay *it, const uint8_t mask[3], struct kw_span values)
{
    size_t at = 0;

    for (unsigned i = 0; i < TPM_PCRS; i++) {
        if (!(mask[i / 8] & (1 << (i % 8)))) {
            continue;
        }
        if (at + KW_HASH_BYTES > values.len ||
            memcmp(values.p + at, it->pcrs[i], KW_HASH_BYTES) != 0) {
            return false;
        }
        at += KW_HASH_BYTES;
    }
    return at == values.len;
}

struct tpm_log_result tpm_log_replay(struct kw_span log, const uint8_t mask[3],
                                     struct kw_span values)
{
    struct replay it = {.r = kw_reader_of(log)};
    struct tpm_log_result result = {.end = TPM_LOG_DIFFERS};

    if (log.len > 0) {
        read_header(&it);
    }
    bool found = !it.r.failed && fits(&it, mask, values);
    for (unsigned n = 1; !it.r.failed && it.r.rest.len > 0; n++) {
        take_event(&it);
        if (n > TPM_LOG_EVENTS_MAX) {
            kw_reader_reject(&it.r);
        }
        if (!it.r.failed && fits(&it, mask, values)) {
            found = true;
            result.events = n;
        }
    }
    result.end = it.r.failed ? TPM_LOG_MALFORMED : found ? TPM_LOG_FITS : TPM_LOG_DIFFERS;
    return result;
}
