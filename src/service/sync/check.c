#include "service/sync/check.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/time.h"
#include "codec/csv.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "store/registration.h"

/* clang-format off */
/* What to do, with the object's id in place of %s. */
static const struct {
    const char *text, *next_step;
} kinds[] = {
    [DRIFT_NO_CERTIFICATE] = {"no-certificate", "keywright device secret %s"},
    [DRIFT_NEVER_ENROLLED] = {"never-enrolled", "keywright device secret %s"},
    [DRIFT_OUT_OF_USE_VALID] = {"out-of-use-valid", "keywright device retire %s, once more"},
    [DRIFT_SAID_UNKNOWN] = {"said-unknown", "keywright device suspend %s, and look at the device"},
    [DRIFT_SAID_OTHERS] = {"said-anothers", "keywright device suspend %s: it may be a copy"},
    [DRIFT_SAID_REVOKED] = {"said-revoked", "keywright device secret %s, and enrol it anew"},
    [DRIFT_SAID_EXPIRED] = {"said-expired", "keywright device secret %s, and enrol it anew"},
    [DRIFT_SAID_OLD] = {"said-old", "look at the device %s: it did not take its renewal into use"},
    [DRIFT_EXTERNAL_VALID] = {"external-valid", "revoke %s there, too"},
    [DRIFT_EXTERNAL_REVOKED] = {"external-revoked", "keywright cert revoke %s"},
    [DRIFT_EXTERNAL_UNKNOWN] = {"external-unknown", "find out who issued %s; keywright doctor"},
    [DRIFT_EXTERNAL_MISSING] = {"external-missing", "take %s over there, or make the copy anew"},
    [DRIFT_EXTERNAL_END] = {"external-end", "compare both certificates of %s"},
    [DRIFT_EXTERNAL_DEVICE] = {"external-device", "revoke %s there, too"},
    [DRIFT_EXTERNAL_STRANGER] = {"external-stranger",
        "keywright device register, or revoke %s there"},
    [DRIFT_EXTERNAL_LINE] = {"external-line", "correct line %s, and check the index again"},
};
/* clang-format on */
_Static_assert(KW_COUNT(kinds) == DRIFT_KIND_MAX, "every kind has a row");

const char *drift_kind_text(enum drift_kind kind)
{
    return (unsigned)kind < DRIFT_KIND_MAX ? kinds[kind].text : "unknown";
}

/* The step's text with the id in it. */
static void put_step(char *step, size_t cap, const char *form, const char *id)
{
    const char *place = strstr(form, "%s");
    int before = (int)(place - form);

    (void)snprintf(step, cap, "%.*s%.190s%s", before, form, id, place + 2);
}

static void note(struct drift_list *list, enum drift_kind kind, const char *prefix, const char *id,
                 const char *text)
{
    if (list->n >= DRIFTS_MAX) {
        return;
    }
    struct drift *drift = &list->at[list->n++];
    drift->kind = kind;
    (void)snprintf(drift->object, sizeof(drift->object), "%s%.180s", prefix, id);
    (void)snprintf(drift->text, sizeof(drift->text), "%s", text);
    put_step(drift->next_step, sizeof(drift->next_step), kinds[kind].next_step, id);
}

/* --- registry, certificates, devices ---------------------------------------------------------- */

/* What one device's certificates are. */
struct holdings {
    unsigned n_valid; /* in force: valid and not ended */
    unsigned n_good;  /* valid or superseded, not ended */
    int64_t newest_ms;
};

static kw_status count_certs(struct kw_op *op, struct service *service, const char *owner,
                             int64_t now_s, struct holdings *ret)
{
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;

    memset(ret, 0, sizeof(*ret));
    for (;;) {
        unsigned n = 0;
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        bool in_time = now_s <= cert.not_after;
        ret->n_valid += in_time && cert.state == CERT_STATE_VALID;
        ret->n_good +=
            in_time && (cert.state == CERT_STATE_VALID || cert.state == CERT_STATE_SUPERSEDED);
    }
}

static void check_holdings(const struct store_device *device, const struct holdings *holdings,
                           int64_t now_ms, struct drift_list *list)
{
    bool out = device->state == DEVICE_RETIRED || device->state == DEVICE_SUSPENDED;

    if (device->state == DEVICE_ACTIVE && holdings->n_valid == 0) {
        note(list, DRIFT_NO_CERTIFICATE, "device:", device->id,
             "active, and no certificate of it is in force");
    }
    if (device->state == DEVICE_REGISTERED && holdings->n_good == 0 &&
        device->secret_expires_ms < now_ms) {
        note(list, DRIFT_NEVER_ENROLLED, "device:", device->id,
             "registered, never enrolled, and its registration secret has ended");
    }
    if (out && holdings->n_good > 0) {
        note(list, DRIFT_OUT_OF_USE_VALID, "device:", device->id,
             device->state == DEVICE_RETIRED ? "retired, and a certificate of it is in force"
                                             : "suspended, and a certificate of it is in force");
    }
}

static enum drift_kind judge_said(const char *owner, const struct store_cert *cert, int64_t now_s,
                                  int64_t said_ms)
{
    if (strcmp(cert->owner, owner) != 0) {
        return DRIFT_SAID_OTHERS;
    }
    if (cert->state == CERT_STATE_REVOKED || cert->state == CERT_STATE_HELD) {
        return DRIFT_SAID_REVOKED;
    }
    if (now_s > cert->not_after) {
        return DRIFT_SAID_EXPIRED;
    }
    bool old = cert->state == CERT_STATE_SUPERSEDED && said_ms / 1000 > cert->revoked_s;
    return old ? DRIFT_SAID_OLD : DRIFT_KIND_MAX;
}

static kw_status check_said(struct kw_op *op, struct service *service,
                            const struct store_device *device, const char *owner, int64_t now_s,
                            struct drift_list *list)
{
    uint8_t fingerprint[KW_HASH_BYTES];
    struct store_cert cert;
    int64_t said_ms = 0;
    char hex[2 * KW_HASH_BYTES + 1], text[256];

    kw_status status = store_device_says(op, service->store, device->id, fingerprint, &said_ms);
    if (status.code == KW_E_NOT_FOUND || device->state == DEVICE_RETIRED) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    kw_hex(KW_SPAN_ARRAY(fingerprint), hex, sizeof(hex));
    status = store_cert_by_fingerprint(op, service->store, fingerprint, &cert);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        (void)snprintf(text, sizeof(text), "uses certificate %s, which was never issued here", hex);
        note(list, DRIFT_SAID_UNKNOWN, "device:", device->id, text);
        return KW_OK;
    }
    TRY(op, status);
    enum drift_kind kind = judge_said(owner, &cert, now_s, said_ms);
    if (kind != DRIFT_KIND_MAX) {
        (void)snprintf(text, sizeof(text), "uses certificate %s of %.80s, which is %s", hex,
                       cert.owner, cert_state_text(cert.state));
        note(list, kind, "device:", device->id, text);
    }
    return KW_OK;
}

static kw_status check_device(struct kw_op *op, struct service *service,
                              const struct store_device *device, struct drift_list *list)
{
    int64_t now_ms = os_clock_unix_ms();
    char owner[KW_NAME_MAX];
    struct holdings holdings;

    object_write(OBJECT_DEVICE, device->id, owner);
    TRY(op, count_certs(op, service, owner, now_ms / 1000, &holdings));
    check_holdings(device, &holdings, now_ms, list);
    return check_said(op, service, device, owner, now_ms / 1000, list);
}

kw_status sync_check(struct kw_op *op, struct service *service, char after[KW_NAME_MAX],
                     struct drift_list *ret)
{
    struct store_device device;

    ret->n = ret->checked = 0;
    while (ret->checked < CHECK_DEVICES && ret->n + 3 < DRIFTS_MAX) { /* a device has up to two */
        unsigned n = 0;
        TRY(op, store_device_list(op, service->store, after, 1, &device, &n));
        if (n == 0) {
            after[0] = 0;
            return KW_OK;
        }
        (void)kw_text_copy(after, KW_NAME_MAX, device.id); /* fits */
        TRY(op, check_device(op, service, &device, ret), "device '%s'", device.id);
        ret->checked++;
    }
    return KW_OK;
}

/* --- another index ---------------------------------------------------------------------------- */

static void name_cert(const char *ca, const struct ca_index_entry *entry, char name[160])
{
    char hex[2 * KW_SERIAL_MAX + 1];

    kw_hex(KW_SPAN(entry->serial, entry->serial_len), hex, sizeof(hex));
    (void)snprintf(name, 160, "%.90s%s%s", ca ? ca : "", ca ? "/" : "", hex);
}

static void compare_states(const char *name, const struct ca_index_entry *entry,
                           const struct store_cert *cert, struct drift_list *list)
{
    bool good = cert->state == CERT_STATE_VALID || cert->state == CERT_STATE_SUPERSEDED;
    char text[256], there[KW_TIME_TEXT], here[KW_TIME_TEXT];

    if (entry->state == CA_INDEX_VALID && !good) {
        (void)snprintf(text, sizeof(text), "valid there, %s here (%.80s)",
                       cert_state_text(cert->state), cert->owner);
        note(list, DRIFT_EXTERNAL_VALID, "cert:", name, text);
    }
    if (entry->state == CA_INDEX_REVOKED && good) {
        (void)snprintf(text, sizeof(text), "revoked there, %s here (%.80s)",
                       cert_state_text(cert->state), cert->owner);
        note(list, DRIFT_EXTERNAL_REVOKED, "cert:", name, text);
    }
    if (entry->expires_s && entry->expires_s != cert->not_after) {
        (void)snprintf(text, sizeof(text), "ends %s there, %s here",
                       kw_time_text(entry->expires_s, there), kw_time_text(cert->not_after, here));
        note(list, DRIFT_EXTERNAL_END, "cert:", name, text);
    }
}

static kw_status compare_own(struct kw_op *op, struct service *service, const char *ca,
                             const struct ca_index_entry *entry, struct drift_list *list)
{
    struct store_cert cert;
    char name[160];

    name_cert(ca, entry, name);
    kw_status status = store_cert_by_serial(op, service->store, ca,
                                            KW_SPAN(entry->serial, entry->serial_len), &cert);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        note(list, DRIFT_EXTERNAL_UNKNOWN, "cert:", name,
             "is in the index, and was not issued here");
        return KW_OK;
    }
    TRY(op, status);
    compare_states(name, entry, &cert, list);
    return KW_OK;
}

/* A foreign CA's certificate for one of our devices: only those in force matter. */
static kw_status compare_foreign(struct kw_op *op, struct service *service,
                                 const struct ca_index_entry *entry, struct drift_list *list)
{
    bool ended = entry->expires_s && entry->expires_s < os_clock_unix_s();
    struct store_device device;
    char name[160], text[256];

    if (entry->state != CA_INDEX_VALID || ended || !*entry->cn) {
        return KW_OK;
    }
    name_cert(NULL, entry, name);
    kw_status status = store_device_get(op, service->store, entry->cn, &device);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        (void)snprintf(text, sizeof(text), "valid there for '%.95s', which nobody registered",
                       entry->cn);
        note(list, DRIFT_EXTERNAL_STRANGER, "external:", name, text);
        return KW_OK;
    }
    TRY(op, status);
    if (device.state == DEVICE_RETIRED || device.state == DEVICE_SUSPENDED) {
        (void)snprintf(text, sizeof(text), "valid there for device '%.80s', which is %s here",
                       device.id, device_state_text(device.state));
        note(list, DRIFT_EXTERNAL_DEVICE, "external:", name, text);
    }
    return KW_OK;
}

/* Of the present, or of one whose certificates are all that is left. */
static kw_status check_ca(struct kw_op *op, struct service *service, const char *ca)
{
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *found = NULL;
    const struct store_cert_filter filter = {.ca = ca};
    struct store_cert cert;
    unsigned n = 0;

    if (kw_ok(authorities_find(op, all, ca, &found))) {
        return KW_OK;
    }
    kw_op_clear(op);
    TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
    ENSURE(op, n > 0, KW_E_NOT_FOUND, "no CA '%s'", ca);
    return KW_OK;
}

static void note_bad(uint64_t number, struct drift_list *list)
{
    char name[24];

    (void)snprintf(name, sizeof(name), "%llu", (unsigned long long)number);
    note(list, DRIFT_EXTERNAL_LINE, "line:", name,
         "is neither of OpenSSL's index.txt nor 'serial,state,expires,subject'");
    list->bad++;
}

static kw_status compare_line(struct kw_op *op, struct service *service, const char *ca,
                              const struct ca_index_entry *entry, struct drift_list *list)
{
    if (entry->state == 0) {
        return KW_OK; /* a comment, a header */
    }
    return ca ? compare_own(op, service, ca, entry, list)
              : compare_foreign(op, service, entry, list);
}

kw_status sync_check_external(struct kw_op *op, struct service *service, const char *ca,
                              uint64_t line, struct kw_span text, struct drift_list *ret)
{
    struct kw_span one;

    ret->n = ret->checked = ret->bad = 0;
    TRY(op, ca ? check_ca(op, service, ca) : KW_OK);
    text = csv_skip_bom(text);
    for (; csv_next_line(&text, &one); line++) {
        struct ca_index_entry entry;
        ret->checked++;
        ENSURE(op, ret->checked <= CHECK_LINES_MAX, KW_E_TOO_LARGE,
               "an index is taken in pieces of at most %d lines", CHECK_LINES_MAX);
        if (!kw_ok(ca_index_parse(one, &entry))) {
            note_bad(line, ret);
            continue;
        }
        TRY(op, compare_line(op, service, ca, &entry, ret));
    }
    return KW_OK;
}
