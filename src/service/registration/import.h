/*
 * Registering many devices at once: lines of CSV (with a header) or of JSON (an object a line). One
 * call takes a piece of a file, at most IMPORT_LINES_MAX lines; its good lines are registered in
 * one change, all or none, its bad ones are told by class.
 */
#ifndef SERVICE_REGISTRATION_IMPORT_H
#define SERVICE_REGISTRATION_IMPORT_H

#include "service/registration/device.h"

enum { IMPORT_LINES_MAX = 1000 };

/* What became of a line. Texts are part of the API. */
enum import_class {
    IMPORT_REGISTERED = 0, /* or would be */
    IMPORT_KNOWN,          /* registered before, and the same */
    IMPORT_RENEWED,        /* the same, and a new secret was asked for */
    IMPORT_DUPLICATE,      /* the id was in this piece before */
    IMPORT_CONFLICT,       /* the id or serial number is another device's */
    IMPORT_CHARACTER,      /* a character that names may not hold, or none at all */
    IMPORT_TOO_LONG,
    IMPORT_COLUMNS, /* too few or too many, a quote that is not closed, no JSON object */
    IMPORT_BATCH,   /* its batch is closed, full, or another product's */
    IMPORT_VALUE,   /* a field that is wrong otherwise: hardware type, missing product */
    IMPORT_CLASS_MAX
};
const char *import_class_text(enum import_class class);
/* Is the device there afterwards? */
bool import_class_good(enum import_class class);

struct import_options {
    bool dry_run;          /* change nothing */
    bool renew;            /* a new secret for known ones that did not use theirs */
    bool json;             /* lines of JSON instead of CSV */
    const char *product;   /* for lines without; NULL = none */
    const char *batch;     /* the same */
    uint32_t secret_hours; /* 0 = as device_register() */
};

struct import_line {
    unsigned line; /* within the piece, from 1; the header is line 1 of CSV */
    enum import_class class;
    char id[KW_NAME_MAX]; /* as far as it could be read */
    char detail[KW_OP_TEXT_MAX];
    char secret[DEVICE_SECRET_TEXT];
    struct store_device device;
};
struct import_report {
    unsigned n;
    struct import_line *at; /* one a line that is not empty, in order */
};
void import_report_free(struct import_report *report);
KW_OWNED(import_report, struct import_report, import_report_free)

/**
 * Errors: KW_E_INPUT the header is missing or names unknown columns; KW_E_TOO_LARGE too many lines;
 * and the store's: then nothing was registered. Bad lines are no error.
 */
kw_status import_devices(struct kw_op *op, struct service *service,
                         const struct import_options *options, struct kw_span text,
                         struct import_report **ret);

#endif
