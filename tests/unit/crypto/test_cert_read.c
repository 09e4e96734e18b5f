/*
 * The keeper's own reading of a TBSCertificate against OpenSSL's templates: what the product issues
 * is read by it, and whatever one octet is changed to, it takes nothing that they would not, and
 * nothing otherwise.
 */
#include "../../fuzz/tbs_agree.h"

#include "kit.h"
#include "os/files.h"

static struct kw_bytes *seed(const char *name)
{
    struct kw_bytes *der = NULL;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/tbs/%s.der", getenv("KW_SOURCE_ROOT"),
                   name);
    assert_true(kw_ok(os_file_read(NULL, path, KW_CERT_MAX, &der)));
    return der;
}

static const char *const issued[] = {"idevid", "ldevid", "ocsp", "server"};

static void what_we_issue_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(issued); i++) {
        AUTO(kw_bytes) *der = seed(issued[i]);
        bool read = false;
        assert_true(tbs_readers_agree(kw_bytes_span(der), &read));
        if (!read) {
            fail_msg("%s is left to the templates", issued[i]);
        }
    }
}

static unsigned try_octet(struct kw_bytes *der, size_t at, uint8_t octet)
{
    uint8_t kept = der->p[at];
    bool read = false;

    der->p[at] = octet;
    if (!tbs_readers_agree(kw_bytes_span(der), &read)) {
        fail_msg("octet %zu as %02x: the readers disagree", at, octet);
    }
    der->p[at] = kept;
    return read ? 1 : 0;
}

/* Every octet: each bit of it flipped, and to what means something in DER. */
static void no_changed_octet_is_read_otherwise(void **state)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x02, 0x04, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18,
                                      0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x86, 0x87, 0xa0, 0xff};
    static const char *const seeds[] = {"idevid", "ldevid", "ocsp", "server", "sub", "root"};
    unsigned n_read = 0;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(seeds); i++) {
        AUTO(kw_bytes) *der = seed(seeds[i]);
        for (size_t at = 0; at < der->len; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                n_read += try_octet(der, at, der->p[at] ^ (uint8_t)(1u << bit));
            }
            for (size_t j = 0; j < sizeof(telling); j++) {
                n_read += try_octet(der, at, telling[j]);
            }
        }
    }
    assert_true(n_read > 100); /* names, times, key identifiers: some are read, and agree */
}

static void no_cut_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(issued); i++) {
        AUTO(kw_bytes) *der = seed(issued[i]);
        for (size_t n = 0; n < der->len; n++) {
            bool read = false;
            assert_true(tbs_readers_agree(KW_SPAN(der->p, n), &read));
            assert_false(read);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_issue_is_read),
        cmocka_unit_test(no_changed_octet_is_read_otherwise),
        cmocka_unit_test(no_cut_is_read),
    };
    return cmocka_run_group_tests_name("crypto_cert_read", tests, NULL, NULL);
}
