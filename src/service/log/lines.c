#include "service/log/lines.h"

#include <stdio.h>
#include <stdlib.h>

#include "service/keys/line.h"

static const char LINE_BLOB[] = "log:line";
static const char FIRST_LINE[] = "log";

void log_line_name(unsigned n, char ret[KW_NAME_MAX])
{
    (void)snprintf(ret, KW_NAME_MAX, n < 2 ? "%s" : "%s-%u", FIRST_LINE, n);
}

unsigned log_line_of(const char *key_id)
{
    char base[KW_NAME_MAX], again[KW_NAME_MAX];

    (void)line_split(key_id, base);
    if (strcmp(base, FIRST_LINE) == 0) {
        return 1;
    }
    if (strncmp(base, "log-", 4) != 0 || strlen(base) > 8) {
        return 0;
    }
    unsigned long n = strtoul(base + 4, NULL, 10);
    if (n < 2 || n > LOG_LINES_MAX) {
        return 0;
    }
    log_line_name((unsigned)n, again);
    return strcmp(again, base) == 0 ? (unsigned)n : 0;
}

kw_status log_line_origin(struct kw_op *op, const struct service *service, unsigned n,
                          char ret[KW_NAME_MAX])
{
    int len = n < 2 ? snprintf(ret, KW_NAME_MAX, "%s", service->log_base)
                    : snprintf(ret, KW_NAME_MAX, "%s/%u", service->log_base, n);

    ENSURE(op, len > 0 && len < KW_NAME_MAX && n <= LOG_LINES_MAX, KW_E_LIMIT,
           "no origin for line %u of the log: it would be too long", n);
    return KW_OK;
}

void log_line_take(struct service *service, unsigned n, const char *origin)
{
    service->log_line = n;
    KW_TEXT_SET(service->config.log_origin, origin);
}

kw_status log_line_load(struct kw_op *op, struct service *service)
{
    char origin[KW_NAME_MAX];
    uint64_t n = 0;
    AUTO(kw_bytes) *kept = NULL;

    service->log_line = 1;
    KW_TEXT_SET(service->log_base, service->config.log_origin);
    kw_status status = store_blob_get(op, service->store, LINE_BLOB, &n, &kept);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status, "which line the log is in");
    ENSURE(op, n >= 2 && n <= LOG_LINES_MAX, KW_E_INTEGRITY, "line %llu of the log",
           (unsigned long long)n);
    TRY(op, log_line_origin(op, service, (unsigned)n, origin));
    ENSURE(op, kw_span_equal(kw_span_text(origin), kw_bytes_span(kept)), KW_E_INTEGRITY,
           "the log went on as '%.*s', which does not follow from log_origin '%s'", (int)kept->len,
           (const char *)kept->p, service->log_base);
    log_line_take(service, (unsigned)n, origin);
    return KW_OK;
}

kw_status log_line_put(struct kw_op *op, struct store_txn *txn, unsigned n, const char *origin)
{
    return store_blob_put(op, txn, LINE_BLOB, n, kw_span_text(origin));
}
