#include "service/log/gap.h"

#include <stdio.h>

#include "audit/succession.h"
#include "os/files.h"
#include "service/log/keys.h"

static const char SEEN_FILE[] = "store/seen.checkpoint";

void log_gap_begin(struct service *service, uint64_t have, uint64_t known)
{
    service->gap.have = have;
    service->gap.known = known;
    atomic_store(&service->gap.open, true);
}

const char *log_gap_text(const struct service *service, char *text, size_t cap)
{
    *text = 0;
    if (atomic_load(&service->gap.open)) {
        (void)snprintf(text, cap,
                       "the store was put back: it holds %llu log entries, %llu were signed; next: "
                       "keywright restore replay, or (docs/BACKUP.md) restore accept-loss",
                       (unsigned long long)service->gap.have,
                       (unsigned long long)service->gap.known);
    }
    return text;
}

kw_status log_gap_refuse(struct kw_op *op, const struct service *service)
{
    char text[KW_OP_TEXT_MAX];

    ENSURE(op, !atomic_load(&service->gap.open), KW_E_UNAVAILABLE, "%s",
           log_gap_text(service, text, sizeof(text)));
    return KW_OK;
}

/* From the log's first key along its announcements. */
static kw_status log_keys_known(struct kw_op *op, struct service *service, struct succession *ret)
{
    char vkey[CHECKPOINT_VKEY_MAX];
    bool taken = false;

    TRY(op, log_vkey(op, service, vkey, sizeof(vkey)));
    TRY(op, succession_begin(op, vkey, ret));
    for (unsigned n = 2; n <= SUCCESSION_KEYS_MAX; n++) {
        AUTO(kw_bytes) *note = NULL;
        kw_status status = log_successor(op, service, n, &note);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        TRY(op, succession_take(op, ret, kw_bytes_span(note), &taken));
    }
    return KW_OK;
}

kw_status log_gap_seen(struct kw_op *op, struct service *service, struct checkpoint *ret)
{
    char path[KW_PATH_BYTES];
    struct succession keys;
    AUTO(kw_bytes) *note = NULL;

    memset(ret, 0, sizeof(*ret));
    TRY(op, config_path(op, &service->config, SEEN_FILE, path, sizeof(path)));
    if (!os_file_exists(path)) {
        return KW_OK;
    }
    TRY(op, os_file_read(op, path, CHECKPOINT_TEXT_MAX, &note));
    TRY(op, log_keys_known(op, service, &keys));
    TRY(op, succession_verify(op, &keys, kw_bytes_span(note), ret), "%s", path);
    return KW_OK;
}
