/* SQLite's own file layer with faults that a test orders: the n-th sync or write of a file fails.
 */
#ifndef UNIT_STORE_FAULT_VFS_H
#define UNIT_STORE_FAULT_VFS_H

#include <stdatomic.h>

/* Becomes the default; 0 where it worked. */
int fault_vfs_install(void);

/* Syncs (writes) of the WAL that fail from now on; 0 = none. rc: what they say. */
extern atomic_int fault_syncs, fault_writes, fault_rc;
/* How many have failed. */
extern atomic_int fault_count;
/* Times that one descriptor of a database (no WAL) was synced while another had not synced what it
 * had written: the one waited for the other's. */
extern atomic_int fault_waits;

#endif
