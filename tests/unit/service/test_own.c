/* The server's own certificates and keys: renewed in time, without a restart. */
#include "rig.h"

#include "crypto/ocsp.h"
#include "os/clock.h"
#include "service/keys/own.h"
#include "service/keys/rotate.h"
#include "service/validation/ocsp_responder.h"

enum { DAY_S = 86400 };

static unsigned reloads;

static kw_status count_reload(struct kw_op *op, void *ctx)
{
    (void)op;
    (void)ctx;
    reloads++;
    return KW_OK;
}

static struct cert *load(struct place *place, const char *name)
{
    struct cert *cert = NULL;
    TEST_OP(op);

    assert_ok(&op, service_cert_load(&op, place->service, name, &cert));
    return cert;
}

static bool same(const struct cert *a, const struct cert *b)
{
    return memcmp(cert_sha256(a), cert_sha256(b), KW_HASH_BYTES) == 0;
}

/* An OCSP answer about this certificate, as a relying party judges it. */
static void assert_good(struct place *place, const struct cert *cert, const struct cert *issuer)
{
    struct ocsp_single single;
    struct ocsp_reply reply;
    AUTO(kw_bytes) *query = NULL;
    TEST_OP(op);

    assert_ok(&op, ocsp_query_build(&op, cert, issuer, true, KW_SPAN("", 0), &query));
    assert_ok(&op, ocsp_respond(&op, place->service, "devices", kw_bytes_span(query), &reply));
    assert_ok(&op, ocsp_answer_check(&op, reply.der, cert, issuer, KW_SPAN("", 0),
                                     os_clock_unix_s(), &single));
    assert_int_equal(single.status, OCSP_CERT_GOOD);
    ocsp_reply_release(&reply);
}

/* Fresh certificates are left alone; after two thirds of their life each has a successor, which the
 * responder uses at once, while who holds the old set of CAs goes on with it. */
static void renewed_in_time(void **state)
{
    static const char *const names[] = {"tls-server", "ocsp-devices", "ocsp-services"};
    struct place *place = *state;
    struct unit unit;
    struct store_cert stored;
    struct cert *before[3] = {NULL};
    int64_t now_s = os_clock_unix_s();
    TEST_OP(op);

    service_on_certs_changed(place->service, count_reload, NULL);
    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &stored));
    AUTO(cert) *cert = rig_parse(&stored);
    AUTO(authorities) *old = service_authorities(place->service);
    for (unsigned i = 0; i < 3; i++) {
        before[i] = load(place, names[i]);
    }
    reloads = 0;
    assert_ok(&op, keys_settle(&op, place->service, now_s));
    assert_ok(&op, keys_settle(&op, place->service, now_s + 59 * DAY_S));
    assert_int_equal(reloads, 0);
    assert_ok(&op, keys_settle(&op, place->service, now_s + 61 * DAY_S));
    assert_int_equal(reloads, 1);
    for (unsigned i = 0; i < 3; i++) {
        AUTO(cert) *after = load(place, names[i]);
        assert_false(same(before[i], after));
        cert_unref(before[i]);
    }
    AUTO(authorities) *now = service_authorities(place->service);
    assert_ptr_not_equal(now, old);
    assert_false(same(now->at[0].ocsp_cert, old->at[0].ocsp_cert));
    assert_good(place, cert, old->at[0].cert);
    unit_done(&unit);
}

/* Two certificates for one key: the older one is not revoked, which would retire the key too. */
static void same_key_again(void **state)
{
    struct place *place = *state;
    struct store_cert stored;
    AUTO(cert) *old = load(place, "tls-server");
    TEST_OP(op);

    assert_ok(&op, own_tls_issue(&op, place->service, "tls-server", NULL));
    assert_ok(&op,
              store_cert_by_fingerprint(&op, place->service->store, cert_sha256(old), &stored));
    assert_int_equal(stored.state, CERT_STATE_VALID);
    AUTO(cert) *now = load(place, "tls-server");
    assert_ok(&op,
              store_cert_by_fingerprint(&op, place->service->store, cert_sha256(now), &stored));
    assert_int_equal(stored.state, CERT_STATE_VALID);
}

/* A key that is somebody else's never gets a certificate of the server. */
static void another_owners_key(void **state)
{
    struct place *place = *state;
    AUTO(cert) *before = load(place, "tls-server");
    TEST_OP(op);

    assert_code(&op, own_tls_issue(&op, place->service, "ocsp-devices", NULL), KW_E_CONFLICT);
    assert_code(&op, own_tls_issue(&op, place->service, "nobody", NULL), KW_E_NOT_FOUND);
    AUTO(cert) *after = load(place, "tls-server");
    assert_true(same(before, after));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(renewed_in_time),
        TEST(same_key_again),
        TEST(another_owners_key),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("own", tests, NULL, NULL);
}
