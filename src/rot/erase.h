/* Take a file off the disk and prove it. */
#ifndef ROT_ERASE_H
#define ROT_ERASE_H

#include <stddef.h>

#include "base/op.h"

/**
 * Overwrite with zeroes, read back through the disk's eyes, unlink. Nothing to do where it is
 * absent. Flash and copy-on-write file systems may keep older copies: these are sealed, and
 * worthless without the key-encrypting key. ret_size: octets overwritten.  Errors: KW_E_DEVICE the
 * octets did not read back as zeroes; KW_E_IO.
 */
kw_status rot_erase_file(struct kw_op *op, const char *path, size_t *ret_size);

/*
 * What a power cut left in a folder: files that were being destroyed (ROT_GONE_SUFFIX) and
 * temporary files of os_file_write(). All are erased. The folder is locked by the caller, so nobody
 * is writing one now.
 */
#define ROT_GONE_SUFFIX ".gone"
kw_status rot_erase_leftovers(struct kw_op *op, const char *dir);

#endif
