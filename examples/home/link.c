#include "link.h"
#include "lookup.h"

#include <errno.h>
#include <math.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>

enum {
    KEEPALIVE_S = 30,
    RETRY_MIN_MS = 500,
    UP_WITHIN_MS = 30000, /* TLS with OCSP, CONNACK, SUBACK */
    STEADY_MS = 10000,    /* after so long a line counts as good, and the back-off begins anew */
    REFUSED = 128,        /* MQTT 5 reason codes from here on */
    REFUSALS_MAX = 5,     /* of one message, before it is given up */
    WHY_MAX = 512,
};

struct link {
    struct link_config config;
    struct mosquitto *mosq; /* NULL = waiting for the next try */
    SSL_CTX *ctx;           /* of this try; for the reason of its failure */
    struct lookup *lookup;  /* of the broker's name, under way; NULL = none */
    bool asking;            /* this try waits for it */
    bool up;
    int64_t since_ms, try_ms, wait_ms; /* up or trying since; next try; back-off */
    unsigned topics_granted;
    struct queue *sending; /* whose head is on its way; NULL = none */
    unsigned long number;  /* of that head: it may be dropped meanwhile */
    unsigned refusals;     /* of the message that is next */
    int mid;
};

int64_t link_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now); /* fails for an unknown clock only */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool link_is_up(const struct link *link)
{
    return link->up;
}

/* --- the end of a try --------------------------------------------------------------------------
 */

/* Half of the wait, and up to as much again: a broker's restart does not bring all at once. */
static int64_t next_wait(struct link *link)
{
    int64_t max = (int64_t)(link->config.retry_max_s * 1000);
    uint32_t dice = 0;

    link->wait_ms = link->wait_ms ? link->wait_ms * 2 : RETRY_MIN_MS;
    link->wait_ms = link->wait_ms < max ? link->wait_ms : max;
    if (getrandom(&dice, sizeof(dice), 0) != sizeof(dice)) {
        dice = UINT32_MAX; /* the longest */
    }
    return link->wait_ms / 2 + (int64_t)((double)dice / UINT32_MAX * (double)link->wait_ms / 2);
}

static void drop(struct link *link)
{
    if (link->mosq) {
        mosquitto_destroy(link->mosq);
    }
    SSL_CTX_free(link->ctx);
    link->mosq = NULL;
    link->ctx = NULL;
    link->up = false;
    link->sending = NULL; /* its message is still at the head of its queue */
    link->topics_granted = 0;
}

static void fail(struct link *link, const char *why)
{
    char tls[WHY_MAX] = "";
    int64_t now = link_now_ms();

    if (link->ctx) {
        (void)keywright_tls_reason(link->config.kw, link->ctx, tls, sizeof(tls)); /* else "" */
    }
    if (link->up && now - link->since_ms > STEADY_MS) {
        link->wait_ms = 0;
    }
    drop(link);
    int64_t wait = next_wait(link);
    link->try_ms = now + wait;
    (void)printf("line down: %s%s%s; next try in %lld ms\n", why, *tls ? ": " : "", tls,
                 (long long)wait);
}

/* --- what the broker says ----------------------------------------------------------------------
 */

static void subscribe(struct link *link)
{
    for (unsigned i = 0; i < LINK_TOPICS && link->config.topics[i]; i++) {
        (void)mosquitto_subscribe_v5(link->mosq, NULL, link->config.topics[i], 1, 0,
                                     NULL); /* else no answer comes in time */
    }
}

static unsigned n_topics(const struct link *link)
{
    unsigned n = 0;

    while (n < LINK_TOPICS && link->config.topics[n]) {
        n++;
    }
    return n;
}

static void on_connect(struct mosquitto *mosq, void *ctx, int code, int flags,
                       const mosquitto_property *properties)
{
    struct link *link = ctx;

    (void)flags;
    (void)properties;
    if (code != 0) {
        (void)printf("the broker refuses: %s\n", mosquitto_reason_string(code));
        (void)mosquitto_disconnect(mosq); /* the loop ends with the reason of its own */
        return;
    }
    subscribe(link);
}

static void on_subscribe(struct mosquitto *mosq, void *ctx, int mid, int n, const int *granted,
                         const mosquitto_property *properties)
{
    struct link *link = ctx;

    (void)mid;
    (void)properties;
    for (int i = 0; i < n; i++) {
        if (granted[i] >= REFUSED) {
            (void)printf("the broker refuses a subscription: %s\n",
                         mosquitto_reason_string(granted[i]));
            (void)mosquitto_disconnect(mosq); /* the loop ends */
            return;
        }
        link->topics_granted++;
    }
    if (link->topics_granted == n_topics(link)) {
        link->up = true;
        link->since_ms = link_now_ms();
        (void)printf("line up: %s:%u\n", link->config.host, link->config.port);
    }
}

static void on_publish(struct mosquitto *mosq, void *ctx, int mid, int code,
                       const mosquitto_property *properties)
{
    struct link *link = ctx;

    (void)properties;
    if (!link->sending || mid != link->mid) {
        return;
    }
    if (code >= REFUSED) {
        (void)printf("the broker refuses a message: %s\n", mosquitto_reason_string(code));
    }
    if (code == MQTT_RC_NOT_AUTHORIZED && ++link->refusals < REFUSALS_MAX) {
        link->sending = NULL; /* for our standing, more likely than for itself: it waits */
        (void)mosquitto_disconnect(mosq);
        return;
    }
    if (link->sending->gone == link->number) {
        queue_pop(link->sending);
    }
    link->refusals = 0;
    link->sending = NULL;
}

static void on_message(struct mosquitto *mosq, void *ctx, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct link *link = ctx;

    (void)mosq;
    (void)properties;
    link->config.on_message(link->config.ctx, message->topic, message->payload,
                            message->payloadlen > 0 ? (size_t)message->payloadlen : 0);
}

/* --- a try -------------------------------------------------------------------------------------
 */

static bool set_up(struct link *link)
{
    const struct link_config *config = &link->config;
    struct mosquitto *mosq =
        mosquitto_new(config->id, /* clean_session= */ config->session_s == 0, link);

    link->mosq = mosq;
    if (!mosq || mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5) ||
        mosquitto_int_option(mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0) ||
        mosquitto_void_option(mosq, MOSQ_OPT_SSL_CTX, link->ctx)) {
        return false;
    }
    mosquitto_connect_v5_callback_set(mosq, on_connect);
    mosquitto_subscribe_v5_callback_set(mosq, on_subscribe);
    mosquitto_publish_v5_callback_set(mosq, on_publish);
    mosquitto_message_v5_callback_set(mosq, on_message);
    return true;
}

/* libmosquitto waits in connect() for as long as the kernel does: two minutes where packets are
 * swallowed. A signal ends that; libmosquitto goes on to the next address. */
static void ring(double seconds)
{
    const struct timeval time = {(time_t)seconds, (suseconds_t)(fmod(seconds, 1) * 1e6)};
    const struct itimerval every = {time, time};

    (void)setitimer(ITIMER_REAL, &every, NULL); /* fails for an unknown timer only */
}

static void rang(int number)
{
    (void)number;
}

static bool catch_ring(void)
{
    struct sigaction action = {.sa_handler = rang}; /* without SA_RESTART: that is the point */

    return sigaction(SIGALRM, &action, NULL) == 0;
}

static int dial(struct link *link)
{
    const struct link_config *config = &link->config;
    mosquitto_property *properties = NULL;

    if (config->session_s &&
        mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                     config->session_s)) {
        return MOSQ_ERR_NOMEM;
    }
    ring(config->connect_s);
    int error = mosquitto_connect_bind_v5(link->mosq, config->host, (int)config->port, KEEPALIVE_S,
                                          NULL, properties);
    int why = errno;
    ring(0);
    errno = why;
    mosquitto_property_free_all(&properties);
    return error;
}

/* libmosquitto is let at the name only where it is answered. One lookup at a time, over tries too.
 */
static bool knows_name(struct link *link, unsigned ms)
{
    int64_t now = link_now_ms();

    link->since_ms = link->asking ? link->since_ms : now;
    link->asking = true;
    link->lookup = link->lookup ? link->lookup : lookup_start(link->config.host);
    int error = link->lookup ? lookup_wait(link->lookup, ms) : EAI_MEMORY;
    if (error == EAI_INPROGRESS && now - link->since_ms < link->config.connect_s * 1000) {
        return false;
    }
    link->asking = false;
    if (error == EAI_INPROGRESS) {
        fail(link, "no name server tells the broker's address");
        return false;
    }
    lookup_end(link->lookup);
    link->lookup = NULL;
    if (error) {
        fail(link, gai_strerror(error));
    }
    return error == 0;
}

static void begin(struct link *link)
{
    const struct link_config *config = &link->config;

    link->since_ms = link_now_ms();
    if (keywright_tls_context(config->kw, config->host, &link->ctx) != KEYWRIGHT_OK) {
        fail(link, keywright_error(config->kw));
        return;
    }
    int error = set_up(link) ? dial(link) : MOSQ_ERR_NOMEM;
    if (error) {
        fail(link, error != MOSQ_ERR_ERRNO ? mosquitto_strerror(error)
                   : errno == EINTR        ? "the broker's address does not answer"
                                           : strerror(errno));
    }
}

/* --- work --------------------------------------------------------------------------------------
 */

/* One at a time: what is acknowledged leaves its queue, in order. */
static void send_next(struct link *link)
{
    for (unsigned i = 0; i < LINK_QUEUES && !link->sending; i++) {
        struct queue *queue = link->config.queues[i];
        const struct queued *head = queue ? queue_head(queue) : NULL;
        if (head && mosquitto_publish_v5(link->mosq, &link->mid,
                                         head->topic ? head->topic : queue->topic, (int)head->len,
                                         head->payload, 1, /* retain= */ false, NULL) == 0) {
            link->sending = queue;
            link->number = queue->gone;
        }
    }
}

static void nap(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL); /* woken earlier is fine */
}

void link_step(struct link *link, unsigned ms)
{
    int64_t now = link_now_ms();

    if (!link->mosq && now < link->try_ms) {
        nap(now + ms < link->try_ms ? ms : (unsigned)(link->try_ms - now));
        return;
    }
    if (!link->mosq) {
        if (knows_name(link, ms)) {
            begin(link);
        }
        return;
    }
    if (link->up) {
        send_next(link);
    }
    int error = mosquitto_loop(link->mosq, (int)ms, 1);
    if (error) {
        fail(link, mosquitto_strerror(error));
    } else if (!link->up && now - link->since_ms > UP_WITHIN_MS) {
        fail(link, "the broker did not answer in time");
    }
}

void link_renew(struct link *link)
{
    if (link->mosq) {
        (void)mosquitto_disconnect(link->mosq); /* where the line is gone: the same */
    }
    drop(link);
    link->try_ms = 0;
}

struct link *link_new(const struct link_config *config)
{
    struct link *link = calloc(1, sizeof(*link));

    if (!link || !catch_ring()) {
        free(link);
        return NULL;
    }
    link->config = *config;
    (void)mosquitto_lib_init(); /* fails on Windows only */
    return link;
}

void link_free(struct link *link)
{
    if (link) {
        link_renew(link);
        lookup_end(link->lookup);
        free(link);
        (void)mosquitto_lib_cleanup(); /* nothing to be done about it */
    }
}
