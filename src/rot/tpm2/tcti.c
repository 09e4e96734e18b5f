#include "rot/tpm2/tcti.h"

#include <poll.h>
#include <time.h>

#include "os/clock.h"

enum {
    HEADER_BYTES = 10,
    RC_AT = 6,
    PAUSE_FIRST_MS = 2,
    PAUSE_MAX_MS = 200,
    POLL_MAX = 4,
    NO_ROOM_MAX_MS = 3000
};

static const uint64_t TCTI_MAGIC = 0x4b57544350544301; /* any number that no other TCTI has */

static struct tpm2_tcti *self_of(TSS2_TCTI_CONTEXT *context)
{
    return (struct tpm2_tcti *)context;
}

static int64_t left_ms(const struct tpm2_tcti *self)
{
    int64_t left = self->deadline_ms - os_clock_mono_ms();
    return left > 0 ? left : 0;
}

/* A line that was given up is a TPM that did not answer in time. */
static TSS2_RC judged(struct tpm2_tcti *self, TSS2_RC rc)
{
    self->timed_out = self->timed_out || !self->line;
    self->broken = self->broken || rc != TSS2_RC_SUCCESS;
    return rc;
}

static TSS2_RC transmit(struct tpm2_tcti *self)
{
    return judged(self, tpm2_line_transmit(&self->line, self->deadline_ms));
}

static TSS2_RC tcti_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    struct tpm2_tcti *self = self_of(context);

    if (self->broken) {
        return TSS2_TCTI_RC_NO_CONNECTION;
    }
    struct tpm2_io *io = tpm2_line_io(self->line);
    if (size > sizeof(io->command)) {
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    memcpy(io->command, command, size);
    io->command_len = size;
    self->has_response = false;
    return transmit(self);
}

/* Until there is something to read, where the device can be waited for at all. */
static TSS2_RC wait_readable(struct tpm2_tcti *self)
{
    struct pollfd fds[POLL_MAX];
    size_t n = POLL_MAX;

    if (Tss2_Tcti_GetPollHandles(tpm2_line_device(self->line), fds, &n) != TSS2_RC_SUCCESS ||
        n == 0) {
        return TSS2_RC_SUCCESS;
    }
    for (size_t i = 0; i < n; i++) {
        fds[i].events = POLLIN;
    }
    for (;;) {
        int64_t left = left_ms(self);
        int ready = poll(fds, n, left < INT32_MAX ? (int)left : INT32_MAX);
        if (ready > 0) {
            return TSS2_RC_SUCCESS;
        }
        if (ready == 0) {
            self->timed_out = true;
            self->broken = true; /* a late answer would be taken for that of the next command */
            return TSS2_TCTI_RC_IO_ERROR;
        }
    }
}

static uint32_t response_code(struct tpm2_tcti *self)
{
    const uint8_t *p = tpm2_line_io(self->line)->response + RC_AT;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool says_again(uint32_t rc)
{
    return rc == TPM2_RC_RETRY || rc == TPM2_RC_YIELDED || rc == TPM2_RC_TESTING;
}

/* A command that was refused for want of room has changed nothing: neither
 * objects nor the nonces of sessions. */
static bool says_no_room(uint32_t rc)
{
    return rc == TPM2_RC_OBJECT_MEMORY || rc == TPM2_RC_SESSION_MEMORY ||
           rc == TPM2_RC_OBJECT_HANDLES || rc == TPM2_RC_SESSION_HANDLES;
}

static TSS2_RC receive_once(struct tpm2_tcti *self)
{
    TSS2_RC rc = wait_readable(self);
    if (rc == TSS2_RC_SUCCESS) {
        rc = tpm2_line_receive(&self->line, self->deadline_ms);
    }
    if (rc == TSS2_RC_SUCCESS) {
        const struct tpm2_io *io = tpm2_line_io(self->line);
        bool fits = io->response_len >= HEADER_BYTES && io->response_len <= sizeof(io->response);
        rc = fits ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_MALFORMED_RESPONSE;
    }
    return judged(self, rc);
}

static TSS2_RC fetch_response(struct tpm2_tcti *self)
{
    int64_t room_until_ms = os_clock_mono_ms() + NO_ROOM_MAX_MS;

    for (long pause_ms = PAUSE_FIRST_MS;;
         pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms * 2 : pause_ms) {
        TSS2_RC rc = receive_once(self);
        bool no_room = rc == TSS2_RC_SUCCESS && says_no_room(response_code(self));
        if (rc != TSS2_RC_SUCCESS || !(no_room || says_again(response_code(self)))) {
            return rc;
        }
        if (no_room && (os_clock_mono_ms() >= room_until_ms || left_ms(self) <= pause_ms)) {
            return TSS2_RC_SUCCESS; /* the next step is said with it */
        }
        if (left_ms(self) <= pause_ms) {
            self->timed_out = true;
            return TSS2_RC_SUCCESS; /* the TPM's own words go up */
        }
        const struct timespec pause = {.tv_sec = pause_ms / 1000,
                                       .tv_nsec = pause_ms % 1000 * 1000000L};
        (void)nanosleep(&pause, NULL); /* waking early only asks again sooner */
        rc = transmit(self);
        if (rc != TSS2_RC_SUCCESS) {
            return rc;
        }
    }
}

static TSS2_RC tcti_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response,
                            int32_t timeout)
{
    struct tpm2_tcti *self = self_of(context);
    (void)timeout; /* ours is the deadline */

    if (!self->has_response) {
        TSS2_RC rc = fetch_response(self);
        if (rc != TSS2_RC_SUCCESS) {
            return rc;
        }
        self->has_response = true;
    }
    const struct tpm2_io *io = tpm2_line_io(self->line);
    size_t room = *size;
    *size = io->response_len;
    if (!response) {
        return TSS2_RC_SUCCESS; /* asked for the size only */
    }
    if (room < io->response_len) {
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    }
    memcpy(response, io->response, io->response_len);
    self->has_response = false;
    return TSS2_RC_SUCCESS;
}

static void tcti_finalize(TSS2_TCTI_CONTEXT *context)
{
    (void)context; /* the line is its owner's */
}

/* Cancelling, descriptors and localities are not used: those cells are empty, as TSS allows. */
void tpm2_tcti_init(struct tpm2_tcti *tcti, struct tpm2_line *line, int64_t deadline_ms)
{
    *tcti = (struct tpm2_tcti){
        .common = {.magic = TCTI_MAGIC,
                   .version = 1,
                   .transmit = tcti_transmit,
                   .receive = tcti_receive,
                   .finalize = tcti_finalize},
        .line = line,
        .deadline_ms = deadline_ms,
    };
}
