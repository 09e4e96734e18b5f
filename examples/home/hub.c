/*
 * home-hub: the smart home's hub of the founding reference. Measures a temperature, sends it to the
 * cloud, and switches the light when the cloud says so: docs/protocol/command.md.
 *
 * The sensor and the light are SIMULATED; everything else is what a product would do.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "link.h"
#include "message.h"
#include "options.h"
#include "program.h"
#include "spool.h"

enum {
    RECEIPTS_MAX = 64,
    STEP_MS = 200,
    REFUSAL_EVERY_MS = 1000, /* signed ones */
    HELLO_EVERY_MS = 60000,  /* for the time */
    RENEW_EVERY_MS = 60000,  /* look whether it is due */
    TEXT_MAX = 16384,
};

struct hub {
    struct keywright *kw;
    struct link *link;
    struct queue readings, receipts;
    struct spool spool;
    bool spool_fails;
    char id[ID_MAX], boot[9];
    const char *cloud;
    uint32_t max_age_s, status_age_s, status_grace_s;
    bool light;
    int64_t number, refusal_ms, hello_ms;
};

/* --- the sensor --------------------------------------------------------------------------------
 */

static void measure(struct hub *hub)
{
    struct timespec now;
    char text[MESSAGE_MAX];
    struct reading reading = {.sensor = "temperature", .number = ++hub->number};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails for an unknown clock only */
    reading.time = keywright_now(hub->kw);
    reading.value = 25.5 + (double)(now.tv_sec % 5) + (double)now.tv_nsec / 1e9;
    reading.lost = (int64_t)hub->readings.dropped;
    (void)snprintf(reading.boot, sizeof(reading.boot), "%s", hub->boot);
    if (reading_write(&reading, text) && queue_push(&hub->readings, NULL, text, strlen(text))) {
        (void)printf("reading: %s\n", text);
    }
}

/* What still waits outlives us. Where there is a line, nothing does by the next reading. */
static void keep_readings(struct hub *hub)
{
    bool good = spool_follow(&hub->spool, &hub->readings);

    if (!good && !hub->spool_fails) {
        (void)printf("readings are kept in memory only: %s: %s\n", hub->spool.path,
                     strerror(errno));
    }
    hub->spool_fails = !good;
}

/* --- commands ----------------------------------------------------------------------------------
 */

static const struct {
    const char *cmd;
    bool light;
} commands[] = {
    {"TURN_LIGHT_ON",  true },
    {"TURN_LIGHT_OFF", false},
};

static bool obey(struct hub *hub, const char *cmd)
{
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].cmd, cmd) == 0) {
            hub->light = commands[i].light;
            (void)printf("light: %s\n", hub->light ? "on" : "off");
            return true;
        }
    }
    return false;
}

static void put_receipt(struct hub *hub, struct receipt *receipt)
{
    struct keywright_data what = {.type = "home-receipt", .audience = hub->cloud};
    char json[MESSAGE_MAX], text[TEXT_MAX];
    size_t n = sizeof(text);

    (void)snprintf(receipt->light, sizeof(receipt->light), "%s", hub->light ? "on" : "off");
    if (!receipt_write(receipt, json)) {
        return;
    }
    if (keywright_sign_data(hub->kw, &what, json, strlen(json), text, &n) != KEYWRIGHT_OK) {
        (void)printf("no receipt: %s\n", keywright_error(hub->kw));
        return;
    }
    (void)queue_push(&hub->receipts, NULL, text, n - 1); /* without memory: unanswered */
}

static void refuse(struct hub *hub, struct receipt *receipt, const char *reason, const char *why)
{
    int64_t now = link_now_ms();
    bool answers = now - hub->refusal_ms >= REFUSAL_EVERY_MS;

    (void)printf("refused: %s%s%s%s\n", reason, *why ? ": " : "", why,
                 answers ? "" : " (no receipt: too many)");
    if (answers) {
        hub->refusal_ms = now;
        (void)snprintf(receipt->result, sizeof(receipt->result), "refused");
        (void)snprintf(receipt->reason, sizeof(receipt->reason), "%s", reason);
        put_receipt(hub, receipt);
    }
}

static bool is_about_time(enum keywright_refusal refusal)
{
    return refusal == KEYWRIGHT_TOO_OLD || refusal == KEYWRIGHT_FROM_THE_FUTURE;
}

/* Where our clock may be the one that is wrong, the server's word is asked for, and once more. */
static enum keywright_result verify(struct hub *hub, const char *text, size_t len, char *data,
                                    size_t *n)
{
    struct keywright_data expect = {.type = "home-command",
                                    .signer = hub->cloud,
                                    .max_age_s = hub->max_age_s,
                                    .status_age_s = hub->status_age_s,
                                    .status_grace_s = hub->status_grace_s};
    struct keywright_data_facts facts;
    int64_t now = link_now_ms();
    size_t room = *n;
    enum keywright_result result =
        keywright_verify_data(hub->kw, &expect, text, len, data, n, &facts);

    if (result == KEYWRIGHT_OK || !is_about_time(keywright_refused(hub->kw)) ||
        (hub->hello_ms && now - hub->hello_ms < HELLO_EVERY_MS)) {
        return result;
    }
    hub->hello_ms = now;
    (void)keywright_hello(hub->kw); /* without a line it stays refused, as it should */
    *n = room;
    return keywright_verify_data(hub->kw, &expect, text, len, data, n, &facts);
}

static void on_message(void *ctx, const char *topic, const void *payload, size_t len)
{
    char data[TEXT_MAX];
    size_t n = sizeof(data);
    struct hub *hub = ctx;
    struct receipt receipt = {0};
    struct command command = {0};

    (void)topic; /* only one is subscribed to */
    program_hash(payload, len, receipt.message);
    if (len > TEXT_MAX) {
        refuse(hub, &receipt, "malformed", "too long");
        return;
    }
    if (verify(hub, payload, len, data, &n) != KEYWRIGHT_OK) {
        refuse(hub, &receipt, keywright_refusal_name(keywright_refused(hub->kw)),
               keywright_error(hub->kw));
        return;
    }
    if (!command_parse(data, n, &command)) {
        refuse(hub, &receipt, "malformed", "signed, but no command");
        return;
    }
    (void)snprintf(receipt.id, sizeof(receipt.id), "%s", command.id);
    if (!obey(hub, command.cmd)) {
        refuse(hub, &receipt, "unknown-command", command.cmd);
        return;
    }
    (void)printf("obeyed: %s %s\n", command.cmd, command.id);
    (void)snprintf(receipt.result, sizeof(receipt.result), "obeyed");
    put_receipt(hub, &receipt);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void renew(struct hub *hub)
{
    struct keywright_status before = {0}, after = {0};

    (void)keywright_get_status(hub->kw, &before); /* where it fails, nothing differs */
    if (keywright_renew(hub->kw, /* force= */ 0) != KEYWRIGHT_OK) {
        (void)printf("not renewed: %s\n", keywright_error(hub->kw));
        return;
    }
    (void)keywright_get_status(hub->kw, &after);
    if (strcmp(before.ldevid_sha256, after.ldevid_sha256) != 0) {
        (void)printf("renewed: %s\n", after.ldevid_sha256);
        link_renew(hub->link);
    }
}

static void live(struct hub *hub, int64_t every_ms)
{
    int64_t reading_ms = link_now_ms(), renew_ms = reading_ms;

    while (!program_ends()) {
        int64_t now = link_now_ms();
        if (now >= reading_ms) {
            keep_readings(hub);
            measure(hub);
            reading_ms = now + every_ms;
        }
        if (now >= renew_ms) {
            renew(hub);
            renew_ms = now + RENEW_EVERY_MS;
        }
        link_step(hub->link, every_ms < STEP_MS ? (unsigned)every_ms : STEP_MS);
        if (hub->readings.n == 0) {
            hub->readings.dropped = 0; /* all that were counted have arrived */
        }
    }
    keep_readings(hub);
}

struct settings {
    const char *state, *broker, *cloud, *keep;
    double every_s, queue, max_age_s, status_age_s, status_grace_s, retry_s, connect_s;
};

/* A hub whose disk is full measures all the same. */
static void open_spool(struct hub *hub, const char *path)
{
    hub->spool_fails = !spool_open(&hub->spool, path, &hub->readings);
    if (hub->spool_fails) {
        (void)printf("readings are kept in memory only: %s: %s\n", path, strerror(errno));
    }
    if (hub->readings.n > 0) {
        (void)printf("readings of the last time: %u\n", hub->readings.n);
    }
}

static int run(const struct settings *settings)
{
    struct hub hub = {.cloud = settings->cloud,
                      .max_age_s = (uint32_t)settings->max_age_s,
                      .status_age_s = (uint32_t)settings->status_age_s,
                      .status_grace_s = (uint32_t)settings->status_grace_s,
                      .spool.fd = -1};
    char kept[PATH_MAX];
    char host[HOST_MAX], data[ID_MAX + 16], command[ID_MAX + 16], receipt[ID_MAX + 16];
    struct link_config config = {
        .host = host,
        .id = hub.id,
        .topics = {command},
        .retry_max_s = settings->retry_s,
        .connect_s = settings->connect_s,
        .queues = {&hub.receipts, &hub.readings},
        .on_message = on_message,
        .ctx = &hub
    };

    if (!program_broker(settings->broker, host, &config.port)) {
        return options_refuse("home-hub", "--broker", settings->broker, "HOST:PORT");
    }
    (void)snprintf(kept, sizeof(kept), "%s/home-readings", settings->state);
    hub.kw = config.kw = program_open(settings->state, hub.id);
    (void)snprintf(data, sizeof(data), "devices/%s/data", hub.id);
    (void)snprintf(command, sizeof(command), "devices/%s/command", hub.id);
    (void)snprintf(receipt, sizeof(receipt), "devices/%s/receipt", hub.id);
    bool ready = hub.kw && program_catch() && program_random(4, hub.boot) &&
                 queue_init(&hub.readings, data, (unsigned)settings->queue) &&
                 queue_init(&hub.receipts, receipt, RECEIPTS_MAX) &&
                 (hub.link = link_new(&config)) != NULL;
    if (ready) {
        open_spool(&hub, settings->keep ? settings->keep : kept);
        live(&hub, (int64_t)(settings->every_s * 1000));
    }
    link_free(hub.link);
    spool_close(&hub.spool);
    queue_done(&hub.readings);
    queue_done(&hub.receipts);
    keywright_close(hub.kw);
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct settings settings = {.state = "/var/lib/keywright-agent",
                                .broker = "localhost",
                                .cloud = "cloud-service-backend",
                                .every_s = 10,
                                .queue = 1000,
                                .max_age_s = 300,
                                .status_age_s = 300,
                                .status_grace_s = 300,
                                .retry_s = 60,
                                .connect_s = 4};
    /* clang-format off */
    const struct option_row rows[] = {
        {"--state",   "DIR",       "state folder of keywright-agent, enrolled", .text = &settings.state},
        {"--broker",  "HOST:PORT", "of the MQTT broker (localhost:8883)",       .text = &settings.broker},
        {"--cloud",   "NAME",      "whose commands are obeyed (cloud-service-backend)", .text = &settings.cloud},
        {"--every",   "SECONDS",   "between two readings (10)",                 .number = &settings.every_s, .min = 0.01, .max = 86400},
        {"--queue",   "N",         "readings kept while there is no line (1000)", .number = &settings.queue, .min = 1, .max = 1000000},
        {"--keep",    "FILE",      "where they outlive a restart (home-readings in the state folder)", .text = &settings.keep},
        {"--max-age", "SECONDS",   "of a command (300)",                        .number = &settings.max_age_s, .min = 1, .max = 86400},
        {"--status-age",   "SECONDS", "so long \"not revoked\" counts of whoever signs commands (300)", .number = &settings.status_age_s, .min = 1, .max = 86400},
        {"--status-grace", "SECONDS", "longer, where no OCSP responder can be reached (300)", .number = &settings.status_grace_s, .min = 0, .max = 86400},
        {"--retry",   "SECONDS",   "longest wait between two tries (60)",       .number = &settings.retry_s, .min = 0.1, .max = 3600},
        {"--connect", "SECONDS",   "for a connection to each address of the broker (4)", .number = &settings.connect_s, .min = 0.1, .max = 120},
        {0},
    };
    /* clang-format on */

    enum options taken = options_take(argc, argv, rows);
    if (taken != OPTIONS_TAKEN) {
        return taken == OPTIONS_HELP ? EXIT_SUCCESS : OPTIONS_EXIT;
    }
    return run(&settings);
}
