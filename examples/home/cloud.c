/*
 * home-cloud: the cloud service of the founding reference. Stores the hubs' readings, tells them to
 * turn the light on, and keeps their receipts: docs/protocol/command.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "message.h"
#include "options.h"
#include "program.h"
#include "store.h"

enum {
    DEVICES_MAX = 32,
    COMMANDS_MAX = 64,
    STEP_MS = 200,
    TEXT_MAX = 16384,
    SESSION_S = 3600,      /* readings that the broker keeps while we restart */
    RECEIPT_AGE_S = 86400, /* a hub may have been without a line */
    TIDY_EVERY_MS = 1000,
    PRUNE_EVERY = 3600, /* rounds of tidying: an hour */
};

struct cloud {
    struct keywright *kw;
    struct link *link;
    struct store *store;
    struct queue commands;
    char id[ID_MAX];
    const char *command;
    const char *devices[DEVICES_MAX + 1];
    unsigned keep_days, answer_s, rounds;
};

/* --- what hubs say -----------------------------------------------------------------------------
 */

static void take_reading(struct cloud *cloud, const char *device, const char *text, size_t len)
{
    static const char *const ends[] = {
        [STORED] = "stored", [STORED_BEFORE] = "known already", [STORED_NOT] = "not stored"};
    struct reading reading;

    if (!reading_parse(text, len, &reading)) {
        (void)printf("reading of %s: malformed\n", device);
        return;
    }
    (void)printf("reading of %s: %s %.2f, %s\n", device, reading.sensor, reading.value,
                 ends[store_reading(cloud->store, device, &reading)]);
}

static void take_receipt(struct cloud *cloud, const char *device, const char *text, size_t len)
{
    struct keywright_data expect = {
        .type = "home-receipt", .signer = device, .max_age_s = RECEIPT_AGE_S};
    struct keywright_data_facts facts;
    char data[TEXT_MAX], kept[TEXT_MAX + 1];
    size_t n = sizeof(data);
    struct receipt receipt;

    if (len > TEXT_MAX ||
        keywright_verify_data(cloud->kw, &expect, text, len, data, &n, &facts) != KEYWRIGHT_OK) {
        (void)printf("receipt of %s: refused: %s: %s\n", device,
                     keywright_refusal_name(keywright_refused(cloud->kw)),
                     keywright_error(cloud->kw));
        return;
    }
    (void)snprintf(kept, sizeof(kept), "%.*s", (int)len, text);
    if (!receipt_parse(data, n, &receipt)) {
        (void)printf("receipt of %s: malformed\n", device);
    } else if (!store_receipt(cloud->store, device, &receipt, kept)) {
        (void)printf("receipt of %s: for nothing that we sent: %s %s\n", device, receipt.result,
                     receipt.reason);
    } else {
        (void)printf("receipt of %s: %s %s%slight %s\n", device, receipt.result, receipt.reason,
                     *receipt.reason ? ", " : "", receipt.light);
    }
}

static void on_message(void *ctx, const char *topic, const void *payload, size_t len)
{
    struct cloud *cloud = ctx;
    char device[ID_MAX];

    if (topic_device(topic, "data", device)) {
        take_reading(cloud, device, payload, len);
    } else if (topic_device(topic, "receipt", device)) {
        take_receipt(cloud, device, payload, len);
    }
}

/* --- what we say -------------------------------------------------------------------------------
 */

static bool sign(struct cloud *cloud, const char *device, const struct command *command,
                 char text[TEXT_MAX], size_t *n)
{
    struct keywright_data what = {.type = "home-command", .audience = device};
    char json[MESSAGE_MAX];

    return command_write(command, json) &&
           keywright_sign_data(cloud->kw, &what, json, strlen(json), text, n) == KEYWRIGHT_OK;
}

/* On record before it is sent. */
static void send_command(struct cloud *cloud, const char *device)
{
    char text[TEXT_MAX], topic[ID_MAX + 16], message[MESSAGE_HASH + 1];
    size_t n = sizeof(text);
    struct command command = {0};

    (void)snprintf(command.cmd, sizeof(command.cmd), "%s", cloud->command);
    if (!program_random(COMMAND_ID / 2, command.id) || !sign(cloud, device, &command, text, &n)) {
        (void)printf("no command for %s: %s\n", device, keywright_error(cloud->kw));
        return;
    }
    program_hash(text, n - 1, message);
    (void)snprintf(topic, sizeof(topic), "devices/%s/command", device);
    if (store_command(cloud->store, device, &command, message, text) &&
        queue_push(&cloud->commands, topic, text, n - 1)) {
        (void)printf("command for %s: %s %s\n", device, command.cmd, command.id);
    }
}

/* Nothing is kept for later: a command that waits is a surprise. */
static void send_commands(struct cloud *cloud)
{
    for (unsigned i = 0; cloud->devices[i] && link_is_up(cloud->link); i++) {
        send_command(cloud, cloud->devices[i]);
    }
}

/* --- life --------------------------------------------------------------------------------------
 */

static void tidy(struct cloud *cloud)
{
    int n = store_unanswered(cloud->store, cloud->answer_s);

    if (n > 0) {
        (void)printf("unanswered: %d\n", n);
    }
    if (cloud->rounds++ % PRUNE_EVERY == 0) {
        (void)store_prune(cloud->store, cloud->keep_days); /* has told why not */
    }
}

/* The certificate is an operator's affair (keywright-agent request, install): when it is another
 * one, the line is made anew. */
static void look_at_identity(struct cloud *cloud, char sha256[65])
{
    struct keywright_status status;

    if (keywright_get_status(cloud->kw, &status) != KEYWRIGHT_OK ||
        strcmp(sha256, status.ldevid_sha256) == 0) {
        return;
    }
    if (*sha256) {
        (void)printf("another certificate: %s\n", status.ldevid_sha256);
        link_renew(cloud->link);
    }
    (void)snprintf(sha256, 65, "%s", status.ldevid_sha256);
}

static void live(struct cloud *cloud, int64_t every_ms)
{
    int64_t tidy_ms = link_now_ms(), command_ms = tidy_ms + every_ms;
    char sha256[65] = "";

    while (!program_ends()) {
        int64_t now = link_now_ms();
        if (now >= command_ms) {
            send_commands(cloud);
            command_ms = now + every_ms;
        }
        if (now >= tidy_ms) {
            tidy(cloud);
            look_at_identity(cloud, sha256);
            tidy_ms = now + TIDY_EVERY_MS;
        }
        link_step(cloud->link, every_ms < STEP_MS ? (unsigned)every_ms : STEP_MS);
    }
}

struct settings {
    const char *state, *broker, *store;
    double every_s, answer_s, keep_days, retry_s, connect_s;
};

static int run(const struct settings *settings, struct cloud *cloud)
{
    char host[HOST_MAX];
    struct link_config config = {
        .host = host,
        .id = cloud->id,
        .topics = {"devices/+/data", "devices/+/receipt"},
        .session_s = SESSION_S,
        .retry_max_s = settings->retry_s,
        .connect_s = settings->connect_s,
        .queues = {&cloud->commands},
        .on_message = on_message,
        .ctx = cloud
    };

    if (!program_broker(settings->broker, host, &config.port)) {
        return options_refuse("home-cloud", "--broker", settings->broker, "HOST:PORT");
    }
    cloud->kw = config.kw = program_open(settings->state, cloud->id);
    bool ready = cloud->kw && program_catch() &&
                 (cloud->store = store_open(settings->store)) != NULL &&
                 queue_init(&cloud->commands, NULL, COMMANDS_MAX) &&
                 (cloud->link = link_new(&config)) != NULL;
    if (ready) {
        live(cloud, (int64_t)(settings->every_s * 1000));
    }
    link_free(cloud->link);
    queue_done(&cloud->commands);
    store_close(cloud->store);
    keywright_close(cloud->kw);
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct cloud cloud = {.command = "TURN_LIGHT_ON"};
    struct settings settings = {.state = "/var/lib/home-cloud",
                                .broker = "localhost",
                                .store = "home-cloud.db",
                                .every_s = 30,
                                .answer_s = 60,
                                .keep_days = 30,
                                .retry_s = 60,
                                .connect_s = 4};
    /* clang-format off */
    const struct option_row rows[] = {
        {"--state",   "DIR",       "state folder with a service's identity (/var/lib/home-cloud)", .text = &settings.state},
        {"--broker",  "HOST:PORT", "of the MQTT broker (localhost:8883)",       .text = &settings.broker},
        {"--device",  "ID",        "a hub that gets commands; may be repeated", .list = cloud.devices, .list_max = DEVICES_MAX},
        {"--command", "CMD",       "what to tell them (TURN_LIGHT_ON)",         .text = &cloud.command},
        {"--every",   "SECONDS",   "between two commands (30)",                 .number = &settings.every_s, .min = 0.01, .max = 86400},
        {"--answer",  "SECONDS",   "without a receipt a command is unanswered (60)", .number = &settings.answer_s, .min = 1, .max = 86400},
        {"--store",   "FILE",      "SQLite file (home-cloud.db)",               .text = &settings.store},
        {"--keep",    "DAYS",      "what is older is forgotten (30)",           .number = &settings.keep_days, .min = 1, .max = 36500},
        {"--retry",   "SECONDS",   "longest wait between two tries (60)",       .number = &settings.retry_s, .min = 0.1, .max = 3600},
        {"--connect", "SECONDS",   "for a connection to each address of the broker (4)", .number = &settings.connect_s, .min = 0.1, .max = 120},
        {0},
    };
    /* clang-format on */

    enum options taken = options_take(argc, argv, rows);
    if (taken != OPTIONS_TAKEN) {
        return taken == OPTIONS_HELP ? EXIT_SUCCESS : OPTIONS_EXIT;
    }
    cloud.keep_days = (unsigned)settings.keep_days;
    cloud.answer_s = (unsigned)settings.answer_s;
    return run(&settings, &cloud);
}
