/* Event logs of measured boots, as a device sends them: the replay and the list of events take the
 * same logs. */
#include <stdlib.h>

#include "crypto/tpm_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mask[3] = {0xff, 0, 0}, zeroes[8 * KW_HASH_BYTES];
    static struct tpm_log_event events[TPM_LOG_EVENTS_MAX];
    struct kw_span log = KW_SPAN(data, size);
    unsigned n = 0, n_all = 0;

    struct tpm_log_result replayed = tpm_log_replay(log, mask, KW_SPAN_ARRAY(zeroes));
    bool listed = tpm_log_events(log, replayed.events, mask, events, TPM_LOG_EVENTS_MAX, &n);
    bool whole = tpm_log_events(log, TPM_LOG_ALL, mask, events, TPM_LOG_EVENTS_MAX, &n_all);
    if (replayed.end != TPM_LOG_MALFORMED && (!listed || !whole || n > n_all)) {
        abort();
    }
    if (replayed.end == TPM_LOG_FITS && n != 0) { /* what was extended changes a PCR */
        abort();
    }
    for (unsigned i = 0; whole && i < n_all && i < TPM_LOG_EVENTS_MAX; i++) {
        if (events[i].pcr >= 8 || events[i].digest.len != KW_HASH_BYTES ||
            events[i].digest.p < data || events[i].digest.p + KW_HASH_BYTES > data + size) {
            abort();
        }
    }
    return 0;
}
