/*
 * What is due next, and when. Renewal is counted on the machine's uptime from the moment at which
 * a certificate was first looked at: a clock that is set makes it sooner at most, never later. What
 * failed waits twice as long each time, up to an hour, half of it at random; the server's
 * Retry-After is never undercut.
 */
#include "device/device.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"

enum {
    FIRST_WAIT_MS = 1000,
    WAIT_MAX_MS = 3600 * 1000,
    ASKED_AGAIN_MS = 60 * 1000, /* a server that is never content with a renewal */
    DOUBLINGS = 13,             /* behind them the wait is WAIT_MAX_MS in any case */
    RETRY_MAX_S = 86400,        /* whatever a server asks for: a device comes back within a day */
    SPREAD_SHARE = 20,          /* of its life: renewals of one batch are spread over so much */
    RANDOM_STEPS = 1 << 16      /* of uint16_t */
};

/* --- how long what failed waits ----------------------------------------------------------------
 */

int64_t device_wait_ms(unsigned failures, uint32_t retry_after_s, uint16_t random)
{
    unsigned doublings = failures > DOUBLINGS ? DOUBLINGS : failures;
    int64_t wait_ms = doublings ? (int64_t)FIRST_WAIT_MS << (doublings - 1) : 0;
    int64_t asked_ms = (int64_t)(retry_after_s < RETRY_MAX_S ? retry_after_s : RETRY_MAX_S) * 1000;

    wait_ms = wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
    if (failures > 0 && asked_ms >= wait_ms) { /* not before, and not all at once then */
        return asked_ms + asked_ms / 10 * random / RANDOM_STEPS;
    }
    return wait_ms / 2 + wait_ms / 2 * random / RANDOM_STEPS;
}

void device_note(struct device *device, enum device_task task, kw_status status)
{
    struct device_tries *tries = &device->tries[task];
    uint16_t random = 0;
    struct kw_op op;

    if (kw_ok(status)) {
        bool again = task == DEVICE_TASK_RENEW && device->config.renew_asked;
        *tries = (struct device_tries){.again_ms = again ? os_clock_mono_ms() + ASKED_AGAIN_MS : 0};
        return;
    }
    kw_op_init(&op, NULL, 0);
    (void)kw_ok(os_random(&op, &random, sizeof(random))); /* without it: the shortest wait */
    tries->failures++;
    tries->again_ms =
        os_clock_mono_ms() + device_wait_ms(tries->failures, device->retry_after_s, random);
}

/* --- when renewal is due -----------------------------------------------------------------------
 */

int64_t device_renew_at(const struct cert *cert)
{
    int64_t begin = cert_not_before(cert);
    int64_t life = cert_not_after(cert) - begin;
    const uint8_t *hash = cert_sha256(cert); /* as good as random, and the same each time */

    return begin + life / 3 * 2 + life / SPREAD_SHARE * hash[0] / 256;
}

int64_t device_renew_in_s(struct device *device, const struct cert *cert)
{
    struct device_schedule *it = &device->schedule;
    int64_t up_s = os_clock_up_s();
    int64_t at_s = up_s + device_renew_at(cert) - device_now_s(device);

    if (device->config.renew_asked) {
        return 0;
    }
    if (memcmp(it->cert, cert_sha256(cert), KW_HASH_BYTES) != 0) {
        memcpy(it->cert, cert_sha256(cert), KW_HASH_BYTES);
        it->at_up_s = at_s;
    }
    it->at_up_s = at_s < it->at_up_s ? at_s : it->at_up_s;
    return it->at_up_s > up_s ? it->at_up_s - up_s : 0;
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static bool has_file(const struct device *device, const char *name)
{
    char path[KW_PATH_BYTES];
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(state_path(&quiet, device, name, path, sizeof(path))) && os_file_exists(path);
}

static int64_t not_before_ms(const struct device *device, enum device_task task, int64_t in_ms)
{
    int64_t wait_ms = device->tries[task].again_ms - os_clock_mono_ms();

    return wait_ms > in_ms ? wait_ms : in_ms;
}

/* A wipe that has begun is ended; what is not enrolled enrols; all else renews. */
static kw_status next_task(struct kw_op *op, struct device *device, enum device_task *ret_task,
                           int64_t *ret_in_ms)
{
    AUTO(cert) *cert = NULL;

    *ret_in_ms = 0;
    *ret_task = device->config.wiped ? DEVICE_TASK_WIPE : DEVICE_TASK_ENROL;
    if (device->config.wiped) {
        return KW_OK;
    }
    kw_status status = state_read_cert(op, device, DEVICE_LDEVID, &cert);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    *ret_task = DEVICE_TASK_RENEW;
    *ret_in_ms = has_file(device, DEVICE_RENEW_CSR) ? 0 : device_renew_in_s(device, cert) * 1000;
    return KW_OK;
}

/* Its certificates are an operator's affair. */
static bool is_service(const struct device *device)
{
    return has_file(device, DEVICE_SERVICE_CSR) ||
           (has_file(device, "ldevid.pem") && !has_file(device, "idevid.pem"));
}

/* Wiped, all receipts delivered: nothing is due any more. */
static bool is_over(const struct device *device)
{
    for (unsigned i = 0; device_labels[i]; i++) {
        char name[64];
        device_receipt_name(device_labels[i], name);
        if (has_file(device, name)) {
            return false;
        }
    }
    return device->config.wiped && !has_file(device, "idevid.pem");
}

kw_status device_due(struct kw_op *op, struct device *device, struct device_due *ret)
{
    struct device_due due = {0};
    DEVICE_TURN_AUTO turn = {0};

    TRY(op, state_take_turn(op, device, &turn)); /* what other processes did meanwhile counts */
    due.hello_in_ms = not_before_ms(device, DEVICE_TASK_HELLO, 0);
    if (!is_over(device) && !is_service(device)) {
        TRY(op, next_task(op, device, &due.task, &due.in_ms));
        due.in_ms = not_before_ms(device, due.task, due.in_ms);
        due.failures = device->tries[due.task].failures;
    }
    *ret = due;
    return KW_OK;
}
