/*
 * A connection to a TPM that can be given up. What a TCTI does may block for ever where the TPM
 * hangs (connecting, sending, waiting, closing: most have no timeouts), so a thread of its own does
 * it, and who asks waits no longer than a deadline. A line that was given up clears up by itself as
 * soon as the TPM goes on: its thread hangs up, wipes and frees; until then it counts.
 */
#ifndef ROT_TPM2_LINE_H
#define ROT_TPM2_LINE_H

#include <tss2/tss2_tcti.h>

#include "base/bytes.h"
#include "base/op.h"

enum {
    /* Given up and still waiting, in one process: more would wait for the same TPM. */
    TPM2_LINES_LOST_MAX = 8
};

/* How to connect, and to hang up: tpm2-tss's loader, or a test's TPM. Called by the line's thread.
 */
struct tpm2_wire {
    TSS2_RC (*connect)(const char *tcti, TSS2_TCTI_CONTEXT **ret);
    void (*hang_up)(TSS2_TCTI_CONTEXT **device);
};
extern const struct tpm2_wire tpm2_wire_loader;

/* What is sent and what came: the owner's between two calls. */
struct tpm2_io {
    size_t command_len;
    size_t response_len;
    uint8_t command[TPM2_MAX_COMMAND_SIZE];
    uint8_t response[TPM2_MAX_RESPONSE_SIZE];
};

struct tpm2_line;

/**
 * Connect. tcti: as tpm2-tools take it, copied. deadline_ms: monotonic.
 * Errors  KW_E_UNAVAILABLE there is no TPM, or it is busy; retry is safe
 *         KW_E_TIMEOUT     it does not answer, or TPM2_LINES_LOST_MAX lines wait for it all the
 * time Blocks  until the deadline, a tenth of a second at least. Threads: one owner; different
 * lines are independent.
 */
kw_status tpm2_line_open(struct kw_op *op, const struct tpm2_wire *wire, const char *tcti,
                         int64_t deadline_ms, struct tpm2_line **ret);
/* Hang up, at the latest at the deadline. NULL is fine. */
void tpm2_line_close(struct tpm2_line *line, int64_t deadline_ms);

/* Send io's command; receive io's response. At the deadline, after a tenth of a second at least,
 * the line is given up: it is the thread's alone then, *line is NULL and the answer
 * TSS2_TCTI_RC_IO_ERROR. */
TSS2_RC tpm2_line_transmit(struct tpm2_line **line, int64_t deadline_ms);
TSS2_RC tpm2_line_receive(struct tpm2_line **line, int64_t deadline_ms);

struct tpm2_io *tpm2_line_io(struct tpm2_line *line);              /* borrowed */
TSS2_TCTI_CONTEXT *tpm2_line_device(const struct tpm2_line *line); /* borrowed */

/* KW_E_TIMEOUT, with what to do about it. */
kw_status tpm2_line_silent(struct kw_op *op, const char *tcti);
/* Lines of this process that were given up and still wait for their TPM. */
unsigned tpm2_lines_lost(void);
/* What a visit had loaded may lie in the TPM yet, as it could not flush it; a line that is given up
 * says so itself. Then: was this said since it was asked last? */
void tpm2_lines_leave_something(void);
bool tpm2_lines_left_something(void);

#endif
