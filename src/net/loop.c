#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/dispatch.h"
#include "net/refusal.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"

enum {
    SWEEP_MS = 500,
    HEADERS_MAX =
        16384, /* request line and headers; browsers' cookies are the largest known, 8 KiB */
    THREAD_NAME_CAP = 16,
};

/* PATCH, TRACE, CONNECT, OPTIONS and unknown ones are 501 by libevent. */
static const uint16_t server_methods =
    EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD;

static void open_doors(struct loop *loop, bool open)
{
    for (struct door *door = loop->doors; door; door = door->next) {
        if (door->socket) {
            /* May fail only for lack of memory; the next sweep tries again. */
            (void)(open ? evconnlistener_enable : evconnlistener_disable)(door->socket);
        }
    }
}

/* What was asked of the loop since it last looked. */
struct orders {
    struct exchange *done;
    bool drain, stop, end_idle;
};

static struct orders take_orders(struct loop *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    struct orders orders = {
        .done = loop->done,
        .drain = loop->wants_drain && !loop->draining,
        .stop = loop->wants_stop,
        .end_idle = loop->wants_kick || loop->wants_drain,
    };
    loop->done = NULL;
    loop->done_end = &loop->done;
    loop->wants_kick = false;
    (void)pthread_mutex_unlock(&loop->lock);
    return orders;
}

static void finish_all(struct exchange *done)
{
    while (done) {
        struct exchange *x = done;
        done = x->next;
        dispatch_finish(x);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    uint64_t count = 0;

    (void)what;
    (void)!read(fd, &count, sizeof(count)); /* empty only where two wake-ups became one */
    struct orders orders = take_orders(loop);
    if (orders.drain) {
        loop->draining = true;
        open_doors(loop, false);
    }
    finish_all(orders.done);
    if (orders.end_idle) {
        conn_end_idle(loop);
    }
    if (orders.stop) {
        (void)event_base_loopbreak(loop->base); /* fails only without a base */
    }
}

static void on_adopt(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    conn_adopt_fresh(arg);
    refusal_replace_all(arg);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;

    (void)fd;
    (void)what;
    conn_sweep(loop, os_clock_tick_ms());
    if (!loop->draining) {
        open_doors(loop, true); /* after on_accept_error() */
    }
}

/* accept(2) failed, most likely for lack of descriptors: without a pause until the next sweep the
 * loop would spin. */
static void on_accept_error(struct evconnlistener *socket, void *arg)
{
    (void)arg;
    (void)evconnlistener_disable(socket); /* where it fails, the loop spins */
}

kw_status loop_init(struct kw_op *op, struct loop *loop, struct http_server *server)
{
    static const struct timeval every = {SWEEP_MS / 1000, SWEEP_MS % 1000 * 1000};

    (void)pthread_mutex_init(&loop->lock, NULL); /* cannot fail with default attributes on Linux */
    loop->server = server;
    loop->done_end = &loop->done;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ENSURE(op, loop->wake_fd >= 0, KW_E_LIMIT, "event loop: %s", strerror(errno));
    TRY(op, os_random(op, &loop->id_seed, sizeof(loop->id_seed)), "event loop");
    loop->base = event_base_new();
    ENSURE(op, loop->base, KW_E_MEMORY, "event loop");
    loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    loop->sweep = event_new(loop->base, -1, EV_PERSIST, on_sweep, loop);
    loop->adopt = event_new(loop->base, -1, 0, on_adopt, loop);
    ENSURE(op, loop->wake && loop->sweep && loop->adopt, KW_E_MEMORY, "event loop");
    ENSURE(op, event_add(loop->wake, NULL) == 0 && event_add(loop->sweep, &every) == 0, KW_E_MEMORY,
           "event loop");
    return KW_OK;
}

static kw_status set_up_http(struct kw_op *op, struct door *door, struct evconnlistener *socket)
{
    evhttp_set_max_headers_size(door->http, HEADERS_MAX);
    evhttp_set_max_body_size(door->http, router_body_max(door->gate->router));
    evhttp_set_allowed_methods(door->http, server_methods);
    evhttp_set_default_content_type(door->http, NULL);
    evhttp_set_bevcb(door->http, conn_new, door);
    evhttp_set_gencb(door->http, dispatch_request, door);
    if (!evhttp_bind_listener(door->http, socket)) {
        evconnlistener_free(socket);
        return FAIL(op, KW_E_MEMORY, "listener");
    }
    door->socket = socket;
    evconnlistener_set_error_cb(socket, on_accept_error);
    return KW_OK;
}

kw_status loop_open_door(struct kw_op *op, struct loop *loop, struct gate *gate, int fd)
{
    OS_FD_AUTO int owned = fd;
    struct door *door = calloc(1, sizeof(*door));

    ENSURE(op, door, KW_E_MEMORY, "listener");
    *door = (struct door){.next = loop->doors, .gate = gate, .loop = loop};
    loop->doors = door; /* loop_end() frees it, half-made or not */
    door->http = evhttp_new(loop->base);
    ENSURE(op, door->http, KW_E_MEMORY, "listener");
    struct evconnlistener *socket = evconnlistener_new(
        loop->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    ENSURE(op, socket, KW_E_MEMORY, "listener");
    owned = -1;
    return set_up_http(op, door, socket);
}

static void *run(void *arg)
{
    struct loop *loop = arg;

    /* Fails only where epoll(7) does; 1, "no events", cannot be: there is the sweep. */
    (void)event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

kw_status loop_start(struct kw_op *op, struct loop *loop, unsigned number)
{
    char name[THREAD_NAME_CAP];
    sigset_t all;
    sigset_t before;

    /* Signals belong to the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&loop->thread, NULL, run, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ENSURE(op, error == 0, KW_E_LIMIT, "cannot start an event loop's thread: %s", strerror(error));
    loop->started = true;
    (void)snprintf(name, sizeof(name), "loop-%u", number % 1000);
    (void)pthread_setname_np(loop->thread, name); /* only a help for ps and gdb */
    return KW_OK;
}

static void wake(struct loop *loop)
{
    uint64_t one = 1;

    (void)!write(loop->wake_fd, &one, sizeof(one)); /* full only where it is awake anyway */
}

static void order(struct loop *loop, bool *what)
{
    (void)pthread_mutex_lock(&loop->lock);
    *what = true;
    (void)pthread_mutex_unlock(&loop->lock);
    wake(loop);
}

void loop_drain(struct loop *loop)
{
    order(loop, &loop->wants_drain);
}

void loop_kick(struct loop *loop)
{
    order(loop, &loop->wants_kick);
}

void loop_post(struct exchange *x)
{
    struct loop *loop = x->loop;

    x->next = NULL;
    (void)pthread_mutex_lock(&loop->lock);
    bool was_empty = !loop->done;
    *loop->done_end = x;
    loop->done_end = &x->next;
    (void)pthread_mutex_unlock(&loop->lock);
    if (was_empty) {
        wake(loop); /* otherwise whoever came first has done so, and it is not taken yet */
    }
}

const char *loop_date(struct loop *loop)
{
    int64_t now = os_clock_unix_s();

    if (now != loop->date_unix) {
        time_t seconds = (time_t)now;
        struct tm tm;
        bool known = gmtime_r(&seconds, &tm) && evutil_date_rfc1123(loop->date, DATE_CAP, &tm) > 0;
        loop->date[0] = known ? loop->date[0] : '\0';
        loop->date_unix = now;
    }
    return loop->date;
}

static void free_event(struct event *event)
{
    if (event) {
        event_free(event);
    }
}

void loop_end(struct loop *loop)
{
    if (loop->started) {
        order(loop, &loop->wants_stop);
        (void)pthread_join(loop->thread, NULL); /* ours, joinable, joined once */
    }
    loop->draining = true;  /* nothing lingers */
    conn_adopt_fresh(loop); /* accepted in its last round */
    finish_all(take_orders(loop).done);
    while (loop->doors) {
        struct door *door = loop->doors;
        loop->doors = door->next;
        if (door->http) {
            evhttp_free(door->http); /* its connections too */
        }
        free(door);
    }
    linger_end_all(&loop->lingering);
    dispatch_free_spares(loop);
    free_event(loop->wake);
    free_event(loop->sweep);
    free_event(loop->adopt);
    if (loop->base) {
        event_base_free(loop->base); /* runs what frees its buffers */
    }
    os_fd_close(&loop->wake_fd);
    free(loop->by_fd);
    (void)pthread_mutex_destroy(&loop->lock);
}
