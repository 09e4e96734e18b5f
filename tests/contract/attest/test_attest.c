/* The server's judgement of a real TPM's words (swtpm), and of a device that lies. */
#include "rig.h"

#include <dirent.h>

#include "base/pem.h"
#include "crypto/privkey.h"
#include "os/clock.h"
#include "os/files.h"
#include "rot/rot.h"
#include "service/attest/attest.h"
#include "service/attest/attest_internal.h"
#include "swtpm.h"

/* A machine with a TPM. */
struct machine {
    char dir[256], ca[256], vault[256];
    struct swtpm tpm;
    struct rot *rot;
    struct rot_key *key;
    struct rot_attest_keys keys;
};

static const uint8_t exporter[KW_HASH_BYTES] = {7};
static struct machine ours, theirs;

static void machine_start(struct machine *m, const char *base)
{
    char uri[900];
    TEST_OP(op);

    (void)snprintf(m->dir, sizeof(m->dir), "%s-tpm", base);
    (void)snprintf(m->ca, sizeof(m->ca), "%s-ca", base);
    (void)snprintf(m->vault, sizeof(m->vault), "%s-keys", base);
    assert_int_equal(rig_run((const char *[]){"/bin/mkdir", "-p", m->dir, m->ca, m->vault, NULL}),
                     0);
    assert_int_equal(rig_run((const char *[]){"/bin/chmod", "700", m->vault, NULL}), 0);
    assert_true(swtpm_manufacture(m->dir, m->ca));
    assert_true(swtpm_start(&m->tpm, m->dir, 0));
    (void)snprintf(uri, sizeof(uri), "tpm2:dir=%s,tcti=%s", m->vault, m->tpm.tcti);
    assert_ok(&op, rot_open(&op, uri, &m->rot));
    assert_ok(&op, rot_key_generate(&op, m->rot, "ldevid", KEY_ALG_EC_P256, &m->key));
    assert_ok(&op, rot_attest_keys(&op, m->rot, &m->keys));
}

static void machine_stop(struct machine *m)
{
    rot_attest_keys_done(&m->keys);
    rot_key_close(m->key);
    rot_close(m->rot);
    swtpm_stop(&m->tpm);
    (void)rig_run((const char *[]){"/bin/rm", "-rf", m->dir, m->ca, m->vault, NULL});
}

static int group_setup(void **state)
{
    (void)state;
    char base[64] = "/tmp/kw-attest-XXXXXX", name[80];
    assert_non_null(mkdtemp(base));
    (void)snprintf(name, sizeof(name), "%s/a", base);
    machine_start(&ours, name);
    (void)snprintf(name, sizeof(name), "%s/b", base);
    machine_start(&theirs, name);
    return 0;
}

static int group_teardown(void **state)
{
    char base[64];

    (void)state;
    (void)snprintf(base, sizeof(base), "%.21s", ours.dir);
    machine_stop(&ours);
    machine_stop(&theirs);
    (void)rig_run((const char *[]){"/bin/rmdir", base, NULL});
    return 0;
}

static struct attest_peer peer_of(const struct machine *m)
{
    return (struct attest_peer){
        .device = "D1", .key = rot_key_public(m->key), .exporter = KW_SPAN_ARRAY(exporter)};
}

/* Every certificate of the maker's folder that is a CA's. */
static void trust_maker(struct place *place, const struct machine *m)
{
    DIR *dir = opendir(m->ca);
    unsigned n = 0;
    TEST_OP(op);

    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct store_attest_root root;
        AUTO(kw_bytes) *file = NULL;
        AUTO(kw_bytes) *der = NULL;
        char path[600];

        (void)snprintf(path, sizeof(path), "%s/%s", m->ca, entry->d_name);
        kw_op_clear(&op);
        if (!strstr(entry->d_name, ".pem") || !kw_ok(os_file_read(&op, path, 16384, &file))) {
            continue;
        }
        struct kw_span rest = kw_bytes_span(file);
        if (kw_ok(kw_pem_next(&rest, "CERTIFICATE", 8192, &der)) &&
            kw_ok(attest_root_add(&op, place->service, kw_bytes_span(der), true, &root))) {
            n++;
        }
    }
    (void)closedir(dir);
    assert_true(n >= 2); /* the root and what issues */
}

static kw_status enrol(struct kw_op *op, struct place *place, const struct machine *m,
                       const struct machine *cert_of, struct attest_session *ret)
{
    const struct attest_peer peer = peer_of(m);
    const struct attest_enrolment asked = {.root_of_trust = "tpm2",
                                           .ek_cert = kw_bytes_span(cert_of->keys.ek_cert),
                                           .ek_public = kw_bytes_span(m->keys.ek_public),
                                           .ak_public = kw_bytes_span(m->keys.ak_public)};

    return attest_enrol(op, place->service, &peer, &asked, ret);
}

static void certify(const struct machine *m, const struct attest_peer *peer, struct kw_span nonce,
                    struct rot_certified *ret)
{
    uint8_t wanted[KW_HASH_BYTES];
    TEST_OP(op);

    assert_true(attest_qualifying(peer, nonce, wanted));
    memset(ret, 0, sizeof(*ret));
    assert_ok(&op, rot_attest_certify(&op, m->rot, m->key, KW_SPAN_ARRAY(wanted), ret));
}

static void bind_machine(struct place *place, const struct machine *m)
{
    const struct attest_peer peer = peer_of(m);
    struct attest_session session;
    struct rot_certified certified;
    struct store_attest row;
    AUTO(kw_secret) *opened = NULL;
    TEST_OP(op);

    assert_ok(&op, enrol(&op, place, m, m, &session));
    assert_ok(&op, rot_attest_activate(&op, m->rot, kw_bytes_span(session.blob),
                                       kw_bytes_span(session.seed), &opened));
    certify(m, &peer, KW_SPAN_ARRAY(session.session), &certified);
    const struct attest_activation said = {
        .session = KW_SPAN_ARRAY(session.session),
        .activated = kw_secret_span(opened),
        .certified = {kw_bytes_span(certified.key_public), kw_bytes_span(certified.attest),
                      kw_bytes_span(certified.sig)}
    };
    assert_ok(&op, attest_activate(&op, place->service, &peer, &said, &row));
    assert_int_equal(row.standing.reason, ATTEST_R_NO_ROUND);
    assert_code(&op, attest_activate(&op, place->service, &peer, &said, &row), KW_E_STATE);
    rot_certified_done(&certified);
    kw_bytes_free(session.blob);
    kw_bytes_free(session.seed);
}

static kw_status bind_ek(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct store_attest row;

    TRY(op, store_attest_get_txn(op, txn, "D1", &row));
    memcpy(row.ek, ctx, sizeof(row.ek));
    return store_attest_put(op, txn, &row);
}

/* Two TPMs that begin while none is bound: the second to end does not take the first one's place.
 */
static void bound_in_between(void **state)
{
    struct place *place = *state;
    const struct attest_peer peer = peer_of(&ours);
    uint8_t none[KW_HASH_BYTES] = {0}, other[KW_HASH_BYTES] = {1};
    struct attest_session session;
    struct store_attest row;
    struct unit unit;
    AUTO(kw_secret) *opened = NULL;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    trust_maker(place, &ours);
    assert_ok(&op, enrol(&op, place, &ours, &ours, &session));
    assert_ok(&op, rot_attest_activate(&op, ours.rot, kw_bytes_span(session.blob),
                                       kw_bytes_span(session.seed), &opened));
    assert_ok(&op, store_change(&op, place->service->store, bind_ek, other));
    const struct attest_activation said = {.session = KW_SPAN_ARRAY(session.session),
                                           .activated = kw_secret_span(opened)};
    assert_code(&op, attest_activate(&op, place->service, &peer, &said, &row), KW_E_CONFLICT);
    assert_ok(&op, store_attest_get(&op, place->service->store, "D1", &row));
    assert_memory_equal(row.ek, other, sizeof(other));
    assert_int_equal(row.standing.reason, ATTEST_R_EK_CHANGED);
    assert_non_null(strstr(row.detail, "attest reset D1"));
    assert_ok(&op, store_change(&op, place->service->store, bind_ek, none));
    kw_bytes_free(session.blob);
    kw_bytes_free(session.seed);
    unit_done(&unit);
}

/* One round of evidence, as it leaves the device; a test alters it. */
struct round {
    struct attest_peer peer;
    uint8_t nonce[ATTEST_NONCE], pcrs[8 * KW_HASH_BYTES];
    struct rot_quote quote;
    struct attest_evidence said;
};

static void quote(const struct machine *m, struct round *r, const uint8_t mask[3])
{
    uint8_t wanted[KW_HASH_BYTES];
    TEST_OP(op);

    assert_true(attest_qualifying(&r->peer, KW_SPAN_ARRAY(r->nonce), wanted));
    memset(&r->quote, 0, sizeof(r->quote));
    assert_ok(&op, rot_attest_quote(&op, m->rot, KW_SPAN_ARRAY(wanted), mask, &r->quote));
    memcpy(r->pcrs, r->quote.pcrs, sizeof(r->pcrs));
    r->said = (struct attest_evidence){.nonce = KW_SPAN_ARRAY(r->nonce),
                                       .quote = kw_bytes_span(r->quote.attest),
                                       .signature = kw_bytes_span(r->quote.sig),
                                       .pcrs = KW_SPAN_ARRAY(r->pcrs)};
}

static void ask(struct place *place, struct round *r)
{
    struct attest_challenge challenge;
    TEST_OP(op);

    assert_ok(&op, attest_challenge(&op, place->service, &r->peer, &challenge));
    memcpy(r->nonce, challenge.nonce, sizeof(r->nonce));
}

static void begin(struct place *place, const struct machine *m, struct round *r)
{
    memset(r, 0, sizeof(*r));
    r->peer = peer_of(m);
    ask(place, r);
    quote(m, r, attest_pcr_mask);
}

static struct store_attest hand_in(struct place *place, const struct round *r)
{
    struct store_attest row;
    TEST_OP(op);

    assert_ok(&op, attest_evidence(&op, place->service, &r->peer, &r->said, &row));
    return row;
}

static void expect(struct place *place, struct round *r, enum attest_reason reason)
{
    struct store_attest row = hand_in(place, r);

    assert_string_equal(attest_reason_text(row.standing.reason), attest_reason_text(reason));
    assert_int_equal(row.standing.verdict == ATTEST_TRUSTED, reason == ATTEST_R_OK);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void begin_test(struct place *place)
{
    struct unit unit;

    unit_register(place, "D1", &unit);
    unit_done(&unit);
}

static kw_status permit(struct kw_op *op, struct place *place, const struct machine *m,
                        const char *wanted, int64_t now_ms)
{
    struct profile profile = {.name = "ldevid", .attest_level = ATTEST_AL3};

    KW_TEXT_SET(profile.attest, wanted);
    return attest_permit(op, place->service, "D1", &profile, rot_key_public(m->key), now_ms);
}

static void a_genuine_tpm_is_trusted(void **state)
{
    struct place *place = *state;
    struct attest_session session;
    struct store_device device;
    struct round r;
    TEST_OP(op);

    begin_test(place);
    assert_code(&op, enrol(&op, place, &ours, &ours, &session), KW_E_DENIED); /* nobody vouches */
    trust_maker(place, &ours);
    assert_code(&op, enrol(&op, place, &ours, &theirs, &session), KW_E_DENIED); /* ek_mismatch */
    bind_machine(place, &ours);
    assert_code(&op, permit(&op, place, &ours, "required", os_clock_unix_ms()), KW_E_DENIED);
    begin(place, &ours, &r);
    expect(place, &r, ATTEST_R_OK);
    rot_quote_done(&r.quote);
    assert_ok(&op, store_device_get(&op, place->service->store, "D1", &device));
    assert_int_equal(device.attest.verdict, ATTEST_TRUSTED);
    assert_int_equal(device.attest.level, ATTEST_AL3);
    assert_true(device.attest.simulated); /* never hardware */
    int64_t now_ms = os_clock_unix_ms();
    assert_ok(&op, permit(&op, place, &ours, "fresh", now_ms));
    assert_ok(&op, permit(&op, place, &ours, "required", now_ms + 3600000));
    assert_code(&op, permit(&op, place, &ours, "fresh", now_ms + 3600000), KW_E_DENIED);
    assert_code(&op, permit(&op, place, &ours, "required", now_ms + 90000000), KW_E_DENIED);
    trust_maker(place, &theirs);
    assert_code(&op, enrol(&op, place, &theirs, &theirs, &session), KW_E_CONFLICT); /* another EK */
    assert_ok(&op, attest_reset(&op, place->service, "D1"));
    bind_machine(place, &theirs);
}

static uint8_t room[1024];
static struct kw_span altered(struct kw_span from, size_t at)
{
    memcpy(room, from.p, from.len);
    room[at] ^= 1;
    return KW_SPAN(room, from.len);
}

static void each_lie_has_its_reason(void **state)
{
    static const uint8_t other_exporter[KW_HASH_BYTES] = {8}, other_mask[3] = {0x0f, 0, 0};
    struct place *place = *state;
    struct round r, old;

    begin_test(place);
    trust_maker(place, &ours);
    bind_machine(place, &ours);
    begin(place, &ours, &old);
    expect(place, &old, ATTEST_R_OK);
    expect(place, &old, ATTEST_R_REPLAY); /* the same message again */

    begin(place, &ours, &r);
    old.said.nonce = KW_SPAN_ARRAY(r.nonce); /* the old quote behind a new nonce */
    expect(place, &old, ATTEST_R_REPLAY);
    rot_quote_done(&old.quote);
    rot_quote_done(&r.quote);

#define LIE(change, reason)                                                                        \
    do {                                                                                           \
        begin(place, &ours, &r);                                                                   \
        change;                                                                                    \
        expect(place, &r, (reason));                                                               \
        rot_quote_done(&r.quote);                                                                  \
    } while (0)
    LIE(r.said.nonce = altered(r.said.nonce, 20), ATTEST_R_WRONG_NONCE);
    LIE(r.peer.exporter = KW_SPAN_ARRAY(other_exporter), ATTEST_R_WRONG_BINDING);
    LIE(r.peer.exporter = KW_SPAN("", 0), ATTEST_R_WRONG_BINDING);
    LIE(r.peer.key = rot_key_public(theirs.key), ATTEST_R_KEY_NOT_CERTIFIED);
    LIE(r.said.quote = altered(r.said.quote, 0), ATTEST_R_BAD_MAGIC);
    LIE(r.said.quote = altered(r.said.quote, 5), ATTEST_R_BAD_TYPE);
    LIE(r.said.quote = altered(r.said.quote, 20), ATTEST_R_WRONG_AK);
    LIE(r.said.quote = altered(r.said.quote, r.said.quote.len - 1), ATTEST_R_BAD_SIGNATURE);
    LIE(r.said.quote = kw_span_sub(r.said.quote, 0, 40), ATTEST_R_MALFORMED);
    LIE(r.said.signature = altered(r.said.signature, 20), ATTEST_R_BAD_SIGNATURE);
    LIE(r.said.pcrs = altered(r.said.pcrs, 0), ATTEST_R_PCR_DIGEST);
    LIE(r.said.pcrs = kw_span_sub(r.said.pcrs, 0, 64), ATTEST_R_PCR_DIGEST);
    LIE(r.said.quote = KW_SPAN(NULL, 0), ATTEST_R_TPM_EXPECTED);
    LIE(r.said.log = kw_span_text("nonsense"), ATTEST_R_LOG_MALFORMED);
    LIE((rot_quote_done(&r.quote), quote(&ours, &r, other_mask)), ATTEST_R_WRONG_PCRS);
    LIE((rot_quote_done(&r.quote), quote(&theirs, &r, attest_pcr_mask)), ATTEST_R_WRONG_AK);
#undef LIE
    struct rot_certified certified;
    begin(place, &ours, &r);
    certify(&ours, &r.peer, KW_SPAN_ARRAY(r.nonce), &certified);
    r.said.quote = kw_bytes_span(certified.attest); /* a statement of the AK, but no quote */
    r.said.signature = kw_bytes_span(certified.sig);
    expect(place, &r, ATTEST_R_BAD_TYPE);
    assert_int_equal(hand_in(place, &r).standing.verdict, ATTEST_FAILED); /* k of n by now */
    rot_certified_done(&certified);
    rot_quote_done(&r.quote);
}

/* --- a key that is about to be asked for ------------------------------------------------------ */

/* What this machine's AK says of this key of it, over the round's nonce and connection. */
static void certify_next(const struct machine *m, struct rot_key *key, struct round *r,
                         struct rot_certified *ret)
{
    uint8_t wanted[KW_HASH_BYTES];
    TEST_OP(op);

    assert_true(attest_qualifying(&r->peer, KW_SPAN_ARRAY(r->nonce), wanted));
    memset(ret, 0, sizeof(*ret));
    assert_ok(&op, rot_attest_certify(&op, m->rot, key, KW_SPAN_ARRAY(wanted), ret));
    r->said.next = (struct attest_certified){kw_bytes_span(ret->key_public),
                                             kw_bytes_span(ret->attest), kw_bytes_span(ret->sig)};
}

static kw_status permit_key(struct kw_op *op, struct place *place, const struct pubkey *key,
                            int64_t later_ms)
{
    const struct profile fresh = {.name = "ldevid", .attest = "fresh"};

    return attest_permit(op, place->service, "D1", &fresh, key, os_clock_unix_ms() + later_ms);
}

static void a_new_key_must_lie_in_the_tpm(void **state)
{
    struct place *place = *state;
    struct rot_certified certified, old;
    struct round r;
    struct rot_key *next = NULL;
    AUTO(privkey) *soft = rig_key();
    TEST_OP(op);

    begin_test(place);
    trust_maker(place, &ours);
    bind_machine(place, &ours);
    assert_ok(&op, rot_key_generate(&op, ours.rot, "next", KEY_ALG_EC_P256, &next));
    begin(place, &ours, &r);
    expect(place, &r, ATTEST_R_OK); /* fresh, of the old key alone */
    rot_quote_done(&r.quote);
    assert_ok(&op, permit_key(&op, place, rot_key_public(ours.key), 0)); /* that was shown itself */
    assert_code(&op, permit_key(&op, place, rot_key_public(next), 0), KW_E_DENIED);
    assert_code(&op, permit_key(&op, place, privkey_public(soft), 0), KW_E_DENIED);

    begin(place, &ours, &r);
    certify_next(&ours, next, &r, &old);
    expect(place, &r, ATTEST_R_OK);
    rot_quote_done(&r.quote);
    assert_ok(&op, permit_key(&op, place, rot_key_public(next), 0));
    assert_code(&op, permit_key(&op, place, privkey_public(soft), 0), KW_E_DENIED); /* the lie */
    assert_code(&op, permit_key(&op, place, NULL, 0), KW_E_DENIED); /* the server's own make */

    /* Ten minutes later, with another good round in between: that one said nothing of the key. */
    assert_code(&op, permit_key(&op, place, rot_key_public(next), 601000), KW_E_DENIED);
    assert_ok(&op, attest_reset(&op, place->service, "D1"));
    bind_machine(place, &ours);
    begin(place, &ours, &r);
    expect(place, &r, ATTEST_R_OK);
    rot_quote_done(&r.quote);
    assert_code(&op, permit_key(&op, place, rot_key_public(next), 0), KW_E_DENIED); /* forgotten */

#define LIE(change, reason)                                                                        \
    do {                                                                                           \
        begin(place, &ours, &r);                                                                   \
        change;                                                                                    \
        expect(place, &r, (reason));                                                               \
        rot_quote_done(&r.quote);                                                                  \
        rot_certified_done(&certified);                                                            \
        assert_code(&op, permit_key(&op, place, rot_key_public(next), 0), KW_E_DENIED);            \
    } while (0)
    LIE((certify_next(&ours, next, &r, &certified), r.said.next.certify = kw_bytes_span(old.attest),
         r.said.next.signature = kw_bytes_span(old.sig)),
        ATTEST_R_WRONG_BINDING); /* of another round */
    LIE(certify_next(&theirs, theirs.key, &r, &certified), ATTEST_R_WRONG_AK);
    LIE((certify_next(&ours, ours.key, &r, &certified),
         r.said.next.key_public = kw_bytes_span(old.key_public)),
        ATTEST_R_WRONG_KEY);
    LIE((certify_next(&ours, next, &r, &certified),
         r.said.next.signature = altered(r.said.next.signature, 20)),
        ATTEST_R_BAD_SIGNATURE);
#undef LIE
    rot_certified_done(&old);
    rot_key_close(next);
}

/* --- tpm2-tools as the judge ------------------------------------------------------------------ */

static void put(const char *name, struct kw_span octets, char path[300])
{
    TEST_OP(op);

    (void)snprintf(path, 300, "%s/%s", ours.vault, name);
    assert_ok(&op, os_file_write(&op, path, 0600, octets));
}

/* Does tpm2_checkquote take it, as a quote by this machine's AK over this nonce? */
static bool tools_take(const struct machine *m, const struct round *r)
{
    char key[300], statement[300], signature[300], wanted[300];
    uint8_t qualifying[KW_HASH_BYTES];
    struct tpm_public ak;
    AUTO(kw_bytes) *spki = NULL;
    AUTO(kw_bytes) *pem = NULL;
    TEST_OP(op);

    assert_true(attest_qualifying(&r->peer, r->said.nonce, qualifying));
    assert_ok(&op, tpm_public_read(&op, kw_bytes_span(m->keys.ak_public), true, &ak));
    assert_ok(&op, tpm_public_spki(&op, &ak, &spki));
    assert_ok(&op, kw_bytes_new(512, &pem));
    assert_ok(&op, kw_pem_encode("PUBLIC KEY", kw_bytes_span(spki), pem));
    put("ak.pem", kw_bytes_span(pem), key);
    put("quote.msg", r->said.quote, statement);
    put("quote.sig", r->said.signature, signature);
    put("quote.nonce", KW_SPAN_ARRAY(qualifying), wanted);
    return rig_run((const char *[]){"/usr/bin/tpm2_checkquote", "-Q", "-u", key, "-m", statement,
                                    "-s", signature, "-g", "sha256", "-q", wanted, NULL}) == 0;
}

static void tpm2_checkquote_agrees(void **state)
{
    static const uint8_t other_exporter[KW_HASH_BYTES] = {9};
    struct place *place = *state;
    struct round r;

    begin_test(place);
    trust_maker(place, &ours);
    bind_machine(place, &ours);
#define BOTH(change, m, want)                                                                      \
    do {                                                                                           \
        begin(place, &ours, &r);                                                                   \
        change;                                                                                    \
        assert_int_equal(tools_take((m), &r), (want) == ATTEST_R_OK);                              \
        expect(place, &r, (want));                                                                 \
        rot_quote_done(&r.quote);                                                                  \
    } while (0)
    BOTH((void)0, &ours, ATTEST_R_OK);
    BOTH(r.said.quote = altered(r.said.quote, 0), &ours, ATTEST_R_BAD_MAGIC);
    BOTH(r.said.quote = altered(r.said.quote, 60), &ours, ATTEST_R_BAD_SIGNATURE);
    BOTH(r.said.quote = altered(r.said.quote, r.said.quote.len - 1), &ours, ATTEST_R_BAD_SIGNATURE);
    BOTH(r.said.signature = altered(r.said.signature, 20), &ours, ATTEST_R_BAD_SIGNATURE);
    BOTH(r.peer.exporter = KW_SPAN_ARRAY(other_exporter), &ours, ATTEST_R_WRONG_BINDING);
    BOTH((rot_quote_done(&r.quote), quote(&theirs, &r, attest_pcr_mask)), &ours, ATTEST_R_WRONG_AK);
#undef BOTH
}

static void a_device_without_tpm_is_at_the_lowest_level(void **state)
{
    struct place *place = *state;
    uint8_t text[52] = "keywright-attest-v1", sig_room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(sig_room);
    AUTO(privkey) *key = rig_key();
    struct round r = {
        .peer = {.device = "D1", .key = privkey_public(key), .exporter = KW_SPAN_ARRAY(exporter)}
    };
    TEST_OP(op);

    begin_test(place);
    ask(place, &r);
    assert_true(attest_qualifying(&r.peer, KW_SPAN_ARRAY(r.nonce), text + 20));
    assert_ok(&op, privkey_sign(&op, key, KW_SPAN_ARRAY(text), &sig));
    r.said =
        (struct attest_evidence){.nonce = KW_SPAN_ARRAY(r.nonce), .signature = kw_out_span(&sig)};
    struct store_attest row = hand_in(place, &r);
    assert_int_equal(row.standing.verdict, ATTEST_TRUSTED);
    assert_int_equal(row.level, ATTEST_AL0);
    expect(place, &r, ATTEST_R_REPLAY);
    ask(place, &r);
    expect(place, &r, ATTEST_R_BAD_SIGNATURE);
}

/* More in a minute than are remembered: still none of them counts twice. */
static void each_of_many_nonces_counts_once(void **state)
{
    enum { MANY = 70 };
    static struct round rounds[MANY];
    static uint8_t sigs[MANY][KW_SIG_MAX];
    struct place *place = *state;
    AUTO(privkey) *key = rig_key();
    TEST_OP(op);

    begin_test(place);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t text[52] = "keywright-attest-v1";
        struct kw_out sig = KW_OUT_ARRAY(sigs[i]);
        struct round *r = &rounds[i];
        memset(r, 0, sizeof(*r));
        r->peer = (struct attest_peer){"D1", privkey_public(key), KW_SPAN_ARRAY(exporter)};
        ask(place, r);
        assert_true(attest_qualifying(&r->peer, KW_SPAN_ARRAY(r->nonce), text + 20));
        assert_ok(&op, privkey_sign(&op, key, KW_SPAN_ARRAY(text), &sig));
        r->said = (struct attest_evidence){.nonce = KW_SPAN_ARRAY(r->nonce),
                                           .signature = kw_out_span(&sig)};
        assert_int_equal(hand_in(place, r).standing.reason, ATTEST_R_OK);
    }
    uint64_t trusted_ms = (uint64_t)hand_in(place, &rounds[0]).standing.trusted_ms;
    for (unsigned i = 0; i < MANY; i++) {
        struct store_attest row = hand_in(place, &rounds[i]);
        assert_int_not_equal(row.standing.reason, ATTEST_R_OK);
        assert_int_equal(row.standing.trusted_ms, trusted_ms);
    }
}

/* --- the event log ---------------------------------------------------------------------------- */

static const uint8_t header[] = {0,   0,   0,   0,   3,   0,   0,   0,   0,    0,   0,   0,   0,
                                 0,   0,   0,   0,   0,   0,   0,   0,   0,    0,   0,   0,   0,
                                 0,   0,   33,  0,   0,   0,   'S', 'p', 'e',  'c', ' ', 'I', 'D',
                                 ' ', 'E', 'v', 'e', 'n', 't', '0', '3', 0,    0,   0,   0,   0,
                                 0,   2,   0,   2,   1,   0,   0,   0,   0x0b, 0,   32,  0,   0};

static void append_event(struct kw_out *log, uint8_t pcr, uint8_t fill)
{
    const uint8_t head[] = {pcr, 0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0, 0x0b, 0};
    const uint8_t tail[] = {2, 0, 0, 0, 'o', 'k'};
    uint8_t digest[KW_HASH_BYTES];

    memset(digest, fill, sizeof(digest));
    assert_true(kw_ok(kw_out_append(log, KW_SPAN_ARRAY(head))));
    assert_true(kw_ok(kw_out_append(log, KW_SPAN_ARRAY(digest))));
    assert_true(kw_ok(kw_out_append(log, KW_SPAN_ARRAY(tail))));
}

static void extend(uint8_t pcr, uint8_t fill)
{
    char what[128];
    int n = snprintf(what, sizeof(what), "%u:sha256=", pcr);

    for (unsigned i = 0; i < KW_HASH_BYTES; i++) {
        n += snprintf(what + n, sizeof(what) - (size_t)n, "%02x", fill);
    }
    assert_int_equal(
        rig_run((const char *[]){"/usr/bin/tpm2_pcrextend", "-T", ours.tpm.tcti, what, NULL}), 0);
}

static void the_log_is_replayed_to_the_quote(void **state)
{
    struct place *place = *state;
    uint8_t log_room[2048];
    struct kw_out log = KW_OUT_ARRAY(log_room);
    struct round r;

    begin_test(place);
    trust_maker(place, &ours);
    bind_machine(place, &ours);
    extend(4, 0xaa);
    extend(5, 0xbb);
#define ROUND(octets, want)                                                                        \
    do {                                                                                           \
        begin(place, &ours, &r);                                                                   \
        r.said.log = (octets);                                                                     \
        struct store_attest row = hand_in(place, &r);                                              \
        assert_string_equal(attest_reason_text(row.standing.reason), attest_reason_text(want));    \
        rot_quote_done(&r.quote);                                                                  \
    } while (0)
    ROUND(KW_SPAN("", 0), ATTEST_R_LOG_ABSENT);
    assert_true(kw_ok(kw_out_append(&log, KW_SPAN_ARRAY(header))));
    append_event(&log, 4, 0xaa);
    ROUND(kw_out_span(&log), ATTEST_R_LOG_MISMATCH); /* ends before the quote */
    append_event(&log, 5, 0xbb);
    ROUND(kw_out_span(&log), ATTEST_R_OK);
    ROUND(KW_SPAN(log.p, log.len - 1), ATTEST_R_LOG_MALFORMED);
    append_event(&log, 5, 0xcc);
    ROUND(kw_out_span(&log), ATTEST_R_OK); /* n + 1: it was read after the quote */
    log.p[sizeof(header) + 20] ^= 1;
    ROUND(kw_out_span(&log), ATTEST_R_LOG_MISMATCH); /* edited */
#undef ROUND
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bound_in_between),
        TEST(a_genuine_tpm_is_trusted),
        TEST(each_lie_has_its_reason),
        TEST(a_new_key_must_lie_in_the_tpm),
        TEST(tpm2_checkquote_agrees),
        TEST(each_of_many_nonces_counts_once),
        TEST(a_device_without_tpm_is_at_the_lowest_level),
        TEST(the_log_is_replayed_to_the_quote), /* last: PCRs stay extended */
    };

    if (!swtpm_is_installed()) {
        (void)printf("1..0 # SKIP swtpm is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests_name("attest", tests, group_setup, group_teardown);
}
