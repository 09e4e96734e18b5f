/* The server's own certificates and keys: renewed in time, without a restart. */
#include "rig.h"

#include "crypto/cms.h"
#include "crypto/ocsp.h"
#include "os/clock.h"
#include "service/authority/chain.h"
#include "service/keys/ca.h"
#include "service/keys/line.h"
#include "service/keys/own.h"
#include "service/keys/rotate.h"
#include "service/log/keys.h"
#include "service/log/log.h"
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

static void public_of(struct place *place, const char *key_id, struct keeper_key_info *ret)
{
    TEST_OP(op);

    assert_ok(&op, keeper_key_find(&op, service_keeper(place->service, key_id), key_id, ret));
}

/* The OCSP signer's key is replaced by hand: new answers are by the new one, the old answer in a
 * client's hand stays good. */
static void rotate_ocsp(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert stored;
    struct keeper_key_info key, old;
    struct ocsp_single single;
    struct ocsp_reply before;
    AUTO(kw_bytes) *query = NULL;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &stored));
    AUTO(cert) *cert = rig_parse(&stored);
    AUTO(authorities) *all = service_authorities(place->service);
    assert_ok(&op, ocsp_query_build(&op, cert, rig_ca_of(all, "devices")->cert, true,
                                    KW_SPAN("", 0), &query));
    assert_ok(&op, ocsp_respond(&op, place->service, "devices", kw_bytes_span(query), &before));
    assert_ok(&op, key_rotate(&op, place->service, "ocsp-devices", 0, &key));
    assert_string_equal(key.key_id, "ocsp-devices.2");
    public_of(place, "ocsp-devices", &old);
    assert_int_equal(old.state, KEY_ACTIVE); /* for the overlap */
    AUTO(authorities) *now = service_authorities(place->service);
    assert_string_equal(rig_ca_of(now, "devices")->ocsp_key_id, "ocsp-devices.2");
    assert_string_equal(rig_ca_of(now, "services")->ocsp_key_id, "ocsp-services");
    ocsp_cache_forget(place->service);
    assert_good(place, cert, rig_ca_of(all, "devices")->cert);
    assert_ok(&op, ocsp_answer_check(&op, before.der, cert, rig_ca_of(all, "devices")->cert,
                                     KW_SPAN("", 0), os_clock_unix_s(), &single));
    ocsp_reply_release(&before);
    assert_code(&op, key_rotate(&op, place->service, "ocsp-devices", 0, &key), KW_E_CONFLICT);
    assert_code(&op, key_rotate(&op, place->service, "nobody", 0, &key), KW_E_NOT_FOUND);
    unit_done(&unit);
}

/* The old certificate is superseded, and the listeners are told. */
static void rotate_tls(void **state)
{
    struct place *place = *state;
    struct store_cert stored;
    struct keeper_key_info key;
    AUTO(cert) *old = load(place, "tls-server");
    TEST_OP(op);

    reloads = 0;
    service_on_certs_changed(place->service, count_reload, NULL);
    assert_ok(&op, key_rotate(&op, place->service, "tls-server", 0, &key));
    AUTO(cert) *now = load(place, "tls-server");
    assert_int_equal(reloads, 1);
    assert_true(kw_span_equal(pubkey_spki(cert_public(now)), KW_SPAN(key.spki, key.spki_len)));
    assert_ok(&op,
              store_cert_by_fingerprint(&op, place->service->store, cert_sha256(old), &stored));
    assert_int_equal(stored.state, CERT_STATE_SUPERSEDED);
}

/* Two signatures during the overlap; who knows only the first key follows. */
static void rotate_log(void **state)
{
    struct place *place = *state;
    struct keeper_key_info key;
    struct succession keys;
    struct checkpoint head;
    char vkey[CHECKPOINT_VKEY_MAX], again[CHECKPOINT_VKEY_MAX];
    bool taken = false;
    AUTO(kw_bytes) *note = NULL;
    AUTO(kw_bytes) *successor = NULL;
    AUTO(kw_bytes) *later = NULL;
    TEST_OP(op);

    assert_ok(&op, log_vkey(&op, place->service, vkey, sizeof(vkey)));
    assert_ok(&op, key_rotate(&op, place->service, "log", 0, &key));
    assert_ok(&op, log_checkpoint_now(&op, place->service));
    assert_ok(&op, log_checkpoint(&op, place->service, &note));
    assert_ok(&op, checkpoint_verify(&op, kw_bytes_span(note), vkey, &head));
    assert_ok(&op, log_vkey(&op, place->service, again, sizeof(again)));
    assert_string_equal(again, vkey);
    assert_ok(&op, log_successor(&op, place->service, 2, &successor));
    assert_ok(&op, succession_begin(&op, vkey, &keys));
    assert_ok(&op, succession_take(&op, &keys, kw_bytes_span(successor), &taken));
    assert_true(taken);
    assert_ok(&op, checkpoint_verify(&op, kw_bytes_span(note), keys.at[1], &head));

    /* the old key is taken out of use: the log goes on with the new one alone */
    assert_ok(&op, keeper_key_step(&op, service_keeper(place->service, "log"), "log",
                                   KEY_EVENT_DEACTIVATE, "test", 0, NULL));
    struct event event = {.type = EVENT_SYSTEM_START};
    assert_ok(&op, service_record_alone(&op, place->service, &event));
    assert_ok(&op, log_checkpoint_now(&op, place->service));
    assert_ok(&op, log_checkpoint(&op, place->service, &later));
    assert_code(&op, checkpoint_verify(&op, kw_bytes_span(later), vkey, &head), KW_E_DENIED);
    assert_ok(&op, succession_verify(&op, &keys, kw_bytes_span(later), &head));
    place_close(place);
    assert_ok(&op, place_open(&op, place)); /* and over a restart */
}

/* Two thirds of the keys' periods are over: each line has its next key. */
static void rotated_in_time(void **state)
{
    static const char *const ids[] = {"ocsp-devices.2", "ocsp-services.2", "tls-server.2"};
    struct place *place = *state;
    struct keeper_key_info key;
    TEST_OP(op);

    assert_ok(&op, keys_settle(&op, place->service, os_clock_unix_s() + 61 * DAY_S));
    for (unsigned i = 0; i < KW_COUNT(ids); i++) {
        public_of(place, ids[i], &key);
        assert_int_equal(key.state, KEY_ACTIVE);
    }
    assert_code(&op, keeper_key_find(&op, service_keeper(place->service, "log.2"), "log.2", &key),
                KW_E_NOT_FOUND); /* a year long */
    /* the others' overlap is not over by the keeper's clock: refused, and no harm to the log */
    assert_code(&op, keys_settle(&op, place->service, os_clock_unix_s() + 250 * DAY_S), KW_E_STATE);
    public_of(place, "log.2", &key);
}

/* Cut between the new key and its certificate: taken up at the next look. */
static void rotation_that_was_cut(void **state)
{
    struct place *place = *state;
    struct keeper_key_info key;
    TEST_OP(op);

    assert_ok(&op, keeper_key_rotate(&op, service_keeper(place->service, "tls-server"),
                                     "tls-server", 0, &key));
    assert_ok(&op, keeper_key_rotate(&op, service_keeper(place->service, "log"), "log", 0, &key));
    assert_ok(&op, keys_settle(&op, place->service, os_clock_unix_s()));
    assert_ok(&op, own_tls_key(&op, place->service, &key));
    assert_string_equal(key.key_id, "tls-server.2");
    AUTO(kw_bytes) *note = NULL;
    assert_ok(&op, log_successor(&op, place->service, 2, &note));
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
    assert_false(same(rig_ca_of(now, "devices")->ocsp_cert, rig_ca_of(old, "devices")->ocsp_cert));
    assert_good(place, cert, rig_ca_of(old, "devices")->cert);
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

/* Which vault: by the line, so that a rotated key is looked for where it was made. */
static void lines(void **state)
{
    static const struct {
        const char *id, *base;
        unsigned generation;
    } rows[] = {
        {"log",           "log",        1 },
        {"log.2",         "log",        2 },
        {"ca-devices.12", "ca-devices", 12},
        {"a.b",           "a.b",        1 },
        {"a.1",           "a.1",        1 },
        {"a.02",          "a.02",       1 },
        {"a.",            "a.",         1 },
        {".2",            ".2",         1 },
        {"a.2x",          "a.2x",       1 },
        {"a.b.3",         "a.b",        3 },
        {"a.99999999",    "a.99999999", 1 },
    };
    struct place *place = *state;
    struct service *service = place->service;
    char base[KW_NAME_MAX];
    unsigned n = service->n_vaults;

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        assert_int_equal(line_split(rows[i].id, base), rows[i].generation);
        assert_string_equal(base, rows[i].base);
    }
    struct keeper *other = (struct keeper *)(void *)service; /* never asked */
    service->vaults[n] = other;
    service->n_vaults = n + 1;
    KW_TEXT_SET(service->config.vaults[n].keys[0], "ca-devices");
    service->config.vaults[n].n_keys = 1;
    assert_ptr_equal(service_keeper(service, "ca-devices"), other);
    assert_ptr_equal(service_keeper(service, "ca-devices.2"), other);
    assert_ptr_not_equal(service_keeper(service, "ca-services.2"), other);
    service->n_vaults = n;
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

/* One limit for what is made here, what is handed out and what a device takes; what ended is not
 * counted, and not handed out. */
static void no_more_cas_than_a_device_holds(void **state)
{
    struct place *place = *state;
    AUTO(authorities) *now = service_authorities(place->service);
    struct authorities *all = malloc(sizeof(*all));
    struct cert *list[CHAIN_MAX];
    int64_t now_s = os_clock_unix_s(), end_s = INT64_MAX;
    AUTO(kw_bytes) *der = NULL;
    TEST_OP(op);

    assert_non_null(all);
    *all = *now; /* borrows all that is in it */
    unsigned n = chain_list(all, now_s, list);
    for (unsigned i = 0; i < n; i++) {
        end_s = cert_not_after(list[i]) < end_s ? cert_not_after(list[i]) : end_s;
    }
    while (all->n < SERVICE_CAS_MAX - 1) {
        all->at[all->n++].cert = now->at[0].cert;
    }
    assert_ok(&op, chain_room_for_key(&op, all, now_s, /* first= */ false));
    while (chain_list(all, now_s, list) < KW_CA_CERTS_MAX - 1) {
        all->cross[all->n_cross++].cert = now->at[0].cert;
    }
    assert_ok(&op, chain_room_for_key(&op, all, now_s, /* first= */ true));
    assert_code(&op, chain_room_for_key(&op, all, now_s, /* first= */ false), KW_E_LIMIT);
    all->cross[all->n_cross++].cert = now->at[0].cert;
    assert_code(&op, chain_room_for_key(&op, all, now_s, /* first= */ true), KW_E_LIMIT);
    n = chain_list(all, now_s, list);
    assert_ok(&op, cms_certs_build(&op, list, n, &der));
    assert_ok(&op, chain_room_for_key(&op, all, end_s + 1, /* first= */ false));
    assert_true(chain_list(all, end_s + 1, list) < n);
    all->at[all->n++].cert = now->at[0].cert;
    assert_code(&op, chain_room_for_key(&op, all, end_s + 1, /* first= */ true), KW_E_LIMIT);
    free(all);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_cas_than_a_device_holds),
        TEST(renewed_in_time),
        TEST(rotate_ocsp),
        TEST(rotate_tls),
        TEST(rotate_log),
        TEST(rotated_in_time),
        TEST(rotation_that_was_cut),
        TEST(same_key_again),
        TEST(another_owners_key),
        TEST(lines),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("own", tests, NULL, NULL);
}
