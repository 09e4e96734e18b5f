/* Which paths a TLS server takes: issuing CAs are verified under the root once, and weaken nothing.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "crypto/dn.h"
#include "kit.h"
#include "net/tls_trust.h"
#include "os/clock.h"

enum { CERTS_MAX = 64, DAY = 86400 };

/* What the tests make lives until the end. */
static struct cert *made[CERTS_MAX];
static unsigned n_made;

static struct privkey *root_key, *ca_key, *other_key, *leaf_key;
static struct cert *root, *ca;

static void must(struct kw_op *op, kw_status status)
{
    assert_ok(op, status);
}

static struct privkey *new_key(void)
{
    struct privkey *key = NULL;
    TEST_OP(op);

    must(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    return key;
}

/* Who says what about whom; times relative to now, 0 and 0: a day around. */
struct want {
    const char *cn;
    struct privkey *key;
    const char *issuer;
    struct privkey *issuer_key;
    enum { LEAF, CA } kind;
    int from, until;
    int path_len; /* + 1; 0 = none */
    const char *permit, *san;
};

static struct kw_span name(const char *cn, uint8_t room[KW_DN_MAX])
{
    const struct dn_part parts[] = {
        {"CN", cn}
    };
    struct kw_out out = {room, KW_DN_MAX, 0};
    TEST_OP(op);

    must(&op, dn_build(&op, parts, 1, &out));
    return kw_out_span(&out);
}

static struct cert *keep(struct cert *cert)
{
    assert_true(n_made < CERTS_MAX);
    made[n_made++] = cert;
    return cert;
}

static struct cert *make(const struct want *w)
{
    uint8_t subject[KW_DN_MAX];
    uint8_t issuer[KW_DN_MAX];
    uint8_t serial[KW_SERIAL_BYTES] = {0x21, (uint8_t)(n_made + 1), 1};
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;
    bool by_day = w->from == 0 && w->until == 0;
    int64_t now = os_clock_unix_s();
    struct cert_spec spec = {
        .issuer_dn = name(w->issuer, issuer),
        .subject_dn = name(w->cn, subject),
        .serial = KW_SPAN_ARRAY(serial),
        .not_before = now + (by_day ? -DAY : w->from),
        .not_after = now + (by_day ? DAY : w->until),
        .key = privkey_public(w->key),
        .issuer_key = w->key == w->issuer_key ? NULL : privkey_public(w->issuer_key),
        .is_ca = w->kind == CA,
        .path_len = w->path_len - 1,
        .key_usage =
            w->kind == CA ? CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN : CERT_KU_DIGITAL_SIGNATURE,
        .san_dns = {w->san},
        .permit_dns = {w->permit},
    };
    TEST_OP(op);

    must(&op, cert_build(&op, &spec, w->issuer_key, &der));
    must(&op, cert_parse(&op, kw_bytes_span(der), &cert));
    return keep(cert);
}

static struct cert *make_ca(const char *cn, struct privkey *key)
{
    return make(&(struct want){cn, key, "root", root_key, CA, .path_len = 1});
}

static struct cert *make_leaf(const char *issuer, struct privkey *issuer_key)
{
    return make(&(struct want){"leaf", leaf_key, issuer, issuer_key, LEAF});
}

static int start(void **state)
{
    (void)state;
    root_key = new_key();
    ca_key = new_key();
    other_key = new_key();
    leaf_key = new_key();
    root = make(&(struct want){"root", root_key, "root", root_key, CA});
    ca = make_ca("ca", ca_key);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    while (n_made > 0) {
        cert_unref(made[--n_made]);
    }
    privkey_unref(root_key);
    privkey_unref(ca_key);
    privkey_unref(other_key);
    privkey_unref(leaf_key);
    return 0;
}

/* A server's trust: one root, one intermediate (NULL = none). */
static struct tls_trust trust_in(struct cert *anchor, struct cert *between)
{
    struct tls_trust trust = {0};
    TEST_OP(op);

    must(&op, tls_trust_init(&op, X509_PURPOSE_SSL_CLIENT, &anchor, 1, &between, between ? 1 : 0,
                             &trust));
    return trust;
}

/* The word on a leaf and up to two certificates sent with it. */
static enum kw_code word(const struct tls_trust *trust, struct cert *leaf, struct cert *sent,
                         struct cert *sent_2)
{
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    X509_STORE *empty = X509_STORE_new();
    X509_STORE_CTX *asked = X509_STORE_CTX_new();
    struct tls_found found = {0};
    TEST_OP(op);

    assert_true(!sent || sk_X509_push(untrusted, cert_x509(sent)) > 0);
    assert_true(!sent_2 || sk_X509_push(untrusted, cert_x509(sent_2)) > 0);
    assert_int_equal(X509_STORE_CTX_init(asked, empty, cert_x509(leaf), untrusted), 1);
    kw_status status = tls_trust_verify(&op, trust, asked, /* with_issuer= */ true, &found);
    if (kw_ok(status)) {
        assert_memory_equal(cert_sha256(found.leaf), cert_sha256(leaf), KW_HASH_BYTES);
        assert_non_null(found.issuer);
        must(&op, cert_verify_signature(&op, leaf, cert_public(found.issuer)));
    }
    assert_int_equal(kw_ok(status), X509_STORE_CTX_get_error(asked) == X509_V_OK);
    assert_int_equal(ERR_peek_error(), 0);
    tls_found_done(&found);
    X509_STORE_CTX_free(asked);
    X509_STORE_free(empty);
    sk_X509_free(untrusted);
    return status.code;
}

/* The same, with a trust that is there for this only. */
static enum kw_code once(struct cert *anchor, struct cert *between, struct cert *leaf,
                         struct cert *sent)
{
    struct tls_trust trust = trust_in(anchor, between);
    enum kw_code code = word(&trust, leaf, sent, NULL);

    tls_trust_done(&trust);
    return code;
}

static void known_and_new_cas_lead_to_the_root(void **state)
{
    struct tls_trust trust = trust_in(root, ca);
    struct cert *new_ca = make_ca("new ca", other_key);
    struct cert *old = make_leaf("ca", ca_key);
    struct cert *new_ = make_leaf("new ca", other_key);

    (void)state;
    assert_int_equal(trust.n_anchors, 1);
    assert_int_equal(word(&trust, old, NULL, NULL), KW_CODE_OK);
    assert_int_equal(word(&trust, old, ca, NULL), KW_CODE_OK);
    assert_int_equal(word(&trust, old, ca, root), KW_CODE_OK);
    assert_int_equal(word(&trust, new_, new_ca, NULL), KW_CODE_OK); /* not known here yet */
    assert_int_equal(word(&trust, new_, NULL, NULL), KW_E_AUTH);
    assert_int_equal(word(&trust, make_leaf("root", root_key), NULL, NULL), KW_CODE_OK);
    tls_trust_done(&trust);
}

static void what_is_not_valid_under_the_root_is_no_anchor(void **state)
{
    struct cert *selfmade = make(&(struct want){"ca", other_key, "ca", other_key, CA});
    struct cert *another = make(&(struct want){"ca", other_key, "another", leaf_key, CA});
    struct cert *pretended = make(&(struct want){"ca", other_key, "root", leaf_key, CA});
    struct cert *no_ca = make(&(struct want){"ca", other_key, "root", root_key, LEAF});
    struct cert *const cas[] = {selfmade, another, pretended, no_ca};
    struct cert *leaf = make_leaf("ca", other_key);

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(cas); i++) {
        struct tls_trust trust = trust_in(root, cas[i]);
        assert_int_equal(trust.n_anchors, 0);
        assert_int_equal(word(&trust, leaf, NULL, NULL), KW_E_AUTH);
        assert_int_equal(word(&trust, leaf, cas[i], NULL), KW_E_AUTH);
        tls_trust_done(&trust);
        assert_int_equal(once(root, ca, leaf, cas[i]), KW_E_AUTH); /* beside the right one */
    }
}

/* Valid under the root, and a CA by its basic constraints, but its key may not sign certificates.
 */
static void a_ca_that_may_not_sign_is_no_anchor(void **state)
{
    X509 *x509 = X509_dup(cert_x509(ca));
    X509_EXTENSION *usage = X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, "critical,cRLSign");
    struct cert *cert = NULL;
    TEST_OP(op);

    (void)state;
    X509_EXTENSION_free(
        X509_delete_ext(x509, X509_get_ext_by_NID(x509, NID_key_usage, /* lastpos= */ -1)));
    assert_int_equal(X509_add_ext(x509, usage, -1), 1);
    assert_true(X509_sign(x509, privkey_evp(root_key), EVP_sha256()) > 0);
    must(&op, cert_from_x509(&op, x509, &cert));
    struct tls_trust trust = trust_in(root, keep(cert));
    assert_int_equal(trust.n_anchors, 0);
    assert_int_equal(word(&trust, make_leaf("ca", ca_key), NULL, NULL), KW_E_AUTH);
    tls_trust_done(&trust);
    X509_EXTENSION_free(usage);
    X509_free(x509);
}

static void forged_clients_are_refused(void **state)
{
    struct tls_trust trust = trust_in(root, ca);
    struct cert *fake_root = make(&(struct want){"root", leaf_key, "root", leaf_key, CA});
    struct cert *device = make_leaf("ca", ca_key);
    struct cert *const refused[][3] = {
        {make_leaf("ca", other_key)}, /* another's signature under the right name */
        {make(&(struct want){"leaf", leaf_key, "leaf", leaf_key, LEAF})},
        {make(&(struct want){"ca", leaf_key, "ca", leaf_key, LEAF})},
        {make(&(struct want){"ca", leaf_key, "ca", leaf_key, CA})},
        {make_leaf("ca", other_key), make(&(struct want){"ca", other_key, "ca", other_key, CA})},
        {make_leaf("ca", other_key), make(&(struct want){"ca", other_key, "root", leaf_key, CA}),
         fake_root},
        {make(&(struct want){"x", other_key, "leaf", leaf_key, LEAF}), device,
         ca}, /* a device as CA */
        {make(
             &(struct want){"x", other_key, "sub", leaf_key, LEAF}), /* the CA's path length is 0 */
         make(&(struct want){"sub", leaf_key, "ca", ca_key, CA}), ca},
    };

    (void)state;
    assert_int_equal(word(&trust, device, NULL, NULL), KW_CODE_OK);
    for (unsigned i = 0; i < KW_COUNT(refused); i++) {
        enum kw_code code = word(&trust, refused[i][0], refused[i][1], refused[i][2]);
        if (code != KW_E_AUTH) {
            fail_msg("forgery %u: %s", i, kw_code_text(code));
        }
    }
    tls_trust_done(&trust);
}

/* What a root demands of all below it would be lost where the path ends at an anchor. */
static void constraints_of_the_root_hold(void **state)
{
    struct cert *no_cas =
        make(&(struct want){"root", root_key, "root", root_key, CA, .path_len = 1});
    struct cert *names =
        make(&(struct want){"root", root_key, "root", root_key, CA, .permit = "good.test"});
    struct cert *leaf = make_leaf("ca", ca_key);
    struct want named = {"leaf", leaf_key, "ca", ca_key, LEAF, .san = "a.good.test"};

    (void)state;
    assert_int_equal(once(no_cas, ca, leaf, NULL), KW_E_AUTH);
    assert_int_equal(once(no_cas, ca, leaf, ca), KW_E_AUTH);
    assert_int_equal(once(names, ca, make(&named), NULL), KW_CODE_OK);
    named.san = "a.bad.test";
    assert_int_equal(once(names, ca, make(&named), NULL), KW_E_AUTH);
    assert_int_equal(once(root, ca, make(&named), NULL), KW_CODE_OK);
}

/* The anchor's own constraints, too. */
static void constraints_of_an_anchor_hold(void **state)
{
    struct cert *named_ca =
        make(&(struct want){"ca", ca_key, "root", root_key, CA, .permit = "good.test"});
    struct want named = {"leaf", leaf_key, "ca", ca_key, LEAF, .san = "a.good.test"};
    struct tls_trust trust = trust_in(root, named_ca);

    (void)state;
    assert_int_equal(trust.n_anchors, 1);
    assert_int_equal(word(&trust, make(&named), NULL, NULL), KW_CODE_OK);
    named.san = "a.bad.test";
    assert_int_equal(word(&trust, make(&named), NULL, NULL), KW_E_AUTH);
    tls_trust_done(&trust);
}

static void expired_intermediates_help_nobody(void **state)
{
    struct cert *leaf = make_leaf("ca", ca_key);
    struct cert *expired =
        make(&(struct want){"ca", ca_key, "root", root_key, CA, .from = -2 * DAY, .until = -DAY});
    struct cert *future =
        make(&(struct want){"ca", ca_key, "root", root_key, CA, .from = DAY, .until = 2 * DAY});

    (void)state;
    assert_int_equal(once(root, expired, leaf, NULL), KW_E_EXPIRED);
    assert_int_equal(once(root, NULL, leaf, expired), KW_E_EXPIRED);
    assert_int_equal(once(root, expired, leaf, expired), KW_E_EXPIRED);
    assert_int_equal(once(root, future, leaf, NULL), KW_E_EXPIRED);
    assert_int_equal(once(root, ca, leaf, expired), KW_CODE_OK); /* the right one is here */
    assert_int_equal(once(root, expired, leaf, ca), KW_CODE_OK); /* … or was sent */
}

/* What was verified at the start is no more than what was valid then. */
static void time_goes_on(void **state)
{
    enum { SOON = 3 };
    struct want brief = {"ca", ca_key, "root", root_key, CA, .from = -DAY, .until = SOON};
    struct tls_trust ca_ends = trust_in(root, make(&brief));
    brief = (struct want){"root", root_key, "root", root_key, CA, .from = -DAY, .until = SOON};
    struct tls_trust root_ends = trust_in(make(&brief), ca);
    brief = (struct want){"ca", ca_key, "root", root_key, CA, .from = SOON, .until = DAY};
    struct tls_trust ca_begins = trust_in(root, make(&brief));
    struct cert *leaf = make_leaf("ca", ca_key);

    (void)state;
    assert_int_equal(ca_ends.n_anchors, 1);
    assert_int_equal(root_ends.n_anchors, 1);
    assert_int_equal(word(&ca_ends, leaf, NULL, NULL), KW_CODE_OK);
    assert_int_equal(word(&root_ends, leaf, NULL, NULL), KW_CODE_OK);
    assert_int_equal(word(&ca_begins, leaf, NULL, NULL), KW_E_EXPIRED);
    (void)sleep(SOON + 1);
    assert_int_equal(word(&ca_ends, leaf, NULL, NULL), KW_E_EXPIRED);
    assert_int_equal(word(&root_ends, leaf, NULL, NULL), KW_E_EXPIRED);
    assert_int_equal(word(&ca_begins, leaf, NULL, NULL), KW_CODE_OK);
    tls_trust_done(&ca_ends);
    tls_trust_done(&root_ends);
    tls_trust_done(&ca_begins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_and_new_cas_lead_to_the_root),
        cmocka_unit_test(what_is_not_valid_under_the_root_is_no_anchor),
        cmocka_unit_test(a_ca_that_may_not_sign_is_no_anchor),
        cmocka_unit_test(forged_clients_are_refused),
        cmocka_unit_test(constraints_of_the_root_hold),
        cmocka_unit_test(constraints_of_an_anchor_hold),
        cmocka_unit_test(expired_intermediates_help_nobody),
        cmocka_unit_test(time_goes_on),
    };

    return cmocka_run_group_tests_name("trust", tests, start, stop);
}
