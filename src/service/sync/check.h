/* Reconciliation: where the registry, the certificates, what devices say, and another CA's index
 * disagree. Nothing is changed; each finding names the next step. */
#ifndef SERVICE_SYNC_CHECK_H
#define SERVICE_SYNC_CHECK_H

#include "service/service.h"
#include "service/sync/ca_index.h"

enum { DRIFTS_MAX = 200, CHECK_DEVICES = 500, CHECK_LINES_MAX = 2000 };

/* Texts are part of the API. */
enum drift_kind {
    DRIFT_NO_CERTIFICATE = 0, /* an active device has none in force */
    DRIFT_NEVER_ENROLLED,     /* registered, and its secret has ended */
    DRIFT_OUT_OF_USE_VALID,   /* a retired or suspended device has one in force */
    DRIFT_SAID_UNKNOWN,       /* the device uses a certificate that was never issued here */
    DRIFT_SAID_OTHERS,        /* … that is another's */
    DRIFT_SAID_REVOKED,       /* … that was revoked or is held */
    DRIFT_SAID_EXPIRED,
    DRIFT_SAID_OLD,       /* … that was replaced long ago: it never took the new one into use */
    DRIFT_EXTERNAL_VALID, /* revoked or held here, valid there */
    DRIFT_EXTERNAL_REVOKED,
    DRIFT_EXTERNAL_UNKNOWN,  /* there, of our own CA, not here */
    DRIFT_EXTERNAL_MISSING,  /* here, and the copy lacks it: who has the copy looks for it */
    DRIFT_EXTERNAL_END,      /* another end */
    DRIFT_EXTERNAL_DEVICE,   /* valid there, for a device that is retired or suspended here */
    DRIFT_EXTERNAL_STRANGER, /* valid there, for a device that nobody registered */
    DRIFT_EXTERNAL_LINE,     /* a line of the index that nobody can read */
    DRIFT_KIND_MAX
};
const char *drift_kind_text(enum drift_kind kind);

struct drift {
    enum drift_kind kind;
    char object[2 * KW_NAME_MAX];
    char text[256], next_step[256];
};
struct drift_list {
    unsigned n, checked, bad; /* bad: lines that could not be read, those left out among them */
    struct drift at[DRIFTS_MAX];
};

/**
 * Look at devices behind `after` ("" = from the start), some hundred a call.
 * after: where to go on; "" at the end.
 */
kw_status sync_check(struct kw_op *op, struct service *service, char after[KW_NAME_MAX],
                     struct drift_list *ret);
/**
 * Compare a piece of another index, at most CHECK_LINES_MAX lines. ca: which of our CAs it is of;
 * NULL: a foreign one, then names are compared: the common name against device ids.
 * line: the number of its first line in the whole index, from 1, for what is said of lines.
 * A line that cannot be read is a finding. Those beyond DRIFTS_MAX are left out: give smaller
 * pieces.
 */
kw_status sync_check_external(struct kw_op *op, struct service *service, const char *ca,
                              uint64_t line, struct kw_span text, struct drift_list *ret);

#endif
