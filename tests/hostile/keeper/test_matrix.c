/*
 * Every purpose with a key of every class, and octets that are right for one purpose under another:
 * what a gate could try to have a signature mean something else.
 */
#include "base/hex.h"
#include "crypto/digest.h"
#include "hostile/keeper/rig_purposes.h"
#include "os/clock.h"

enum { CLASSES_MAX = 3 };

/* What each class may, written down once more: the keeper's own table is not asked. */
/* clang-format off */
static const struct {
    enum keeper_row_index row;
    enum key_class classes[CLASSES_MAX];
} allowed[] = {
    {KEEPER_ROW_SERIALS,           {KEY_CLASS_ISSUING_CA}},
    {KEEPER_ROW_SIGN_CERT,         {KEY_CLASS_ISSUING_CA}},
    {KEEPER_ROW_SIGN_CRL,          {KEY_CLASS_ISSUING_CA}},
    {KEEPER_ROW_SIGN_OCSP,         {KEY_CLASS_OCSP_SIGNER}},
    {KEEPER_ROW_SIGN_TLS,          {KEY_CLASS_TLS_SERVER}},
    {KEEPER_ROW_SIGN_CHECKPOINT,   {KEY_CLASS_LOG_SIGNER}},
    {KEEPER_ROW_SIGN_CERT_REQUEST, {KEY_CLASS_ISSUING_CA}},
    {KEEPER_ROW_SIGN_CROSS,        {KEY_CLASS_ISSUING_CA, KEY_CLASS_LOG_SIGNER}},
    {KEEPER_ROW_SIGN_STATEMENT,    {KEY_CLASS_PROVISIONING, KEY_CLASS_EVIDENCE}},
    {KEEPER_ROW_SIGN_FIRMWARE,     {KEY_CLASS_FIRMWARE}},
    {KEEPER_ROW_SIGN_TUF,          {KEY_CLASS_TUF}},
    {KEEPER_ROW_SIGN_CMP,          {KEY_CLASS_CMP}},
    {KEEPER_ROW_KEY_BIRTH,         {KEY_CLASS_ISSUING_CA}},
    {KEEPER_ROW_OCSP_ISSUER,       {KEY_CLASS_OCSP_SIGNER}},
    {KEEPER_ROW_DATA_KEY,          {KEY_CLASS_KEK}},
    {KEEPER_ROW_DATA_WRAP,         {KEY_CLASS_KEK}},
    {KEEPER_ROW_DATA_UNWRAP,       {KEY_CLASS_KEK}},
    {KEEPER_ROW_DATA_REWRAP,       {KEY_CLASS_KEK}},
    {KEEPER_ROW_DATA_DERIVE,       {KEY_CLASS_KDF}},
    {KEEPER_ROW_DATA_MAC,          {KEY_CLASS_MAC}},
    {KEEPER_ROW_DATA_MAC_VERIFY,   {KEY_CLASS_MAC}},
    {KEEPER_ROW_DATA_SEAL,         {KEY_CLASS_KEK}},
    {KEEPER_ROW_DATA_OPEN,         {KEY_CLASS_KEK}},
};
/* clang-format on */

static bool is_allowed(size_t i, enum key_class class_)
{
    for (unsigned j = 0; j < CLASSES_MAX; j++) {
        if (allowed[i].classes[j] == class_) {
            return true;
        }
    }
    return false;
}

/* A blob that names this key, so that its purpose is what the keeper looks at. */
static struct kw_span blob_of(const char *key_id, enum wrapped_kind kind)
{
    static uint8_t room[WRAPPED_MAX];
    static const uint8_t nonsense[40];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct wrapped blob = {.kind = kind, .octets = KW_SPAN_ARRAY(nonsense)};

    assert_true(KW_TEXT_SET(blob.key_id, key_id));
    assert_ok(wrapped_encode(&blob, &out));
    return kw_out_span(&out);
}

/* A keeper that is asked so much at once only counts; a new one writes every line again. */
static void begin_anew(void)
{
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
}

static unsigned try_purpose(size_t i, const char *key_id, enum key_class class_)
{
    enum keeper_row_index row = allowed[i].row;
    enum wrapped_kind kind = row == KEEPER_ROW_DATA_OPEN ? WRAPPED_DATA : WRAPPED_KEY;
    bool takes_blob = row == KEEPER_ROW_DATA_OPEN || row == KEEPER_ROW_DATA_UNWRAP ||
                      row == KEEPER_ROW_DATA_REWRAP;
    struct kw_span octets = takes_blob ? blob_of(key_id, kind) : kw_span_text("x");

    if (is_allowed(i, class_)) {
        return 0;
    }
    attack_begin();
    struct keeper_reply reply = purpose_ask(row, key_id, octets, (struct kw_span){0});
    attack_check(&keeper_rows[row], &reply, KW_E_DENIED, "purpose:");
    return 1;
}

static void no_key_for_another_purpose(void **state)
{
    static struct key_policy policy;
    unsigned n_tried = 0;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(allowed); i++) {
        begin_anew();
        for (unsigned key = 0; key < RIG_KEYS; key++) {
            rig_policy((enum rig_key)key, attack_rig, &policy);
            n_tried += try_purpose(i, rig_key_ids[key], policy.class_);
        }
        for (unsigned key = 0; key < PURPOSE_KEYS; key++) {
            purpose_policy((enum purpose_key)key, &policy);
            n_tried += try_purpose(i, purpose_ids[key], policy.class_);
        }
    }
    assert_int_equal(n_tried, 324); /* docs/protocol/attacks.md */
}

/* No row that uses a key is left out of the table above. */
static void the_table_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEEPER_ROWS; i++) {
        unsigned type = keeper_rows[i].type;
        bool uses_key = (type >= 16 && type < 48) || type == KEEPER_MSG_SERIALS;
        unsigned n = 0;
        for (size_t j = 0; j < KW_COUNT(allowed); j++) {
            n += allowed[j].row == (enum keeper_row_index)i;
        }
        assert_int_equal(n, uses_key ? 1 : 0);
    }
}

/* What is right for one purpose. */
enum content { TBS_CERT, TLS_VERIFY, CHECKPOINT, STATEMENT, METADATA, CONTENTS };

static struct kw_span content(enum content which)
{
    static uint8_t room[RIG_TBS_MAX];
    uint8_t serial[KW_SERIAL_BYTES];
    int64_t now = os_clock_unix_s();

    switch (which) {
    case TBS_CERT: {
        struct cert_spec spec = rig_spec(attack_rig, RIG_CA, "leaf", serial);
        rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
        break;
    }
    case TLS_VERIFY:
        rig_tls_content(attack_rig, "TLS 1.3, server CertificateVerify", 32);
        break;
    case CHECKPOINT:
        return kw_span_text(RIG_ORIGIN "\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    case STATEMENT:
        return kw_span_text(purpose_evidence(now - 100, now));
    case METADATA:
        return kw_span_text(purpose_metadata("timestamp", "1000000", now + 3600));
    case CONTENTS:
        break;
    }
    memcpy(room, attack_rig->tbs, attack_rig->tbs_len);
    return KW_SPAN(room, attack_rig->tbs_len);
}

/* Each with a key that may use the row: only the content is another's. */
/* clang-format off */
static const struct {
    enum keeper_row_index row;
    const char *key_id;
    enum content own;
    enum kw_code code;
    const char *reason;
} takers[] = {
    {KEEPER_ROW_SIGN_CERT,       "ca",        TBS_CERT,   KW_E_INPUT,  ""},
    {KEEPER_ROW_SIGN_TLS,        "tls",       TLS_VERIFY, KW_E_DENIED, "tls-content:"},
    {KEEPER_ROW_SIGN_CHECKPOINT, "log",       CHECKPOINT, KW_E_INPUT,  ""},
    {KEEPER_ROW_SIGN_STATEMENT,  "evidence",  STATEMENT,  KW_E_INPUT,  "statement:"},
    {KEEPER_ROW_SIGN_STATEMENT,  "station",   CONTENTS,   KW_E_INPUT,  "statement"},
    {KEEPER_ROW_SIGN_FIRMWARE,   "firmware",  CONTENTS,   KW_E_INPUT,  "statement"},
    {KEEPER_ROW_SIGN_TUF,        "timestamp", METADATA,   KW_E_INPUT,  "tuf:"},
    {KEEPER_ROW_SIGN_OCSP,       "ocsp",      CONTENTS,   KW_E_INPUT,  ""},
    {KEEPER_ROW_SIGN_CRL,        "ca",        CONTENTS,   KW_E_INPUT,  ""},
    {KEEPER_ROW_SIGN_CMP,        "cmp",       CONTENTS,   KW_E_INPUT,  "not the protected part"},
};
/* clang-format on */

/* The row's size may stop it before its parser does: then the channel would close, as for any
 * malformed message; test_frames.c has those. */
static bool fits(enum keeper_row_index row, size_t n)
{
    return n + 64 < keeper_rows[row].body_max &&
           (row != KEEPER_ROW_SIGN_TLS || n <= KEEPER_TLS_CONTENT_MAX) &&
           (row != KEEPER_ROW_SIGN_CHECKPOINT || n <= KEEPER_CHECKPOINT_BODY_MAX);
}

static void no_content_of_another_purpose(void **state)
{
    unsigned n_tried = 0;

    (void)state;
    begin_anew();
    for (size_t i = 0; i < KW_COUNT(takers); i++) {
        for (unsigned which = 0; which < CONTENTS; which++) {
            struct kw_span octets = content((enum content)which);
            enum keeper_row_index row = takers[i].row;
            if (which == takers[i].own || !fits(row, octets.len)) {
                continue;
            }
            attack_begin();
            struct keeper_reply reply =
                purpose_ask(row, takers[i].key_id, octets, (struct kw_span){0});
            /* a right statement of a kind that is not this key's is refused by its kind */
            enum kw_code code = which == STATEMENT && takers[i].own == CONTENTS &&
                                        row != KEEPER_ROW_SIGN_OCSP && row != KEEPER_ROW_SIGN_CRL &&
                                        row != KEEPER_ROW_SIGN_CMP
                                    ? KW_E_DENIED
                                    : takers[i].code;
            attack_check(&keeper_rows[row], &reply, code, takers[i].reason);
            n_tried++;
        }
    }
    assert_int_equal(n_tried, 41); /* docs/protocol/attacks.md */
}

/* A digest of a TBSCertificate as the image of a release: it would need people to approve it, and
 * the key's signature means nothing to who verifies certificates. */
static void no_digest_without_people(void **state)
{
    char hash[2 * KW_HASH_BYTES + 1];
    uint8_t digest[KW_HASH_BYTES];

    (void)state;
    digest_sha256(content(TBS_CERT), digest);
    (void)kw_hex(KW_SPAN_ARRAY(digest), hash, sizeof(hash));
    attack_begin();
    struct keeper_reply reply =
        purpose_firmware("firmware", purpose_release("2.0.0", "1", hash), 0);
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_FIRMWARE], &reply, KW_E_APPROVAL, "");
    attack_begin();
    reply = purpose_firmware("ca", purpose_release("2.0.0", "1", hash), 0);
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_FIRMWARE], &reply, KW_E_DENIED, "purpose:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(no_key_for_another_purpose),
        cmocka_unit_test(no_content_of_another_purpose),
        cmocka_unit_test(no_digest_without_people),
    };

    return cmocka_run_group_tests_name("hostile_keeper_matrix", tests, purpose_setup,
                                       purpose_teardown);
}
