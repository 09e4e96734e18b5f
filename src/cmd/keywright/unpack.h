/* A backup on the operator's machine: shares, signature, content. */
#ifndef CMD_KEYWRIGHT_UNPACK_H
#define CMD_KEYWRIGHT_UNPACK_H

#include "audit/checkpoint.h"
#include "cmd/keywright/cli.h"
#include "service/backup/archive.h"

/* Opened and walked through; its log's signature holds. */
struct backup_file {
    int fd;
    struct archive_outer outer;
    struct checkpoint head; /* covers the entry that tells of it */
};
void backup_file_done(struct backup_file *file);
/* --vkey, or the key in the file. KW_E_INTEGRITY, KW_E_DENIED. */
kw_status backup_file_open(struct kw_op *op, const struct cli *cli, const char *path,
                           struct backup_file *ret);

/* The recovery key from the files of --share-file. */
kw_status backup_join_shares(struct kw_op *op, const struct cli *cli, struct kw_secret **ret);
/**
 * Everything into a new folder, decrypted and checked: hashes, the store's integrity, its log
 * against the checkpoint that the backup holds. What is not part of a state folder goes into
 * restored/. dir must not exist. ret_size: entries of the store's log. After a failure the folder
 * may be there, half filled: os_tree_remove() it.
 */
kw_status backup_unpack(struct kw_op *op, const struct backup_file *file,
                        const struct kw_secret *recovery, const char *dir, uint64_t *ret_size);
/* Lines for people: each key, and where its private part is. */
kw_status backup_print_keys(struct kw_op *op, const char *dir);

#endif
