/* The backup's file: written, read, and altered in every way; the store's copy under load. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "os/files.h"
#include "rig.h"
#include "service/backup/archive.h"

enum { BIG = 3 * ARCHIVE_CHUNK + 1000 };

struct kit {
    int fd;
    struct kw_secret *recovery, *key;
    struct kw_bytes *big, *seen;
    unsigned n_members;
    size_t size; /* before the trailer */
};

static kw_status see_begin(struct kw_op *op, void *ctx, const struct archive_member *member)
{
    struct kit *kit = ctx;

    (void)op;
    (void)member;
    kit->n_members++;
    kit->seen->len = 0;
    return KW_OK;
}

static kw_status see_data(struct kw_op *op, void *ctx, struct kw_span piece)
{
    (void)op;
    return kw_bytes_append(((struct kit *)ctx)->seen, piece);
}

static kw_status read_it(struct kw_op *op, struct kit *kit)
{
    struct archive_taker taker = {.begin = see_begin, .data = see_data, .ctx = kit};

    kit->n_members = 0;
    return archive_read(op, kit->fd, kit->key, &taker);
}

static int setup(void **state)
{
    struct kit *kit = calloc(1, sizeof(*kit));
    uint8_t public_half[BOX_KEY_BYTES], hash[KW_HASH_BYTES];
    uint64_t size = 0;
    AUTO(archive_writer) *writer = NULL;
    TEST_OP(op);

    assert_non_null(kit);
    kit->fd = memfd_create("backup", MFD_CLOEXEC);
    assert_ok(&op, kw_bytes_new(BIG, &kit->big));
    assert_ok(&op, kw_bytes_new(BIG, &kit->seen));
    for (size_t i = 0; i < BIG; i++) {
        kit->big->p[i] = (uint8_t)(i * 31 + i / 256);
    }
    kit->big->len = BIG;
    assert_ok(&op, box_key_new(&op, &kit->recovery));
    assert_ok(&op, box_key_public(&op, kit->recovery, public_half));
    assert_ok(&op, archive_create(&op, kit->fd, public_half, 1700000000, &writer));
    assert_ok(&op, archive_add(&op, writer, "a/empty", 0600, KW_SPAN(NULL, 0)));
    assert_ok(&op, archive_add(&op, writer, "b.pem", 0644, kw_span_text("text")));
    assert_ok(&op, archive_add(&op, writer, "store/big", 0600, kw_bytes_span(kit->big)));
    assert_code(&op, archive_add(&op, writer, "../x", 0600, kw_span_text("x")), KW_E_INPUT);
    assert_ok(&op, archive_end(&op, writer, hash, &size));
    assert_ok(&op, archive_put_trailer(&op, writer, kw_span_text("trailer")));
    assert_ok(&op, archive_open_key(&op, archive_writer_head(writer), kit->recovery, &kit->key));
    kit->size = size;
    *state = kit;
    return 0;
}

static int teardown(void **state)
{
    struct kit *kit = *state;

    (void)close(kit->fd);
    kw_secret_free(kit->recovery);
    kw_secret_free(kit->key);
    kw_bytes_free(kit->big);
    kw_bytes_free(kit->seen);
    free(kit);
    return 0;
}

static void there_and_back(void **state)
{
    struct kit *kit = *state;
    struct archive_outer outer;
    TEST_OP(op);

    assert_ok(&op, read_it(&op, kit));
    assert_int_equal(kit->n_members, 3);
    assert_int_equal(kit->seen->len, BIG);
    assert_memory_equal(kit->seen->p, kit->big->p, BIG);
    assert_ok(&op, archive_scan(&op, kit->fd, &outer));
    assert_int_equal(outer.size, kit->size);
    assert_int_equal(outer.chunks, 4);
    assert_true(kw_span_equal(kw_bytes_span(outer.trailer), kw_span_text("trailer")));
    archive_outer_done(&outer);
}

static void flip(const struct kit *kit, off_t at)
{
    uint8_t octet = 0;

    assert_int_equal(pread(kit->fd, &octet, 1, at), 1);
    octet ^= 0x40;
    assert_int_equal(pwrite(kit->fd, &octet, 1, at), 1);
}

/* Whatever octet of head and chunks is another: the content does not come out. */
static void altered(void **state)
{
    struct kit *kit = *state;
    TEST_OP(op);

    for (size_t at = 0; at < kit->size; at += at < 300 ? 1 : 997) {
        flip(kit, (off_t)at);
        kw_status status = read_it(&op, kit);
        assert_false(kw_ok(status));
        assert_true(status.code == KW_E_INTEGRITY || status.code == KW_E_UNSUPPORTED);
        kw_op_clear(&op);
        flip(kit, (off_t)at);
    }
    assert_ok(&op, read_it(&op, kit));
}

static void cut(void **state)
{
    struct kit *kit = *state;
    struct archive_outer outer;
    TEST_OP(op);

    for (size_t size = kit->size; size > 0; size -= size > 5000 ? 4999 : size) {
        assert_int_equal(ftruncate(kit->fd, (off_t)size - 1), 0);
        assert_code(&op, read_it(&op, kit), KW_E_INTEGRITY);
        assert_code(&op, archive_scan(&op, kit->fd, &outer), KW_E_INTEGRITY);
        archive_outer_done(&outer);
    }
}

/* A writer of one's own cannot lie about its members either. */
static void content(void **state)
{
    static const struct {
        const char *octets;
        size_t len;
        bool good;
    } cases[] = {
        {"\2\0\0\0\0",                                                         5,  true },
        {"\2\0\0\0\1",                                                         5,  false},
        {"\2\0\0\0\0x",                                                        6,  false},
        {"\3",                                                                 1,  false},
        {"\1\0\0",                                                             3,  false},
        {"\1\0\2.a\0\0\1\x80\0\0\0\0\0\0\0\0\2\0\0\0\0",                       22, false},
        {"\1\0\2a/\0\0\1\x80\0\0\0\0\0\0\0\0",                                 17, false},
        {"\1\0\1a\0\0\1\x80\0\0\0\0\0\0\0\0\1\0\1a\0\0\1\x80\0\0\0\0\0\0\0\0", 32, false},
        {"\1\0\1a\0\1\1\x80\0\0\0\0\0\0\0\0",                                  16, false},
        {"\1\0\1a\0\0\1\x80\0\0\0\0\0\0\0\1",                                  16, false},
    };
    struct archive_taker taker = {0};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        TEST_OP(op);
        AUTO(archive_members) *members = NULL;
        assert_ok(&op, archive_members_new(&op, &taker, &members));
        kw_status status = KW_OK;
        for (size_t at = 0; at < cases[i].len && kw_ok(status); at++) { /* octet by octet */
            status = archive_members_feed(&op, members, KW_SPAN(cases[i].octets + at, 1));
        }
        if (kw_ok(status)) {
            status = archive_members_end(&op, members);
        }
        assert_int_equal(kw_ok(status), cases[i].good);
    }
}

static void other_key(void **state)
{
    struct kit *kit = *state;
    struct archive_outer outer;
    AUTO(kw_secret) *other = NULL;
    AUTO(kw_secret) *key = NULL;
    TEST_OP(op);

    assert_ok(&op, box_key_new(&op, &other));
    assert_ok(&op, archive_scan(&op, kit->fd, &outer));
    assert_code(&op, archive_open_key(&op, &outer.head, other, &key), KW_E_DENIED);
    outer.head.sealed_key[40] ^= 1;
    assert_code(&op, archive_open_key(&op, &outer.head, kit->recovery, &key), KW_E_INTEGRITY);
    archive_outer_done(&outer);
}

/* --- the store's copy ------------------------------------------------------------------------- */

struct load {
    struct store *store;
    atomic_bool stop;
    atomic_uint n;
};

static kw_status add_entry(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    (void)ctx;
    return store_log_append(op, txn, kw_span_text("entry"));
}

static void *write_on(void *ctx)
{
    struct load *load = ctx;

    while (!atomic_load(&load->stop)) {
        TEST_OP(op);
        assert_ok(&op, store_change(&op, load->store, add_entry, NULL));
        atomic_fetch_add(&load->n, 1);
    }
    return NULL;
}

static uint64_t size_of(const char *path)
{
    struct store_config config = {.path = path};
    uint64_t size = 0;
    AUTO(store) *store = NULL;
    TEST_OP(op);

    assert_ok(&op, store_open(&op, &config, &store));
    assert_ok(&op, store_log_size(&op, store, &size));
    return size;
}

/* What was durable before is in it, whole; a copy in the way is not written over. */
static void store_copied_under_load(void **state)
{
    char dir[] = "/tmp/kw-archive-XXXXXX", path[64], copy[64], clean[128];
    struct store_config config = {.path = path};
    struct load load = {0};
    pthread_t thread;
    AUTO(store) *store = NULL;
    TEST_OP(op);

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/store.db", dir);
    assert_ok(&op, store_open(&op, &config, &store));
    load.store = store;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &load), 0);
    for (unsigned i = 0; i < 5; i++) {
        while (atomic_load(&load.n) < (i + 1) * 20) {
            (void)usleep(1000);
        }
        unsigned before = atomic_load(&load.n);
        (void)snprintf(copy, sizeof(copy), "%s/copy-%u.db", dir, i);
        assert_ok(&op, store_backup(&op, store, copy));
        assert_ok(&op, store_verify(&op, copy));
        assert_true(size_of(copy) >= before);
        assert_code(&op, store_backup(&op, store, copy), KW_E_CONFLICT);
    }
    atomic_store(&load.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    int fd = open(copy, O_WRONLY);
    assert_int_equal(pwrite(fd, "damage damage damage damage", 27, 4096 * 3 + 5), 27);
    (void)close(fd);
    assert_code(&op, store_verify(&op, copy), KW_E_INTEGRITY);
    (void)snprintf(clean, sizeof(clean), "%s", dir);
    const char *const away[] = {"/bin/rm", "-rf", clean, NULL};
    assert_int_equal(rig_run(away), 0);
}

#define TEST_KIT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_KIT(there_and_back),
        TEST_KIT(altered),
        TEST_KIT(cut),
        TEST_KIT(other_key),
        cmocka_unit_test(content),
        cmocka_unit_test(store_copied_under_load),
    };

    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
