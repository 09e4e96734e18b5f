#include "fault_vfs.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

atomic_int fault_syncs, fault_writes, fault_rc, fault_count, fault_waits;
static atomic_int dirty_databases;

struct fault_file {
    sqlite3_file base;
    int wal;
    atomic_bool dirty; /* a database: written since the last sync */
    /* The real file lies behind. */
};

static sqlite3_vfs fault_vfs;
static sqlite3_io_methods methods;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return (sqlite3_file *)((struct fault_file *)file + 1);
}

static int is_due(sqlite3_file *file, atomic_int *left)
{
    if (!((struct fault_file *)file)->wal || atomic_load(left) <= 0) {
        return 0;
    }
    atomic_fetch_sub(left, 1);
    atomic_fetch_add(&fault_count, 1);
    return 1;
}

static void set_dirty(sqlite3_file *file, bool dirty)
{
    struct fault_file *own = (struct fault_file *)file;

    if (!own->wal && atomic_exchange(&own->dirty, dirty) != dirty) {
        atomic_fetch_add(&dirty_databases, dirty ? 1 : -1);
    }
}

static int f_close(sqlite3_file *file)
{
    set_dirty(file, false);
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int f_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), p, n, at);
}

static int f_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    if (is_due(file, &fault_writes)) {
        return atomic_load(&fault_rc);
    }
    set_dirty(file, true);
    return real_of(file)->pMethods->xWrite(real_of(file), p, n, at);
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int f_sync(sqlite3_file *file, int flags)
{
    if (is_due(file, &fault_syncs)) {
        return atomic_load(&fault_rc);
    }
    set_dirty(file, false);
    if (!((struct fault_file *)file)->wal && atomic_load(&dirty_databases) > 0) {
        atomic_fetch_add(&fault_waits, 1);
    }
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int f_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int f_lock(sqlite3_file *file, int how)
{
    return real_of(file)->pMethods->xLock(real_of(file), how);
}

static int f_unlock(sqlite3_file *file, int how)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), how);
}

static int f_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int f_control(sqlite3_file *file, int what, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, arg);
}

static int f_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int f_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int f_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), at, n, flags);
}

static void f_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int f_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int f_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    int rc = real->xOpen(real, name, real_of(file), flags, out);

    ((struct fault_file *)file)->wal = (flags & SQLITE_OPEN_WAL) != 0;
    atomic_init(&((struct fault_file *)file)->dirty, false);
    file->pMethods = real_of(file)->pMethods ? &methods : NULL;
    return rc;
}

int fault_vfs_install(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);

    fault_vfs = *real;
    fault_vfs.zName = "fault";
    fault_vfs.pNext = NULL;
    fault_vfs.pAppData = real;
    fault_vfs.szOsFile = real->szOsFile + (int)sizeof(struct fault_file);
    fault_vfs.xOpen = f_open;
    return sqlite3_vfs_register(&fault_vfs, 1);
}
