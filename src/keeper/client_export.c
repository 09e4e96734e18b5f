/* The gate's calls for a backup. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/client.h"
#include "os/files.h"

enum { EXPORT_MAX = 8 << 20 };

static kw_status read_back(struct kw_op *op, int fd, uint32_t len, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *package = NULL;

    ENSURE(op, len > 0 && len <= EXPORT_MAX, KW_E_DEVICE, "the keeper exported %u octets", len);
    TRY(op, kw_bytes_new(len, &package));
    ENSURE(op, pread(fd, package->p, len, 0) == (ssize_t)len, KW_E_DEVICE,
           "the keeper exported less than it said");
    package->len = len;
    *ret = TAKE(package);
    return KW_OK;
}

kw_status keeper_vault_export(struct kw_op *op, struct keeper *keeper, uint64_t approval_id,
                              struct kw_bytes **ret)
{
    OS_FD_AUTO int fd = memfd_create("keywright-export", MFD_CLOEXEC);
    struct keeper_msg msg = {.vault_export = {.approval_id = approval_id}};
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, fd >= 0, KW_E_IO, "making a memory file: %s", strerror(errno));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_VAULT_EXPORT, &msg, fd, &room, &answer));
    return read_back(op, fd, answer.exported, ret);
}

kw_status keeper_recovery_set(struct kw_op *op, struct keeper *keeper, const uint8_t key[32],
                              uint64_t approval_id)
{
    struct keeper_msg msg = {.recovery_set = {.approval_id = approval_id}};
    struct channel_room room;
    struct keeper_answer answer;

    memcpy(msg.recovery_set.key, key, sizeof(msg.recovery_set.key));
    return keeper_call(op, keeper, KEEPER_ROW_RECOVERY_SET, &msg, -1, &room, &answer);
}

kw_status keeper_key_import(struct kw_op *op, struct keeper *keeper,
                            const struct keeper_escrow *escrow, const struct kw_secret *recovery)
{
    struct keeper_msg msg = {
        .key_import = {.state = escrow->state,
                       .policy = escrow->policy,
                       .mark = escrow->mark,
                       .box = escrow->box}
    };
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, kw_secret_len(recovery) == sizeof(msg.key_import.recovery), KW_E_INPUT,
           "no recovery key");
    memcpy(msg.key_import.recovery, kw_secret_span(recovery).p, sizeof(msg.key_import.recovery));
    kw_status status = keeper_call(op, keeper, KEEPER_ROW_KEY_IMPORT, &msg, -1, &room, &answer);
    kw_wipe(msg.key_import.recovery, sizeof(msg.key_import.recovery));
    return status;
}
