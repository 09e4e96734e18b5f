#include "keeper/channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/files.h"

enum { ORPHAN_MS = 30000 }; /* a keeper that is silent for so long hangs */
enum { PACKET_MAX = KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX, HANGUP_STEP_MS = 20, HANGUP_STEPS = 50 };

enum slot_state {
    SLOT_FREE = 0,
    SLOT_BUSY,   /* somebody waits, or is about to send */
    SLOT_DONE,   /* its answer lies in the room */
    SLOT_ORPHAN, /* nobody waits any more, but the answer may still come */
};

struct slot {
    enum slot_state state;
    bool asleep;     /* its thread waits for wake, and could lead */
    uint64_t req_id; /* low octet: index of the slot */
    int64_t orphan_since_ms;
    struct channel_room *room; /* the waiting thread's; NULL unless SLOT_BUSY */
    pthread_cond_t wake;
};

struct channel {
    atomic_uint refs;
    int fd;
    atomic_bool dead;           /* set once, under lock */
    atomic_bool alien;          /* the peer speaks another version */
    atomic_llong heard_mono_ms; /* when the last answer came */
    pthread_mutex_t lock;
    bool led;           /* some thread reads the socket */
    uint64_t sequence;  /* of requests */
    unsigned next_free; /* where to look for a free slot first */
    struct slot slots[CHANNEL_IN_FLIGHT_MAX];
};
_Static_assert(CHANNEL_IN_FLIGHT_MAX == 256, "the low octet of req_id is the slot");

static void init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attr;

    /* None of these can fail on Linux with a valid clock. */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(wake, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static bool is_seqpacket(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

kw_status channel_new(struct kw_op *op, int fd, struct channel **ret)
{
    OS_FD_AUTO int owned = fd;

    ENSURE(op, is_seqpacket(fd), KW_E_INPUT, "descriptor %d is no SEQPACKET socket", fd);
    struct channel *channel = calloc(1, sizeof(*channel));
    ENSURE(op, channel, KW_E_MEMORY, "no memory for a channel");
    atomic_init(&channel->refs, 1);
    atomic_init(&channel->dead, false);
    atomic_init(&channel->alien, false);
    (void)pthread_mutex_init(&channel->lock, NULL); /* cannot fail with default attributes */
    for (unsigned i = 0; i < CHANNEL_IN_FLIGHT_MAX; i++) {
        init_wake(&channel->slots[i].wake);
    }
    channel->fd = owned;
    owned = -1;
    *ret = channel;
    return KW_OK;
}

struct channel *channel_ref(struct channel *channel)
{
    atomic_fetch_add(&channel->refs, 1);
    return channel;
}

void channel_unref(struct channel *channel)
{
    if (!channel || atomic_fetch_sub(&channel->refs, 1) != 1) {
        return;
    }
    for (unsigned i = 0; i < CHANNEL_IN_FLIGHT_MAX; i++) {
        (void)pthread_cond_destroy(&channel->slots[i].wake); /* nobody waits: the last reference */
    }
    (void)pthread_mutex_destroy(&channel->lock); /* the same */
    os_fd_close(&channel->fd);
    free(channel);
}

bool channel_alive(const struct channel *channel)
{
    return !atomic_load(&channel->dead);
}

int channel_fd(const struct channel *channel)
{
    return channel->fd;
}

int64_t channel_heard_mono_ms(const struct channel *channel)
{
    return atomic_load(&channel->heard_mono_ms);
}

bool channel_is_alien(const struct channel *channel)
{
    return atomic_load(&channel->alien);
}

/* Lock held. The socket stays open (its number may not be reused) until the last reference goes. */
static void fail_locked(struct channel *channel)
{
    if (atomic_exchange(&channel->dead, true)) {
        return;
    }
    (void)shutdown(channel->fd, SHUT_RDWR); /* wakes a leader; fails only where it is closed */
    for (unsigned i = 0; i < CHANNEL_IN_FLIGHT_MAX; i++) {
        (void)pthread_cond_signal(&channel->slots[i].wake); /* cannot fail */
    }
}

void channel_break(struct channel *channel)
{
    (void)pthread_mutex_lock(&channel->lock); /* default mutex: cannot fail */
    fail_locked(channel);
    (void)pthread_mutex_unlock(&channel->lock);
}

void channel_hangup(struct channel *channel)
{
    struct timespec step = {.tv_nsec = HANGUP_STEP_MS * 1000000L};

    for (unsigned i = 0; i < HANGUP_STEPS; i++) {
        (void)pthread_mutex_lock(&channel->lock);
        bool led = channel->led;
        (void)pthread_mutex_unlock(&channel->lock);
        if (!led || !channel_alive(channel)) {
            break;
        }
        (void)nanosleep(&step, NULL); /* the leader reads to the end, then fails it itself */
    }
    channel_break(channel);
}

static int left_ms(int64_t deadline_ms)
{
    if (deadline_ms == 0) {
        return -1;
    }
    int64_t left = deadline_ms - os_clock_mono_ms();
    if (left < 0) {
        return 0;
    }
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

static bool passed(int64_t deadline_ms)
{
    return deadline_ms != 0 && os_clock_mono_ms() >= deadline_ms;
}

/* Lock held. NULL where all are in use. */
static struct slot *take_slot(struct channel *channel, struct channel_room *room)
{
    for (unsigned i = 0; i < CHANNEL_IN_FLIGHT_MAX; i++) {
        unsigned at = (channel->next_free + i) % CHANNEL_IN_FLIGHT_MAX;
        struct slot *slot = &channel->slots[at];
        if (slot->state == SLOT_FREE) {
            slot->state = SLOT_BUSY;
            slot->req_id = ++channel->sequence << 8 | at;
            slot->room = room;
            channel->next_free = at;
            return slot;
        }
    }
    return NULL;
}

/* Lock held. Someone who sleeps shall lead where nobody does. */
static void wake_a_leader(struct channel *channel)
{
    if (channel->led) {
        return;
    }
    for (unsigned i = 0; i < CHANNEL_IN_FLIGHT_MAX; i++) {
        if (channel->slots[i].asleep && channel->slots[i].state == SLOT_BUSY) {
            (void)pthread_cond_signal(&channel->slots[i].wake);
            return;
        }
    }
}

/* Lock held. False: no request of ours has this number, or the answer is too large. */
static bool deliver_locked(struct channel *channel, uint64_t req_id, struct kw_span body)
{
    atomic_store(&channel->heard_mono_ms, os_clock_mono_ms());
    struct slot *slot = &channel->slots[req_id & 0xff];

    if (slot->req_id != req_id || (slot->state != SLOT_BUSY && slot->state != SLOT_ORPHAN) ||
        body.len > KEEPER_REPLY_MAX) {
        return false;
    }
    if (slot->state == SLOT_ORPHAN) {
        slot->state = SLOT_FREE;
        return true;
    }
    memcpy(slot->room->octets, body.p, body.len);
    slot->room->len = body.len;
    slot->state = SLOT_DONE;
    if (slot->asleep) {
        (void)pthread_cond_signal(&slot->wake);
    }
    return true;
}

enum got { GOT_PACKET, GOT_NOTHING, GOT_END };

/* One packet, without the lock. A descriptor that came along is not taken: no control room is
 * given. */
static enum got receive(int fd, int64_t deadline_ms, uint8_t *packet, size_t cap, size_t *ret_len)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    int n_ready = poll(&ready, 1, left_ms(deadline_ms));
    if (n_ready <= 0) {
        return n_ready == 0 || errno == EINTR ? GOT_NOTHING : GOT_END;
    }
    struct iovec vec = {.iov_base = packet, .iov_len = cap};
    struct msghdr head = {.msg_iov = &vec, .msg_iovlen = 1};
    ssize_t n = recvmsg(fd, &head, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return GOT_NOTHING;
    }
    if (n <= 0 || (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        return GOT_END;
    }
    *ret_len = (size_t)n;
    return GOT_PACKET;
}

/* Lock held, and held again on return: read one packet and hand it over. */
static void lead(struct channel *channel, int64_t deadline_ms)
{
    uint8_t packet[KEEPER_FRAME_BYTES + KEEPER_REPLY_MAX];
    struct keeper_frame frame = {0};
    struct kw_span body = {0};
    size_t len = 0;

    channel->led = true;
    (void)pthread_mutex_unlock(&channel->lock);
    enum got got = receive(channel->fd, deadline_ms, packet, sizeof(packet), &len);
    bool well_formed = got == GOT_PACKET &&
                       kw_ok(keeper_frame_decode(KW_SPAN(packet, len), &frame, &body)) &&
                       frame.version == KEEPER_VERSION && frame.type == KEEPER_REPLY_TYPE;
    (void)pthread_mutex_lock(&channel->lock);
    channel->led = false;
    if (got == GOT_NOTHING) {
        return;
    }
    if (got == GOT_PACKET && frame.version != KEEPER_VERSION) {
        atomic_store(&channel->alien, true);
    }
    if (!well_formed || !deliver_locked(channel, frame.req_id, body)) {
        fail_locked(channel);
    }
    kw_wipe(packet, len); /* it may hold a data key */
}

/* Lock held. */
static void sleep_locked(struct channel *channel, struct slot *slot, int64_t deadline_ms)
{
    slot->asleep = true;
    if (deadline_ms == 0) {
        (void)pthread_cond_wait(&slot->wake,
                                &channel->lock); /* a wake without cause does no harm */
    } else {
        struct timespec until = {.tv_sec = deadline_ms / 1000,
                                 .tv_nsec = deadline_ms % 1000 * 1000000L};
        (void)pthread_cond_timedwait(&slot->wake, &channel->lock, &until); /* the caller looks */
    }
    slot->asleep = false;
}

/* Lock held: until the slot is done, the channel dead or the deadline passed. */
static void await_locked(struct channel *channel, struct slot *slot, int64_t deadline_ms)
{
    while (slot->state == SLOT_BUSY && !atomic_load(&channel->dead) && !passed(deadline_ms)) {
        if (channel->led) {
            sleep_locked(channel, slot, deadline_ms);
        } else {
            lead(channel, deadline_ms);
        }
    }
    wake_a_leader(channel);
}

/* Where nobody reads, both sides' buffers can be full at once: then the sender reads. */
static void await_room(struct channel *channel, int64_t deadline_ms)
{
    struct pollfd ready = {.fd = channel->fd, .events = POLLOUT};

    (void)pthread_mutex_lock(&channel->lock);
    if (!channel->led) {
        ready.events |= POLLIN;
    }
    (void)pthread_mutex_unlock(&channel->lock);
    int left = left_ms(deadline_ms);
    /* A leader may leave meanwhile, so never sleep for long. */
    (void)poll(&ready, 1, left < 0 || left > HANGUP_STEP_MS ? HANGUP_STEP_MS : left);
    (void)pthread_mutex_lock(&channel->lock);
    if (!channel->led && (ready.revents & POLLIN)) {
        lead(channel, os_clock_mono_ms());
    }
    wake_a_leader(channel);
    (void)pthread_mutex_unlock(&channel->lock);
}

static ssize_t send_packet(int fd, struct kw_span packet, int pass_fd)
{
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec vec = {.iov_base = (void *)(uintptr_t)packet.p, .iov_len = packet.len};
    struct msghdr head = {.msg_iov = &vec, .msg_iovlen = 1};

    if (pass_fd >= 0) {
        head.msg_control = control.room;
        head.msg_controllen = sizeof(control.room);
        struct cmsghdr *with = CMSG_FIRSTHDR(&head);
        with->cmsg_level = SOL_SOCKET;
        with->cmsg_type = SCM_RIGHTS;
        with->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(with), &pass_fd, sizeof(int));
    }
    return sendmsg(fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A packet goes whole or not at all. */
static kw_status deliver(struct kw_op *op, struct channel *channel, struct kw_span packet,
                         int pass_fd)
{
    for (;;) {
        ENSURE(op, channel_alive(channel), KW_E_UNAVAILABLE, "the keeper is away");
        ENSURE(op, !passed(op->deadline_ms), KW_E_TIMEOUT, "the keeper took no request in time");
        if (send_packet(channel->fd, packet, pass_fd) >= 0) {
            return KW_OK;
        }
        if (errno == EAGAIN || errno == ENOBUFS) {
            await_room(channel, op->deadline_ms);
        } else if (errno != EINTR) {
            int error = errno;
            channel_hangup(channel);
            return FAIL(op, KW_E_UNAVAILABLE, "the keeper is away: %s", strerror(error));
        }
    }
}

/* Lock held: all slots are in use; does the keeper still answer at all? */
static void fail_if_hung(struct channel *channel)
{
    int64_t now_ms = os_clock_mono_ms();

    for (unsigned i = 0; i < CHANNEL_IN_FLIGHT_MAX; i++) {
        const struct slot *slot = &channel->slots[i];
        if (slot->state == SLOT_ORPHAN && now_ms - slot->orphan_since_ms > ORPHAN_MS) {
            fail_locked(channel); /* the supervisor replaces it */
            return;
        }
    }
}

/* Lock held: what became of a delivered request; gives the slot back. */
static enum slot_state leave_slot(struct slot *slot, bool delivered)
{
    enum slot_state was = slot->state;

    slot->state = was == SLOT_DONE || !delivered ? SLOT_FREE : SLOT_ORPHAN;
    slot->orphan_since_ms = os_clock_mono_ms();
    slot->room = NULL;
    return was;
}

static kw_status enter(struct kw_op *op, struct channel *channel, struct channel_room *room,
                       struct slot **ret)
{
    (void)pthread_mutex_lock(&channel->lock);
    struct slot *slot = take_slot(channel, room);
    if (!slot) {
        fail_if_hung(channel);
    }
    (void)pthread_mutex_unlock(&channel->lock);
    ENSURE(op, slot, KW_E_LIMIT, "%d requests to the keeper are in flight", CHANNEL_IN_FLIGHT_MAX);
    *ret = slot;
    return KW_OK;
}

/* Send, wait, leave: the slot is given back on every way out. */
static kw_status exchange(struct kw_op *op, struct channel *channel, struct slot *slot,
                          struct kw_span packet, int pass_fd)
{
    kw_status sent = deliver(op, channel, packet, pass_fd);

    (void)pthread_mutex_lock(&channel->lock);
    if (kw_ok(sent)) {
        await_locked(channel, slot, op->deadline_ms);
    }
    bool done = leave_slot(slot, kw_ok(sent)) == SLOT_DONE;
    (void)pthread_mutex_unlock(&channel->lock);
    if (!kw_ok(sent)) {
        return sent;
    }
    ENSURE(op, done, KW_E_UNSURE, "%s",
           channel_alive(channel) ? "the keeper did not answer in time"
                                  : "the keeper was lost before it answered");
    return KW_OK;
}

/* What the keeper would call malformed ends the channel, for everybody: it is not sent. */
static kw_status encode(struct kw_op *op, const struct keeper_row *row, uint64_t req_id,
                        const struct keeper_msg *msg, struct kw_out *packet)
{
    struct keeper_msg again;

    TRY(op, keeper_msg_encode(row, req_id, msg, packet));
    struct kw_span body = kw_span_sub(kw_out_span(packet), KEEPER_FRAME_BYTES, packet->len);
    kw_status status = keeper_msg_decode(row, body, &again);
    if (keeper_row_secret(row)) {
        kw_wipe(&again, sizeof(again));
    }
    ENSURE(op, kw_ok(status), KW_E_INPUT,
           "a name or text that the keeper does not take: control characters, or not UTF-8");
    return KW_OK;
}

kw_status channel_call(struct kw_op *op, struct channel *channel, const struct keeper_row *row,
                       const struct keeper_msg *msg, int pass_fd, struct channel_room *room,
                       struct keeper_reply *ret)
{
    KW_ROOM uint8_t octets[PACKET_MAX];
    struct kw_out packet = KW_OUT_ARRAY(octets);
    struct slot *slot = NULL;

    ENSURE(op, channel_alive(channel), KW_E_UNAVAILABLE, "the keeper is away");
    TRY(op, enter(op, channel, room, &slot));
    kw_status status = encode(op, row, slot->req_id, msg, &packet);
    if (kw_ok(status)) {
        status = exchange(op, channel, slot, kw_out_span(&packet), pass_fd);
    } else {
        (void)pthread_mutex_lock(&channel->lock);
        (void)leave_slot(slot, /* delivered= */ false); /* nothing was sent */
        (void)pthread_mutex_unlock(&channel->lock);
    }
    if (keeper_row_secret(row)) {
        kw_wipe(octets, packet.len);
    }
    TRY(op, status, "%s to the keeper", row->name);
    status = keeper_reply_decode(KW_SPAN(room->octets, room->len), ret);
    if (!kw_ok(status)) {
        channel_break(channel);
        return FAIL(op, KW_E_UNSURE, "the keeper's answer to %s is malformed", row->name);
    }
    return KW_OK;
}
