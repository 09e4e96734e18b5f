#include "service/registration/import.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/registration/secret.h"

enum { NAME_LEN_MAX = 64 };

static const struct {
    const char *text;
    bool good;
} classes[] = {
    [IMPORT_REGISTERED] = {"registered", true },
      [IMPORT_KNOWN] = {"known",      true },
    [IMPORT_RENEWED] = {"renewed",    true },
      [IMPORT_DUPLICATE] = {"duplicate",  false},
    [IMPORT_CONFLICT] = {"conflict",   false},
      [IMPORT_CHARACTER] = {"character",  false},
    [IMPORT_TOO_LONG] = {"too-long",   false},
      [IMPORT_COLUMNS] = {"columns",    false},
    [IMPORT_BATCH] = {"batch",      false},
      [IMPORT_VALUE] = {"value",      false},
};
_Static_assert(KW_COUNT(classes) == IMPORT_CLASS_MAX, "every class has a row");

const char *import_class_text(enum import_class class)
{
    return (unsigned)class < IMPORT_CLASS_MAX ? classes[class].text : "unknown";
}

bool import_class_good(enum import_class class)
{
    return (unsigned)class < IMPORT_CLASS_MAX && classes[class].good;
}

void import_report_free(struct import_report *report)
{
    if (report) {
        for (unsigned i = 0; i < report->n; i++) {
            kw_wipe(report->at[i].secret, sizeof(report->at[i].secret));
        }
        free(report->at);
        free(report);
    }
}

/* --- columns ---------------------------------------------------------------------------------- */

enum column { COLUMN_ID, COLUMN_PRODUCT, COLUMN_SERIAL, COLUMN_HW_TYPE, COLUMN_BATCH, COLUMN_MAX };

/* The fields of one line, as they were written. */
struct cells {
    char at[COLUMN_MAX][CSV_FIELD_MAX];
};

static const struct codec_field cell_fields[] = {
    FIELD_STRING("id", struct cells, at[COLUMN_ID], CODEC_REQUIRED, "device id"),
    FIELD_STRING("product", struct cells, at[COLUMN_PRODUCT], 0, "product"),
    FIELD_STRING("serial", struct cells, at[COLUMN_SERIAL], 0, "manufacturer's serial number"),
    FIELD_STRING("hw_type", struct cells, at[COLUMN_HW_TYPE], 0, "OID of the hardware type"),
    FIELD_STRING("batch", struct cells, at[COLUMN_BATCH], 0, "batch that it was made in"),
};
_Static_assert(KW_COUNT(cell_fields) == COLUMN_MAX, "every column has a name");

struct header {
    unsigned n;
    enum column at[CSV_FIELDS_MAX];
};

static kw_status take_column(struct kw_op *op, const char *name, struct header *ret)
{
    for (unsigned c = 0; c < COLUMN_MAX; c++) {
        if (strcmp(cell_fields[c].name, name) != 0) {
            continue;
        }
        for (unsigned i = 0; i < ret->n; i++) {
            ENSURE(op, ret->at[i] != c, KW_E_INPUT, "column '%s' is there twice", name);
        }
        ret->at[ret->n++] = (enum column)c;
        return KW_OK;
    }
    return FAIL(op, KW_E_INPUT,
                "column '%.40s' is not known; id, product, serial, hw_type and batch are", name);
}

static kw_status read_header(struct kw_op *op, struct kw_span *rest, struct csv_line *split,
                             struct header *ret)
{
    struct kw_span line;
    bool has_id = false;

    ret->n = 0;
    ENSURE(op, csv_next_line(rest, &line) && kw_ok(csv_split(line, split)), KW_E_INPUT,
           "the first line must name the columns: id,product,serial,hw_type,batch");
    for (unsigned i = 0; i < split->n; i++) {
        TRY(op, take_column(op, split->fields[i], ret));
        has_id = has_id || ret->at[i] == COLUMN_ID;
    }
    ENSURE(op, has_id, KW_E_INPUT, "there is no column 'id'");
    return KW_OK;
}

/* --- one line --------------------------------------------------------------------------------- */

struct import {
    struct service *service;
    const struct import_options *options;
    struct header header;
    struct csv_line split;
    struct import_report *report;
};

static void refuse(struct import_line *line, enum import_class class, const char *why)
{
    line->class = class;
    (void)snprintf(line->detail, sizeof(line->detail), "%s", why);
}

/* Its cells; false: refused. */
static bool read_csv(struct import *it, struct kw_span text, struct import_line *line,
                     struct cells *ret)
{
    kw_status status = csv_split(text, &it->split);

    if (status.code == KW_E_TOO_LARGE) {
        refuse(line, IMPORT_TOO_LONG, "the line, or a field of it, is too long");
        return false;
    }
    if (!kw_ok(status)) {
        bool quote = memchr(text.p, '"', text.len) != NULL;
        refuse(line, quote ? IMPORT_COLUMNS : IMPORT_CHARACTER,
               quote ? "a quote is not closed, or stands amid a field"
                     : "a control character, or octets that are not UTF-8");
        return false;
    }
    if (it->split.n != it->header.n) {
        (void)snprintf(line->detail, sizeof(line->detail), "%u columns instead of %u", it->split.n,
                       it->header.n);
        line->class = IMPORT_COLUMNS;
        return false;
    }
    for (unsigned i = 0; i < it->header.n; i++) {
        memcpy(ret->at[it->header.at[i]], it->split.fields[i], CSV_FIELD_MAX);
    }
    return true;
}

static bool read_json(struct kw_span text, struct import_line *line, struct cells *ret)
{
    struct kw_op own;

    kw_op_init(&own, NULL, 0);
    kw_status status = codec_json_decode(&own, text, cell_fields, KW_COUNT(cell_fields), ret);
    if (!kw_ok(status)) {
        refuse(line, status.code == KW_E_TOO_LARGE ? IMPORT_TOO_LONG : IMPORT_COLUMNS,
               kw_op_cause(&own));
    }
    return kw_ok(status);
}

/* Its names, one by one, so that each fault has its class. */
static bool check_cells(const struct cells *cells, struct import_line *line)
{
    struct kw_op own;

    kw_op_init(&own, NULL, 0);
    for (unsigned c = 0; c < COLUMN_MAX; c++) {
        const char *text = cells->at[c];
        if ((!*text && c != COLUMN_ID) || c == COLUMN_HW_TYPE) {
            continue;
        }
        if (strlen(text) > NAME_LEN_MAX) {
            (void)snprintf(line->detail, sizeof(line->detail), "%s has %zu octets, at most %d",
                           cell_fields[c].name, strlen(text), NAME_LEN_MAX);
            line->class = IMPORT_TOO_LONG;
            return false;
        }
        if (!kw_ok(device_check_name(&own, cell_fields[c].name, text))) {
            refuse(line, IMPORT_CHARACTER, kw_op_cause(&own));
            return false;
        }
    }
    return true;
}

static const char *or_default(const char *text, const char *otherwise)
{
    return *text ? text : otherwise;
}

static void describe(const struct import *it, const struct cells *cells, struct import_line *line)
{
    struct device_request request = {
        .id = cells->at[COLUMN_ID],
        .product = or_default(cells->at[COLUMN_PRODUCT], it->options->product),
        .serial = or_default(cells->at[COLUMN_SERIAL], NULL),
        .hw_type = or_default(cells->at[COLUMN_HW_TYPE], NULL),
        .batch = or_default(cells->at[COLUMN_BATCH], it->options->batch),
    };
    struct kw_op own;

    kw_op_init(&own, NULL, 0);
    if (!request.product) {
        refuse(line, IMPORT_VALUE, "the product is missing");
    } else if (!kw_ok(device_describe(&own, &request, &line->device))) {
        refuse(line, IMPORT_VALUE, kw_op_cause(&own));
    }
}

static void read_line(struct import *it, struct kw_span text, struct import_line *line)
{
    struct cells cells = {0};
    bool fine =
        it->options->json ? read_json(text, line, &cells) : read_csv(it, text, line, &cells);

    /* Whatever was written there is told again, as far as it fits. */
    (void)snprintf(line->id, sizeof(line->id), "%.64s", cells.at[COLUMN_ID]);
    while (*line->id && !kw_utf8_is_plain(kw_span_text(line->id))) {
        line->id[strlen(line->id) - 1] = 0; /* cut amid a character */
    }
    if (fine && check_cells(&cells, line)) {
        describe(it, &cells, line);
    }
}

/* --- all lines -------------------------------------------------------------------------------- */

static bool came_before(const struct import_report *report, const struct import_line *line)
{
    for (unsigned i = 0; i < report->n; i++) {
        if (&report->at[i] != line && strcmp(report->at[i].id, line->id) == 0 &&
            import_class_good(report->at[i].class)) {
            return true;
        }
    }
    return false;
}

static kw_status read_all(struct kw_op *op, struct import *it, struct kw_span text)
{
    struct kw_span line;
    unsigned number = 0;

    if (!it->options->json) {
        TRY(op, read_header(op, &text, &it->split, &it->header));
        number = 1;
    }
    while (csv_next_line(&text, &line)) {
        number++;
        if (line.len == 0) {
            continue;
        }
        ENSURE(op, it->report->n < IMPORT_LINES_MAX, KW_E_TOO_LARGE,
               "a file is taken in pieces of at most %d lines", IMPORT_LINES_MAX);
        struct import_line *read = &it->report->at[it->report->n];
        read->line = number;
        read_line(it, line, read);
        if (import_class_good(read->class) && came_before(it->report, read)) {
            refuse(read, IMPORT_DUPLICATE, "this id was there before");
        }
        it->report->n++;
    }
    return KW_OK;
}

/* --- into the store --------------------------------------------------------------------------- */

static bool is_same(const struct store_device *a, const struct store_device *b)
{
    return strcmp(a->product, b->product) == 0 && strcmp(a->serial, b->serial) == 0 &&
           strcmp(a->hw_type, b->hw_type) == 0 && strcmp(a->batch, b->batch) == 0;
}

static bool unused(const struct store_device *device)
{
    static const uint8_t none[KW_HASH_BYTES];

    return device->state == DEVICE_REGISTERED &&
           memcmp(device->secret_used_csr, none, sizeof(none)) == 0;
}

/* It is there already: as it is here, or another. */
static kw_status meet(struct kw_op *op, struct store_txn *txn, struct import *it,
                      struct import_line *line, struct store_device *found)
{
    struct event event = {.type = EVENT_DEVICE_REGISTER, .detail = "new registration secret"};

    if (!is_same(found, &line->device)) {
        refuse(line, IMPORT_CONFLICT, "this id is registered with other particulars");
        return KW_OK;
    }
    line->class = IMPORT_KNOWN;
    if (!it->options->renew || !unused(found)) {
        return KW_OK;
    }
    line->class = IMPORT_RENEWED;
    TRY(op, secret_make(op, os_clock_unix_ms(), it->options->secret_hours, line->secret, found));
    TRY(op, store_device_update(op, txn, found));
    object_write(OBJECT_DEVICE, found->id, event.object);
    return service_record(op, it->service, txn, &event);
}

/* What the refusal of a line means; anything else ends the change. */
static const struct {
    enum kw_code code;
    enum import_class class;
} refusals[] = {
    {KW_E_STATE,    IMPORT_BATCH   },
    {KW_E_LIMIT,    IMPORT_BATCH   },
    {KW_E_CONFLICT, IMPORT_CONFLICT},
};

static kw_status put(struct kw_op *op, struct store_txn *txn, struct import *it,
                     struct import_line *line)
{
    struct store_device *device = &line->device;

    TRY(op,
        secret_make(op, device->registered_ms, it->options->secret_hours, line->secret, device));
    kw_status status = device_put(op, it->service, txn, device);
    for (unsigned i = 0; i < KW_COUNT(refusals); i++) {
        if (status.code == refusals[i].code) {
            bool batch = strncmp(kw_op_cause(op), "batch", 5) == 0;
            refuse(line, batch ? IMPORT_BATCH : refusals[i].class, kw_op_cause(op));
            kw_wipe(line->secret, sizeof(line->secret));
            kw_op_clear(op);
            return KW_OK;
        }
    }
    return status;
}

static kw_status put_line(struct kw_op *op, struct store_txn *txn, struct import *it,
                          struct import_line *line)
{
    struct store_device found;
    kw_status status = store_device_get_txn(op, txn, line->device.id, &found);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return put(op, txn, it, line);
    }
    TRY(op, status);
    return meet(op, txn, it, line, &found);
}

static bool was_read(const struct import_line *line)
{
    return *line->device.id != 0;
}

/* A preview does all of it, and then takes it back. */
static kw_status put_all(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct import *it = ctx;

    for (unsigned i = 0; i < it->report->n; i++) {
        struct import_line *line = &it->report->at[i];
        if (!was_read(line) || line->class == IMPORT_DUPLICATE) {
            continue;
        }
        line->class = IMPORT_REGISTERED; /* a change may be run again */
        line->detail[0] = 0;
        TRY(op, put_line(op, txn, it, line), "line %u", line->line);
    }
    return it->options->dry_run ? KW_FAIL(KW_E_METHOD) : KW_OK;
}

static void forget_secrets(struct import_report *report)
{
    for (unsigned i = 0; i < report->n; i++) {
        kw_wipe(report->at[i].secret, sizeof(report->at[i].secret));
    }
}

static kw_status store_all(struct kw_op *op, struct import *it)
{
    kw_status status = store_change(op, it->service->store, put_all, it);

    if (it->options->dry_run && status.code == KW_E_METHOD) {
        kw_op_clear(op);
        forget_secrets(it->report);
        return KW_OK;
    }
    return status;
}

kw_status import_devices(struct kw_op *op, struct service *service,
                         const struct import_options *options, struct kw_span text,
                         struct import_report **ret)
{
    AUTO(import_report) *report = calloc(1, sizeof(*report));
    struct import *it = calloc(1, sizeof(*it));

    if (report) {
        report->at = calloc(IMPORT_LINES_MAX, sizeof(*report->at));
    }
    if (!it || !report || !report->at) {
        free(it);
        return FAIL(op, KW_E_MEMORY, "no memory for an import");
    }
    it->service = service;
    it->options = options;
    it->report = report;
    kw_status status = read_all(op, it, csv_skip_bom(text));
    if (kw_ok(status)) {
        status = store_all(op, it);
    }
    free(it);
    TRY(op, status, "import");
    *ret = TAKE(report);
    return KW_OK;
}
