/*
 * The way to a TPM with a deadline: a TCTI of our own in front of the real one.
 *   - waits no longer than the deadline, whatever hangs: where the real one has a descriptor to
 * wait for, there (device files and tabrmd have), else over the line's thread (rot/tpm2/line.h);
 *   - sends a command again, with growing pauses, where the TPM says RETRY, YIELDED or TESTING: it
 * has not begun the command then, so the same octets are right;
 *   - sends it again likewise, for a few seconds, where others have the TPM's slots (0x902 and the
 * like): they use them for moments;
 *   - keeps SIGPIPE of a broken connection from the process.
 */
#ifndef ROT_TPM2_TCTI_H
#define ROT_TPM2_TCTI_H

#include "rot/tpm2/line.h"

struct tpm2_tcti {
    TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: this is a TSS2_TCTI_CONTEXT */
    struct tpm2_line *line;             /* owned by the session; NULL once it was given up */
    int64_t deadline_ms;                /* monotonic */
    bool timed_out;                     /* the deadline passed while the TPM was waited for */
    bool broken;                        /* nothing more can be asked over this connection */
    bool has_response;
};

void tpm2_tcti_init(struct tpm2_tcti *tcti, struct tpm2_line *line, int64_t deadline_ms);

#endif
