/* The disk fails while a batch is committed: nothing changed, or an honest "unsure". */
#include <errno.h>

#include "fault_vfs.h"
#include "sqlite_env.h"

static void order(atomic_int *what, int n, int rc)
{
    atomic_store(&fault_rc, rc);
    atomic_store(&fault_count, 0);
    atomic_store(what, n);
}

static void assert_holds(struct place *place, unsigned n)
{
    struct store_counts counts = place_counts(place);

    assert_int_equal(counts.certs, n);
    assert_int_equal(counts.pubkeys, n);
    assert_int_equal(counts.log_entries, n);
}

/* The certificate that failed must not be there either after what a crash leaves: the files as
 * they lie on the disk now, copied and opened elsewhere. */
static void assert_copy_holds(struct place *place, unsigned n)
{
    struct place *copy = NULL;

    assert_int_equal(place_setup((void **)&copy), 0);
    static const char *const suffixes[] = {"", "-wal"};
    for (size_t i = 0; i < KW_COUNT(suffixes); i++) {
        char from[128], to[128];
        static char content[8 << 20];
        (void)snprintf(from, sizeof(from), "%s%s", place->path, suffixes[i]);
        (void)snprintf(to, sizeof(to), "%s%s", copy->path, suffixes[i]);
        FILE *in = fopen(from, "rb");
        FILE *out = fopen(to, "wb");
        assert_true(in && out);
        size_t len = fread(content, 1, sizeof(content), in);
        assert_int_equal(fwrite(content, 1, len, out), len);
        assert_int_equal(fclose(in), 0);
        assert_int_equal(fclose(out), 0);
    }
    assert_ok(place_open(copy));
    assert_holds(copy, n);
    assert_int_equal(place_teardown((void **)&copy), 0);
}

static void full_at_commit_changes_nothing(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place));
    assert_ok(place_insert(place, 1));
    order(&fault_writes, 1, SQLITE_FULL);
    assert_fails(place_insert(place, 2), KW_E_FULL);
    assert_int_equal(atomic_load(&fault_count), 1);
    assert_holds(place, 1);
    assert_copy_holds(place, 1);
    assert_ok(place_insert(place, 2));
    assert_holds(place, 2);
    assert_copy_holds(place, 2);
}

static void failed_sync_is_settled(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place));
    assert_ok(place_insert(place, 1));
    /* All frames are in the WAL, only the sync fails: what came next overwrote them. */
    order(&fault_syncs, 1, SQLITE_IOERR_FSYNC);
    assert_fails(place_insert(place, 2), KW_E_IO);
    assert_int_equal(atomic_load(&fault_count), 1);
    assert_holds(place, 1);
    assert_copy_holds(place, 1);
    assert_ok(place_insert(place, 3));
    assert_holds(place, 2);
    place_close(place);
    assert_ok(place_open(place));
    assert_holds(place, 2);
}

static void sync_that_keeps_failing_is_unsure(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place));
    assert_ok(place_insert(place, 1));
    order(&fault_syncs, 1000, SQLITE_IOERR_FSYNC);
    assert_fails(place_insert(place, 2), KW_E_UNSURE);
    assert_holds(place, 1);
    assert_fails(place_insert(place, 3), KW_E_UNSURE);
    atomic_store(&fault_syncs, 0);
    assert_ok(place_insert(place, 4)); /* it works again by itself */
    assert_holds(place, 2);
    assert_copy_holds(place, 2);
}

static void failed_write_changes_nothing(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place));
    for (unsigned no = 0; no < 40; no++) {
        order(&fault_writes, no % 4 == 3, SQLITE_IOERR_WRITE);
        assert_fails(place_insert(place, no), no % 4 == 3 ? KW_E_IO : KW_CODE_OK);
    }
    assert_holds(place, 30);
    assert_copy_holds(place, 30);
}

/* Every eighth is of 256 pages, the others go on while those are carried over. */
static kw_status put_much(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    static uint8_t much[1 << 20];
    unsigned no = ++*(unsigned *)ctx;

    memset(much, (int)no, sizeof(much));
    return store_blob_put(op, txn, "much", no, KW_SPAN(much, no % 8 == 0 ? sizeof(much) : 1));
}

/* What the checkpoint thread has written, it syncs: no commit waits for that. */
static void checkpoints_leave_no_sync_to_commits(void **state)
{
    enum { CHANGES = 512 }; /* the WAL starts again several times */
    struct place *place = *state;
    unsigned no = 0;

    atomic_store(&fault_waits, 0);
    assert_ok(place_open(place));
    while (no < CHANGES) {
        assert_ok(store_change(&place->op, place->store, put_much, &no));
    }
    place_close(place);
    assert_int_equal(atomic_load(&fault_waits), 0);
    assert_int_equal(place_number(place, "SELECT version FROM blob"), CHANGES);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        PLACE_TEST(full_at_commit_changes_nothing),       PLACE_TEST(failed_sync_is_settled),
        PLACE_TEST(sync_that_keeps_failing_is_unsure),    PLACE_TEST(failed_write_changes_nothing),
        PLACE_TEST(checkpoints_leave_no_sync_to_commits),
    };

    if (fault_vfs_install() != SQLITE_OK) {
        print_error("no faulty file layer\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
