/* The keeper's end of the channel: one thread, one message after the other. */
#ifndef KEEPER_CMD_SERVER_H
#define KEEPER_CMD_SERVER_H

#include "cmd/keywright-keeper/confine.h"
#include "cmd/keywright-keeper/keyring.h"
#include "cmd/keywright-keeper/open_socket.h"
#include "cmd/keywright-keeper/refusals.h"
#include "keeper/msg.h"

enum { SERVER_JOBS_MAX = 2 };
struct crl_job;

struct server {
    int fd;                  /* the channel */
    enum keeper_mode mode;   /* KEEPER_GREETING until HELLO was answered */
    enum keeper_mode opened; /* KEEPER_CEREMONY or KEEPER_SERVING: the mode after HELLO */
    struct keyring *keyring; /* NULL while the vault is sealed, or where it could not be opened:
                                then `failed` says why */
    bool sealed;             /* a person can open it, at the socket */
    struct vault_opening opening;
    struct open_socket socket;
    struct kw_op failed;
    bool failure_told; /* to the gate, in answer to its HELLO */
    struct refusals refusals;
    struct confined confined; /* what was given up before the first message */
    int64_t saved_mono_ms;
    struct crl_job *jobs[SERVER_JOBS_MAX]; /* in the order in which they came */
    int64_t rest_until_ns;                 /* where others wait, no slice of them before this */
};

/* Why the loop ended; also the exit status. */
enum server_end {
    SERVER_END_CLEAN = 0,     /* the gate closed the channel, or SIGTERM */
    SERVER_END_FAILED = 1,    /* the vault was not opened; HELLO was answered with the reason */
    SERVER_END_MALFORMED = 3, /* the gate broke the rules of the channel */
};

/* One request while it is handled. */
struct request {
    const struct keeper_msg *msg;
    const struct keeper_row *row;
    uint64_t req_id;
    int fd; /* that came with it, or -1; closed by the loop */
    int64_t now_unix;
    struct keeper_answer answer;
    bool answer_refusal;              /* the answer goes with a refusal too */
    bool later;                       /* no reply yet: a job has taken it over */
    uint8_t octets[KEEPER_REPLY_MAX]; /* what the answer's spans borrow */
};

/* Serve until the channel ends or *stop is set (by a signal). */
enum server_end server_run(struct server *server, const volatile int *stop);
/* One packet: reply where there is something to reply to. False where it is malformed. For tests
 * too. */
bool server_take(struct server *server, struct kw_span packet, const int fds[], unsigned n_fds);

/* May a request of this row be done in the present state? KW_E_UNAVAILABLE the vault is sealed. */
kw_status server_may(struct kw_op *op, const struct server *server, const struct request *request);
/* Write a refusal down, and reply. False where the gate takes no replies. */
bool server_conclude(struct server *server, struct kw_op *op, kw_status status,
                     struct request *request);
/* Work that goes on between messages (server_work.c). KW_E_LIMIT there is enough of it; else the
 * job is taken. */
kw_status server_later(struct kw_op *op, struct server *server, struct crl_job *job);
bool server_has_work(const struct server *server);
/* One slice, where it is time for one; idle: nobody waits. False where the gate takes no replies.
 */
bool server_work(struct server *server, bool idle);
void server_drop_work(struct server *server);

/* A row's work: fills request->answer, or fails with the reason of the refusal. */
#define X(name, suffix, number, max, modes, fd)                                                    \
    kw_status handle_##suffix(struct kw_op *op, struct server *server, struct request *request);
KEEPER_MESSAGES(X)
#undef X

/* Who asks, for what changes a key's state. reason is borrowed. */
struct key_cause request_cause(const struct request *request, const char *reason);
/**
 * Write down what a key was used for, before the answer leaves; message: what was signed, opened, …
 * Counted by keyring_count() before, as request_sign() does both.
 */
kw_status journal_note(struct kw_op *op, struct server *server, struct keeper_key *key,
                       enum keeper_purpose purpose, struct kw_span message,
                       const struct request *request);
/* Count, sign and write down, for the purpose that keyring_use() let through; the signature lies in
 * request->octets. */
kw_status request_sign(struct kw_op *op, struct server *server, struct keeper_key *key,
                       struct kw_span message, struct request *request);

#endif
