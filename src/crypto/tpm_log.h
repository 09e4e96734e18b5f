/* The event log of a measured boot (TCG PC Client Platform Firmware Profile, section 10): read
 * within bounds, and replayed. */
#ifndef CRYPTO_TPM_LOG_H
#define CRYPTO_TPM_LOG_H

#include "crypto/tpm_read.h"

enum { TPM_LOG_MAX = 65536, TPM_LOG_EVENTS_MAX = 2048 };

enum tpm_log_end { TPM_LOG_FITS = 0, TPM_LOG_MALFORMED, TPM_LOG_DIFFERS };
struct tpm_log_result {
    enum tpm_log_end end;
    unsigned events; /* entries behind the header, up to the place that fits */
};
/**
 * Replay the SHA-256 bank of a crypto-agile log until the PCRs of the mask have these values (32
 * octets each, in rising order). An empty log: nothing was extended. Events behind that place are
 * left out of account.
 */
struct tpm_log_result tpm_log_replay(struct kw_span log, const uint8_t mask[3],
                                     struct kw_span values);
enum { TPM_LOG_ALL = ~0u };
/* What a log says was extended into the PCRs of the mask, by its first `entries` entries. */
struct tpm_log_event {
    unsigned pcr;
    uint32_t type;
    struct kw_span digest; /* SHA-256; borrowed from the log */
};
/* True: read to there; false: malformed. ret_n: how many; events beyond `max` are counted only. */
bool tpm_log_events(struct kw_span log, unsigned entries, const uint8_t mask[3],
                    struct tpm_log_event ret[], unsigned max, unsigned *ret_n);

#endif
