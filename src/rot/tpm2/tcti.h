/*
 * The way to a TPM with a deadline: a TCTI of our own in front of the real one.
 *   - waits for an answer no longer than the deadline, where the real one has a descriptor to wait
 * for (device files and tabrmd have; the sockets of simulators in tpm2-tss 3 do not and block);
 *   - sends a command again, with growing pauses, where the TPM says RETRY, YIELDED or TESTING: it
 * has not begun the command then, so the same octets are right;
 *   - sends it again likewise, for a few seconds, where others have the TPM's slots (0x902 and the
 * like): they use them for moments;
 *   - keeps SIGPIPE of a broken connection from the process.
 */
#ifndef ROT_TPM2_TCTI_H
#define ROT_TPM2_TCTI_H

#include <tss2/tss2_tcti.h>

#include "base/bytes.h"

struct tpm2_tcti {
    TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: this is a TSS2_TCTI_CONTEXT */
    TSS2_TCTI_CONTEXT *inner;           /* borrowed */
    int64_t deadline_ms;                /* monotonic */
    bool timed_out;                     /* the deadline passed while the TPM was waited for */
    bool broken;                        /* nothing more can be asked over this connection */
    bool has_response;
    size_t command_len;
    size_t response_len;
    uint8_t command[TPM2_MAX_COMMAND_SIZE];
    uint8_t response[TPM2_MAX_RESPONSE_SIZE];
};

void tpm2_tcti_init(struct tpm2_tcti *tcti, TSS2_TCTI_CONTEXT *inner, int64_t deadline_ms);

#endif
