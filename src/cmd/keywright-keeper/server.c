#include "cmd/keywright-keeper/server.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/files.h"

enum {
    PACKET_MAX = KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX,
    FDS_MAX = 4, /* more than any row takes; the kernel closes what is beyond */
    SAVE_MS = 60000,
    TICK_MS = 1000,
    REPLY_WAIT_MS = 30000,
};

/* Beside the catalogue: what each row does. */
static kw_status (*const handlers[KEEPER_ROWS])(struct kw_op *op, struct server *server,
                                                struct request *request) = {
#define X(label, suffix, number, max, states, fd) [KEEPER_ROW_##label] = handle_##suffix,
    KEEPER_MESSAGES(X)
#undef X
};

/* Looking for a key that is not there is no refusal. */
static bool is_ordinary(const struct keeper_row *row, enum kw_code code)
{
    return code == KW_E_NOT_FOUND &&
           (row->type == KEEPER_MSG_KEY_AT || row->type == KEEPER_MSG_KEY_FIND ||
            row->type == KEEPER_MSG_APPROVAL_AT || row->type == KEEPER_MSG_ROSTER_AT);
}

struct key_cause request_cause(const struct request *request, const char *reason)
{
    const char *id = request->msg->request_id;

    return (struct key_cause){request->now_unix, id[0] != '\0' ? id : "gate", reason};
}

kw_status journal_note(struct kw_op *op, struct server *server, struct keeper_key *key,
                       enum keeper_purpose purpose, struct kw_span message,
                       const struct request *request)
{
    return keyring_note(op, server->keyring, key, purpose, message, request->msg->request_id);
}

kw_status request_sign(struct kw_op *op, struct server *server, struct keeper_key *key,
                       struct kw_span message, struct request *request)
{
    struct kw_out sig = {.p = request->octets, .cap = KW_SIG_MAX};

    TRY(op, keyring_count(op, server->keyring, key, os_clock_mono_ms()));
    TRY(op, privkey_sign(op, key->private_key, message, &sig), "signing with key '%s'",
        key->policy.key_id);
    TRY(op, journal_note(op, server, key, key->asked, message, request));
    request->answer.octets = kw_out_span(&sig);
    return KW_OK;
}

static void note(struct server *server, const char *request_id, const char *message,
                 const char *key_id, enum kw_code code, const char *reason)
{
    struct refusal refusal = {request_id, message, key_id, code, reason};

    refusals_note(&server->refusals, &refusal, os_clock_unix_ms(), os_clock_mono_ms());
}

static bool malformed(struct server *server, const char *message, const char *reason)
{
    note(server, "", message, "", KW_E_INPUT, reason);
    return false;
}

/* Whole or not at all. A gate that takes no replies loses its keeper. */
static bool send_reply(const struct server *server, struct kw_span packet)
{
    for (;;) {
        ssize_t n = send(server->fd, packet.p, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            return true;
        }
        if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
            return true; /* the gate is gone: the next receive says so */
        }
        struct pollfd room = {.fd = server->fd, .events = POLLOUT};
        if (poll(&room, 1, REPLY_WAIT_MS) == 0) {
            return false;
        }
    }
}

static bool reply(const struct server *server, const struct keeper_row *row, uint64_t req_id,
                  const struct kw_op *op, kw_status status, const struct request *request)
{
    KW_ROOM uint8_t octets[KEEPER_FRAME_BYTES + KEEPER_REPLY_MAX];
    struct kw_out packet = KW_OUT_ARRAY(octets);
    bool with_answer = kw_ok(status) || request->answer_refusal;

    kw_status encoded =
        keeper_reply_encode(row, req_id, status.code, kw_ok(status) ? "" : kw_op_cause(op),
                            with_answer ? &request->answer : NULL, &packet);
    bool sent = kw_ok(encoded) && send_reply(server, kw_out_span(&packet));
    if (keeper_row_secret(row)) {
        kw_wipe(octets, packet.len);
    }
    return sent;
}

kw_status server_may(struct kw_op *op, const struct server *server, const struct request *request)
{
    if (request->row->modes & (unsigned)server->mode) {
        return KW_OK;
    }
    ENSURE(op, server->mode != KEEPER_SEALED, KW_E_UNAVAILABLE,
           "vault: it is sealed until somebody opens it ('keywright vault open')");
    return FAIL(op, KW_E_STATE, "state: %s is not taken now", request->row->name);
}

bool server_conclude(struct server *server, struct kw_op *op, kw_status status,
                     struct request *request)
{
    const struct keeper_row *row = request->row;
    const struct keeper_msg *msg = request->msg;
    bool by_sealed = server->mode == KEEPER_SEALED && status.code == KW_E_UNAVAILABLE;

    if (!kw_ok(status) && !by_sealed && !is_ordinary(row, status.code)) {
        note(server, msg->request_id, row->name, msg->key_id, status.code, kw_op_cause(op));
    }
    bool replied = reply(server, row, request->req_id, op, status, request);
    if (keeper_row_secret(row)) {
        kw_wipe(request->octets, sizeof(request->octets));
    }
    return replied;
}

/* A well-formed request: refuse it or do it; the gate gets the reason and refusals.log the line. */
static bool answer(struct server *server, struct request *request)
{
    struct kw_op op;

    kw_op_init(&op, "gate", 0);
    kw_status status = server_may(&op, server, request);
    if (kw_ok(status)) {
        status = handlers[request->row - keeper_rows](&op, server, request);
    }
    return request->later || server_conclude(server, &op, status, request);
}

/* The descriptor must be where the message says, and nowhere else. */
static bool fds_fit(const struct keeper_row *row, const struct keeper_msg *msg, unsigned n_fds)
{
    bool always = row->type == KEEPER_MSG_VAULT_EXPORT; /* the others say by_fd */
    unsigned wanted = always || (row->fd_allowed && msg->sign_crl.by_fd) ? 1 : 0;

    return n_fds == wanted;
}

/* A gate of another version gets to know it before the channel closes. */
static bool refuse_version(struct server *server, const struct keeper_frame *frame)
{
    struct request none = {0};
    struct kw_op op;

    kw_op_init(&op, "gate", 0);
    kw_status status =
        FAIL(&op, KW_E_UNSUPPORTED, "this keeper speaks protocol version %d", KEEPER_VERSION);
    (void)reply(server, &keeper_rows[KEEPER_ROW_HELLO], frame->req_id, &op, status, &none);
    return malformed(server, "FRAME", "another protocol version");
}

bool server_take(struct server *server, struct kw_span packet, const int fds[], unsigned n_fds)
{
    struct keeper_frame frame;
    struct kw_span body;
    struct keeper_msg msg;

    if (!kw_ok(keeper_frame_decode(packet, &frame, &body))) {
        return malformed(server, "FRAME", "the packet is not as long as its header says");
    }
    if (frame.version != KEEPER_VERSION) {
        return refuse_version(server, &frame);
    }
    const struct keeper_row *row = keeper_row_of(frame.type);
    if (!row) {
        return malformed(server, "FRAME", "unknown message type");
    }
    if (!kw_ok(keeper_msg_decode(row, body, &msg))) {
        return malformed(server, row->name, "the body does not decode");
    }
    if (!fds_fit(row, &msg, n_fds)) {
        return malformed(server, row->name,
                         "a descriptor where none belongs, or none where one does");
    }
    if (server->keyring) {
        keyring_watch_clock(server->keyring, os_clock_unix_s(), os_clock_up_s());
    }
    static struct request request; /* one thread; its room need not be cleared for each */
    memset(&request, 0, offsetof(struct request, octets));
    request.msg = &msg;
    request.row = row;
    request.req_id = frame.req_id;
    request.fd = n_fds > 0 ? fds[0] : -1;
    request.now_unix = os_clock_unix_s();
    bool goes_on = answer(server, &request);
    request.msg = NULL; /* it ends here */
    return goes_on;
}

enum got { GOT_PACKET, GOT_NOTHING, GOT_BROKEN, GOT_END };

struct packet {
    uint8_t octets[PACKET_MAX];
    size_t len;
    int fds[FDS_MAX];
    unsigned n_fds;
};

static void take_fds(struct msghdr *head, struct packet *packet)
{
    for (struct cmsghdr *with = CMSG_FIRSTHDR(head); with; with = CMSG_NXTHDR(head, with)) {
        if (with->cmsg_level != SOL_SOCKET || with->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (with->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(with) + i * sizeof(int), sizeof(int));
            if (packet->n_fds == FDS_MAX) {
                (void)close(fd); /* not wanted */
                continue;
            }
            packet->fds[packet->n_fds++] = fd;
        }
    }
}

static void close_fds(struct packet *packet)
{
    for (unsigned i = 0; i < packet->n_fds; i++) {
        (void)close(packet->fds[i]); /* ours to drop; nothing was written */
    }
    packet->n_fds = 0;
}

static enum got receive(const struct server *server, struct packet *packet)
{
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec vec = {.iov_base = packet->octets, .iov_len = sizeof(packet->octets)};
    struct msghdr head = {.msg_iov = &vec,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = sizeof(control.room)};

    packet->n_fds = 0;
    ssize_t n = recvmsg(server->fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? GOT_NOTHING : GOT_END;
    }
    take_fds(&head, packet);
    packet->len = (size_t)n;
    if (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        close_fds(packet);
        return GOT_BROKEN;
    }
    return n == 0 ? GOT_END : GOT_PACKET;
}

static void note_failure(struct server *server, const char *what, struct kw_op *op,
                         kw_status status)
{
    if (!kw_ok(status)) {
        note(server, "", what, "", status.code, kw_op_cause(op));
        kw_op_clear(op);
    }
}

/* What time does to keys, and what the files do not hold yet. */
static void save_all(struct server *server, bool end)
{
    struct keyring *keyring = server->keyring;
    int64_t now_unix = os_clock_unix_s();
    struct kw_op op;

    kw_op_init(&op, "keeper", 0);
    keyring_watch_clock(keyring, now_unix, os_clock_up_s());
    note_failure(server, "CLOCK", &op, keyring_tick(&op, keyring, now_unix));
    if (end) {
        note_failure(server, "JOURNAL", &op, keyring_flush(&op, keyring, now_unix, true));
        keyring_give_back(keyring);
    }
    note_failure(server, "STATE", &op, keyring_save(&op, keyring));
}

/* Counts are saved now and then; what must not be lost was saved before it was signed. */
static void keep_up(struct server *server, bool now)
{
    int64_t mono_ms = os_clock_mono_ms();

    refusals_tick(&server->refusals, os_clock_unix_ms(), mono_ms, now);
    if (!server->keyring || (!now && mono_ms - server->saved_mono_ms < SAVE_MS)) {
        return;
    }
    save_all(server, now);
    server->saved_mono_ms = mono_ms;
}

static enum server_end end_of(const struct server *server, bool in_order)
{
    if (!in_order) {
        return SERVER_END_MALFORMED;
    }
    bool in_use = server->keyring || server->sealed || server->mode == KEEPER_SEALED;
    return in_use ? SERVER_END_CLEAN : SERVER_END_FAILED;
}

/* What time did to the keys while no keeper ran. */
static void catch_up(struct server *server)
{
    if (!server->keyring) {
        return;
    }
    if (server->opened == KEEPER_CEREMONY) {
        keyring_trust_clock(server->keyring, os_clock_unix_s(), os_clock_up_s());
    }
    save_all(server, /* end= */ false);
}

/* Whoever is at the vault's socket; opened or sealed there, the mode follows. */
static void serve_people(struct server *server)
{
    bool was = server->keyring != NULL;

    if (!open_socket_serve(&server->socket, &server->opening, &server->keyring,
                           os_clock_mono_ms())) {
        return;
    }
    if (!was) {
        catch_up(server);
    }
    server->sealed = was;
    if (server->mode != KEEPER_GREETING) {
        server->mode = was ? KEEPER_SEALED : server->opened;
    }
}

/* Sleep until there is something to read, a second has passed, or a signal came; with work to do,
 * only look. */
static void wait_for_packet(struct server *server)
{
    int people[2];

    open_socket_fds(&server->socket, people);
    struct pollfd ready[] = {
        {.fd = server->fd, .events = POLLIN},
        {.fd = people[0],  .events = POLLIN},
        {.fd = people[1],  .events = POLLIN},
    };
    int n = poll(ready, KW_COUNT(ready), server_has_work(server) ? 0 : TICK_MS);
    if (n == 0) {
        keep_up(server, /* now= */ false);
        vault_open_tick(&server->opening, os_clock_mono_ms());
    }
    if (n <= 0 || ready[1].revents || ready[2].revents) {
        serve_people(server);
    }
}

/* False where the gate broke the rules; *ret_end set at the end of the channel. */
static bool step(struct server *server, struct packet *packet, bool *ret_end)
{
    switch (receive(server, packet)) {
    case GOT_NOTHING:
        wait_for_packet(server);
        return server_work(server, /* idle= */ true);
    case GOT_END:
        *ret_end = true;
        return true;
    case GOT_BROKEN:
        return malformed(server, "FRAME", "the packet or its descriptors are too many");
    case GOT_PACKET:
        break;
    }
    bool in_order =
        server_take(server, KW_SPAN(packet->octets, packet->len), packet->fds, packet->n_fds);
    close_fds(packet);
    kw_wipe(packet->octets, packet->len); /* it may have held a data key */
    if (!server->keyring && !server->sealed && server->mode != KEEPER_SEALED) {
        *ret_end = true; /* the gate knows why now */
    }
    return in_order && server_work(server, /* idle= */ false);
}

enum server_end server_run(struct server *server, const volatile int *stop)
{
    static struct packet packet; /* one thread, one loop */
    bool in_order = true;
    bool end = false;
    unsigned n_since = 0;

    catch_up(server);
    while (in_order && !end && !*stop && !server->opening.restart) {
        in_order = step(server, &packet, &end);
        if (++n_since % 1024 == 0) { /* a busy channel never gets to wait */
            keep_up(server, /* now= */ false);
            serve_people(server);
        }
    }
    server_drop_work(server);
    keep_up(server, /* now= */ true);
    return end_of(server, in_order);
}
