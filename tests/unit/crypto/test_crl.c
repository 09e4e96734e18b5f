#include "crypto/crl.h"

#include <endian.h>

#include "../../fuzz/crl_agree.h"
#include "pki_group.h"

struct listed {
    const struct crl_entry *at;
    size_t n, next;
    enum kw_code fail; /* at the end */
};

static kw_status next_listed(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    struct listed *list = ctx;

    *ret_more = list->next < list->n;
    if (*ret_more) {
        *ret = list->at[list->next++];
        return KW_OK;
    }
    ENSURE(op, list->fail == KW_CODE_OK, list->fail, "the store is away");
    return KW_OK;
}

static struct crl_spec spec_of(struct listed *list)
{
    return (struct crl_spec){
        .issuer_dn = kw_out_span(&pki->sub_dn.der),
        .issuer_key = privkey_public(pki->sub_key),
        .number = 0x123456789a,
        .this_update = NOW,
        .next_update = NOW + 7 * DAY,
        .next = next_listed,
        .ctx = list,
    };
}

static struct kw_bytes *build(const struct crl_entry *at, size_t n)
{
    struct listed list = {.at = at, .n = n};
    struct crl_spec spec = spec_of(&list);
    struct kw_bytes *der = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, crl_build(&op, &spec, pki->sub_key, &der));
    return der;
}

/* spec: of what spec_of() gave, changed. */
static struct crl *built(const struct crl_spec *spec)
{
    AUTO(kw_bytes) *der = NULL;
    struct crl *crl = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, crl_build(&op, spec, pki->sub_key, &der));
    assert_ok(&op, crl_parse(&op, kw_bytes_span(der), &crl));
    assert_ok(&op, crl_verify_signature(&op, crl, privkey_public(pki->sub_key)));
    bool read = false; /* the keeper takes whatever we build, and OpenSSL reads the same */
    assert_true(crl_readers_agree(tbs_of(kw_bytes_span(der)), &read));
    assert_true(read);
    return crl;
}

static void lists_go_there_and_back(void **state)
{
    const struct crl_entry entries[] = {
        {KW_SPAN("\x7f", 1), INT64_C(2524608000), 5},
        {KW_SPAN("\x80", 1), INT64_C(2524607999), 0},
        {serial_of(10), NOW - 4, 1},
        {serial_of(20), NOW - 4, 9},
        {serial_of(30), NOW - 5, 0},
    };
    AUTO(kw_bytes) *der = build(entries, KW_COUNT(entries));
    AUTO(crl) *crl = NULL;
    uint64_t number = 0;
    int reason = -1;
    int64_t at = 0;

    (void)state;
    assert_code(crl_parse(NULL, kw_bytes_span(der), &crl), KW_CODE_OK);
    assert_span_equal(crl_issuer(crl), cert_subject(pki->sub));
    assert_span_equal(crl_aki(crl), cert_ski(pki->sub));
    assert_true(crl_number(crl, &number));
    assert_int_equal(number, 0x123456789a);
    assert_int_equal(crl_this_update(crl), NOW);
    assert_int_equal(crl_next_update(crl), NOW + 7 * DAY);
    assert_int_equal(crl_version(crl), 2);
    assert_int_equal(crl_sig_alg(crl), KEY_ALG_EC_P256);
    assert_false(crl_has_unknown_ext(crl));
    assert_int_equal(crl_count(crl), KW_COUNT(entries));
    for (size_t i = 0; i < KW_COUNT(entries); i++) {
        assert_code(crl_find(crl, entries[i].serial, &reason, &at), KW_CODE_OK);
        assert_int_equal(reason, entries[i].reason);
        assert_int_equal(at, entries[i].revoked_unix);
    }
    assert_code(crl_find(crl, serial_of(11), &reason, &at), KW_E_NOT_FOUND);
    assert_code(crl_find(crl, KW_SPAN(NULL, 0), &reason, &at), KW_E_NOT_FOUND);
    assert_code(crl_verify_signature(NULL, crl, privkey_public(pki->sub_key)), KW_CODE_OK);
    assert_code(crl_verify_signature(NULL, crl, privkey_public(pki->root_key)), KW_E_DENIED);
}

/* RFC 5280 sections 5.1.2.6 and 5.3.1; both extensions not critical. */
static void what_is_empty_is_absent(void **state)
{
    const struct crl_entry plain = {serial_of(10), NOW, 0};
    AUTO(kw_bytes) *none = build(NULL, 0);
    AUTO(kw_bytes) *one = build(&plain, 1);
    AUTO(crl) *crl = NULL;

    (void)state;
    assert_code(crl_parse(NULL, kw_bytes_span(none), &crl), KW_CODE_OK);
    assert_int_equal(crl_count(crl), 0);
    /* nextUpdate is followed by the extensions at once */
    assert_int_equal(occurrences(kw_bytes_span(none), "170d3236313132383030313332305aa0"), 1);
    assert_int_equal(occurrences(kw_bytes_span(one), "0603551d15"), 0);
    assert_int_equal(occurrences(kw_bytes_span(one), "0101ff"), 0);
    assert_int_equal(occurrences(kw_bytes_span(one), "010100"), 0);
}

/* OpenSSL reads the same. */
static void openssl_agrees(void **state)
{
    const struct crl_entry entries[] = {
        {serial_of(5), NOW - 5, 4},
        {serial_of(6), NOW - 5, 0}
    };
    AUTO(kw_bytes) *der = build(entries, 2);
    const unsigned char *p = der->p;
    AUTO(X509_CRL) *crl = d2i_X509_CRL(NULL, &p, (long)der->len);
    X509_REVOKED *revoked = NULL;

    (void)state;
    assert_non_null(crl);
    assert_int_equal(X509_CRL_verify(crl, pubkey_evp(privkey_public(pki->sub_key))), 1);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &revoked, cert_x509(pki->server)), 1);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &revoked, cert_x509(pki->ldevid)), 0);
}

static void a_remote_key_gets_the_tbs(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_ED25519);
    AUTO(privkey) *remote = remote_of(far);
    const struct crl_entry entry = {serial_of(5), NOW - 5, 4};
    struct listed list = {.at = &entry, .n = 1};
    struct crl_spec spec = spec_of(&list);
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;
    int reason = 0;
    int64_t at = 0;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    spec.issuer_key = privkey_public(remote);
    assert_ok(&op, crl_build(&op, &spec, remote, &der));
    assert_span_equal(kw_bytes_span(far->message), tbs_of(kw_bytes_span(der)));
    assert_ok(&op, crl_parse_tbs(&op, kw_bytes_span(far->message), &crl));
    assert_int_equal(crl_count(crl), 1);
    assert_code(crl_find(crl, serial_of(5), &reason, &at), KW_CODE_OK);
    assert_code(crl_verify_signature(NULL, crl, privkey_public(remote)), KW_E_DENIED);
    far->refuse = KW_E_DENIED;
    list.next = 0;
    AUTO(kw_bytes) *refused = NULL;
    assert_code(crl_build(&op, &spec, remote, &refused), KW_E_DENIED);
    assert_string_equal(kw_op_cause(&op), "not within policy");
}

static void failures_of_the_source_come_through(void **state)
{
    struct listed list = {.fail = KW_E_UNAVAILABLE};
    struct crl_spec spec = spec_of(&list);
    AUTO(kw_bytes) *der = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_code(crl_build(&op, &spec, pki->sub_key, &der), KW_E_UNAVAILABLE);
    assert_string_equal(kw_op_cause(&op), "the store is away");
}

static void what_cannot_be_said_is_refused(void **state)
{
    const struct crl_entry bad[] = {
        {serial_of(1), NOW, 7},
        {serial_of(1), NOW, 8}, /* a complete list removes nothing */
        {serial_of(1), NOW, 11},
        {serial_of(1), NOW, -1},
        {serial_of(1), -1, 0},
        {KW_SPAN(NULL, 0), NOW, 0},
        {KW_SPAN("\0\1", 2), NOW, 0},
    };
    AUTO(kw_bytes) *der = NULL;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        struct listed list = {.at = &bad[i], .n = 1};
        struct crl_spec spec = spec_of(&list);
        assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
    }
    struct listed none = {0};
    struct crl_spec spec = spec_of(&none);
    spec.next_update = spec.this_update;
    assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
    spec = spec_of(&none);
    spec.issuer_key = privkey_public(pki->root_key);
    assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
}

static void serials_ascend(void **state)
{
    const struct crl_entry bad[][2] = {
        {{serial_of(5), NOW, 0},           {serial_of(5), NOW, 1}      },
        {{serial_of(5), NOW, 0},           {serial_of(4), NOW, 1}      },
        {{KW_SPAN("\x01\x00", 2), NOW, 0}, {KW_SPAN("\xff", 1), NOW, 1}},
    };
    AUTO(kw_bytes) *der = NULL;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        struct listed list = {.at = bad[i], .n = 2};
        struct crl_spec spec = spec_of(&list);
        assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
    }
}

static void doubles_and_unknown_extensions_are_seen(void **state)
{
    const struct crl_entry two[] = {
        {KW_SPAN("\x31\x31\x31", 3), NOW, 0},
        {KW_SPAN("\x31\x31\x32", 3), NOW, 1}
    };
    AUTO(kw_bytes) *der = build(two, 2);
    AUTO(kw_bytes) *none = build(NULL, 0);
    AUTO(crl) *crl = NULL;

    (void)state;
    uint8_t *second = memmem(der->p, der->len, "\x02\x03\x31\x31\x32", 5);
    second[4] = 0x31;
    assert_code(crl_parse(NULL, kw_bytes_span(der), &crl), KW_E_INPUT);
    /* CRLNumber (2.5.29.20) becomes certificateIssuer (2.5.29.29) */
    uint8_t *at = memmem(none->p, none->len, "\x06\x03\x55\x1d\x14", 5);
    at[4] = 0x1d;
    assert_code(crl_parse_tbs(NULL, tbs_of(kw_bytes_span(none)), &crl), KW_CODE_OK);
    assert_true(crl_has_unknown_ext(crl));
    uint64_t number = 0;
    assert_false(crl_number(crl, &number));
}

/* RFC 5280 sections 5.2.4 to 5.2.6: what a list and its delta say of themselves. */
static void scopes_and_deltas_go_there_and_back(void **state)
{
    const struct crl_scope shard = {.url = "http://gate.example/crl/devices.7.crl"};
    const struct crl_scope users = {.url = "http://gate.example/crl/x.crl", .only_users = true};
    const struct crl_scope cas = {.only_cas = true};
    const struct crl_scope *const scopes[] = {NULL, &shard, &users, &cas};
    const struct crl_entry removed = {serial_of(5), NOW, 8};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(scopes); i++) {
        struct listed list = {.at = &removed, .n = 1};
        struct crl_spec spec = spec_of(&list);
        spec.scope = scopes[i];
        spec.base_number = spec.number - 1;
        AUTO(crl) *delta = built(&spec);
        assert_false(crl_has_unknown_ext(delta));
        assert_int_equal(crl_base_number(delta), spec.number - 1);
        assert_true(!crl_scope_of(delta) == !scopes[i]);
        if (scopes[i]) {
            assert_string_equal(crl_scope_of(delta)->url, scopes[i]->url);
            assert_true(crl_scope_of(delta)->only_users == scopes[i]->only_users);
            assert_true(crl_scope_of(delta)->only_cas == scopes[i]->only_cas);
        }
        assert_null(crl_delta_url(delta));
    }
    struct listed none = {0};
    struct crl_spec spec = spec_of(&none);
    spec.delta_url = "http://gate.example/crl/devices.delta.crl";
    AUTO(crl) *complete = built(&spec);
    assert_false(crl_has_unknown_ext(complete));
    assert_int_equal(crl_base_number(complete), 0);
    assert_string_equal(crl_delta_url(complete), spec.delta_url);
}

static void no_scope_is_empty_or_nothing(void **state)
{
    const struct crl_scope bad[] = {
        {.url = ""},
        {.only_users = true, .only_cas = true},
        {.url = "http://gate.example/with space"},
    };
    AUTO(kw_bytes) *der = NULL;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        struct listed none = {0};
        struct crl_spec spec = spec_of(&none);
        spec.scope = &bad[i];
        assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
    }
    struct listed none = {0};
    struct crl_spec spec = spec_of(&none);
    spec.base_number = spec.number; /* not a later one */
    assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
    spec.base_number = 1;
    spec.delta_url = "http://gate.example/crl/devices.delta.crl";
    assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
}

static void take(struct kw_span der, void *ctx)
{
    AUTO(crl) *crl = NULL;
    struct kw_span original = *(const struct kw_span *)ctx;

    if (kw_ok(crl_parse(NULL, der, &crl)) &&
        kw_ok(crl_verify_signature(NULL, crl, privkey_public(pki->sub_key)))) {
        assert_span_equal(tbs_of(der), tbs_of(original));
    }
}

static void take_tbs(struct kw_span der, void *ctx)
{
    AUTO(crl) *crl = NULL;

    bool read = false;

    (void)ctx;
    (void)crl_parse_tbs(NULL, der, &crl).code; /* must not crash */
    assert_true(crl_readers_agree(der, &read));
}

static void damage_never_passes_unseen(void **state)
{
    const struct crl_entry entries[] = {
        {serial_of(5), NOW, 4},
        {serial_of(6), NOW, 0}
    };
    AUTO(kw_bytes) *der = build(entries, 2);
    struct kw_span span = kw_bytes_span(der);

    (void)state;
    damage_everywhere(span, take, &span);
    damage_everywhere(tbs_of(span), take_tbs, NULL);
}

static kw_status next_many(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    static uint8_t serial[16];
    uint32_t *n = ctx;

    (void)op;
    *ret_more = *n > 0;
    if (*n > 0) {
        uint32_t left = htobe32(UINT32_MAX - --*n);
        memset(serial, 0x11, sizeof(serial));
        memcpy(serial + 4, &left, sizeof(left));
        *ret = (struct crl_entry){KW_SPAN_ARRAY(serial), NOW, 1};
    }
    return KW_OK;
}

static void long_lists_are_found_in(void **state)
{
    uint32_t n = 20000;
    struct crl_spec spec = spec_of(NULL);
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;
    int reason = 0;
    int64_t at = 0;

    (void)state;
    spec.next = next_many;
    spec.ctx = &n;
    assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_CODE_OK);
    assert_code(crl_parse(NULL, kw_bytes_span(der), &crl), KW_CODE_OK);
    assert_int_equal(crl_count(crl), 20000);
    n = 20000;
    for (;;) {
        struct crl_entry entry;
        bool more = false;
        assert_code(next_many(NULL, &n, &entry, &more), KW_CODE_OK);
        if (!more) {
            break;
        }
        assert_code(crl_find(crl, entry.serial, &reason, &at), KW_CODE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_go_there_and_back),
        cmocka_unit_test(what_is_empty_is_absent),
        cmocka_unit_test(openssl_agrees),
        cmocka_unit_test(a_remote_key_gets_the_tbs),
        cmocka_unit_test(failures_of_the_source_come_through),
        cmocka_unit_test(what_cannot_be_said_is_refused),
        cmocka_unit_test(serials_ascend),
        cmocka_unit_test(scopes_and_deltas_go_there_and_back),
        cmocka_unit_test(no_scope_is_empty_or_nothing),
        cmocka_unit_test(doubles_and_unknown_extensions_are_seen),
        cmocka_unit_test(damage_never_passes_unseen),
        cmocka_unit_test(long_lists_are_found_in),
    };

    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
