/* The catalogue and its encodings: what goes in comes out, and nothing else is taken. */
#include <stdio.h>
#include <stdlib.h>

#include "keeper/journal_row.h"
#include "keeper/msg.h"
#include "keeper/wrapped.h"
#include "model/statement.h"
#include "os/files.h"
#include "unit/base/check.h"

enum { PACKET = KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX };

static const uint8_t octets[KW_MSG_BODY_MAX] = {0x30, 0x82, 0x01};

/* As much as a request for approval may say. */
static void sample_open(struct keeper_msg *msg)
{
    struct approval_subject *subject = &msg->approval_open.subject;

    *subject = approval_subject_of(APPROVE_KEY_DESTROY, KEY_CLASS_ISSUING_CA, msg->key_id);
    for (unsigned i = 0; i < APPROVAL_DETAILS_MAX; i++) {
        char name[APPROVAL_DETAIL_NAME];
        (void)snprintf(name, sizeof(name), "a-rather-long-name-%04u", i);
        approval_detail(subject, name, "%0*u", APPROVAL_DETAIL_VALUE - 1, i);
    }
    assert_ok(approval_subject_check(subject));
    assert_true(KW_TEXT_SET(msg->approval_open.requester, "alice"));
}

/* The same for the rows of two-person control. */
static void sample_two_person(enum keeper_row_index row, struct keeper_msg *msg)
{
    switch (row) {
    case KEEPER_ROW_ROSTER_SET:
        msg->roster_set.approval_id = UINT64_MAX;
        msg->roster_set.roster = KW_SPAN(octets, ROSTER_ENCODED_MAX);
        break;
    case KEEPER_ROW_ROSTER_AT:
        msg->roster_at.rule = true;
        msg->roster_at.index = 7;
        break;
    case KEEPER_ROW_APPROVAL_OPEN:
        sample_open(msg);
        break;
    case KEEPER_ROW_APPROVAL_SIGN:
        msg->approval_sign.id = 9;
        msg->approval_sign.verdict = APPROVAL_REJECT;
        assert_true(KW_TEXT_SET(msg->approval_sign.name, "bob"));
        msg->approval_sign.signature = KW_SPAN(octets, KW_SIG_MAX);
        break;
    case KEEPER_ROW_APPROVAL_AT:
        msg->approval_at.next = true;
        msg->approval_at.id = 1;
        break;
    case KEEPER_ROW_APPROVAL_CANCEL:
        msg->approval_at.id = UINT64_MAX;
        break;
    case KEEPER_ROW_APPROVAL_USE:
        sample_open(msg);
        struct approval_subject subject = msg->approval_open.subject;
        msg->approval_use.subject = subject;
        msg->approval_use.id = UINT64_MAX;
        break;
    case KEEPER_ROW_VAULT_EXPORT:
        msg->vault_export.approval_id = UINT64_MAX;
        break;
    case KEEPER_ROW_OCSP_ISSUER:
        msg->ocsp_issuer.old_key = KW_SPAN(octets, KW_SPKI_MAX);
        msg->ocsp_issuer.cert = KW_SPAN(octets, KW_CERT_MAX);
        break;
    case KEEPER_ROW_RECOVERY_SET:
        msg->recovery_set.approval_id = UINT64_MAX;
        memset(msg->recovery_set.key, 0xa5, sizeof(msg->recovery_set.key));
        break;
    case KEEPER_ROW_KEY_IMPORT:
        msg->key_import.state = KEY_DEACTIVATED;
        msg->key_import.policy = KW_SPAN(octets, POLICY_ENCODED_MAX);
        msg->key_import.mark = KW_SPAN(octets, KEEPER_MARK_MAX);
        msg->key_import.box = KW_SPAN(octets, KEEPER_BOX_MAX);
        memset(msg->key_import.recovery, 0xa5, sizeof(msg->key_import.recovery));
        break;
    default:
        break;
    }
}

/* The same for statements and keys for data. */
static void sample_data(enum keeper_row_index row, struct keeper_msg *msg)
{
    msg->data.context = KW_SPAN(octets, KEEPER_CONTEXT_MAX);
    switch (row) {
    case KEEPER_ROW_DATA_WRAP:
        msg->data.octets = KW_SPAN(octets, KEEPER_DATA_KEY_MAX);
        break;
    case KEEPER_ROW_DATA_UNWRAP:
    case KEEPER_ROW_DATA_REWRAP:
        msg->data.octets = KW_SPAN(octets, WRAPPED_MAX);
        break;
    case KEEPER_ROW_DATA_MAC_VERIFY:
        msg->data.mac = KW_SPAN(octets, KW_HASH_BYTES);
        msg->data.octets = KW_SPAN(octets, KEEPER_MAC_MESSAGE_MAX);
        break;
    case KEEPER_ROW_DATA_MAC:
        msg->data.octets = KW_SPAN(octets, KEEPER_MAC_MESSAGE_MAX);
        break;
    case KEEPER_ROW_DATA_SEAL:
        msg->data.context = KW_SPAN(octets, KEEPER_AAD_MAX);
        msg->data.octets = KW_SPAN(octets, KEEPER_SEAL_MAX);
        break;
    case KEEPER_ROW_DATA_OPEN:
        msg->data.context = KW_SPAN(octets, KEEPER_AAD_MAX);
        msg->data.octets = KW_SPAN(octets, SEALED_MAX);
        break;
    default:
        break;
    }
}

/* The rows of a key's life. */
static void sample_life(enum keeper_row_index row, struct keeper_msg *msg)
{
    switch (row) {
    case KEEPER_ROW_KEY_ROTATE:
        msg->key_rotate.approval_id = UINT64_MAX;
        msg->key_rotate.new_line = true;
        break;
    case KEEPER_ROW_KEY_STEP:
    case KEEPER_ROW_KEY_DESTROY:
        msg->key_step.event = row == KEEPER_ROW_KEY_STEP ? KEY_EVENT_COMPROMISE : KEY_EVENT_DESTROY;
        memset(msg->key_step.reason, 'r', KEEPER_REASON_MAX - 1);
        msg->key_step.approval_id = 7;
        break;
    case KEEPER_ROW_JOURNAL_READ:
        msg->journal_read.from = UINT64_MAX;
        msg->journal_read.max = KEEPER_JOURNAL_ROWS_MAX;
        break;
    default:
        break;
    }
}

static void sample_statement(enum keeper_row_index row, struct keeper_msg *msg)
{
    switch (row) {
    case KEEPER_ROW_SIGN_STATEMENT:
        msg->sign.message = KW_SPAN(octets, STATEMENT_MAX);
        break;
    case KEEPER_ROW_SIGN_CMP:
        msg->sign.message = KW_SPAN(octets, KEEPER_CMP_MAX);
        break;
    case KEEPER_ROW_SIGN_FIRMWARE:
        msg->firmware.approval = UINT64_MAX;
        msg->firmware.statement = KW_SPAN(octets, STATEMENT_MAX);
        break;
    case KEEPER_ROW_SIGN_TUF:
        msg->sign_crl.len = 16000;
        msg->sign_crl.tbs = KW_SPAN(octets, 16000);
        break;
    case KEEPER_ROW_KEY_BIRTH:
        memset(msg->birth.rule, 'r', sizeof(msg->birth.rule) - 1);
        msg->birth.alg = KEY_ALG_RSA_3072;
        msg->birth.recipient = KW_SPAN(octets, KW_SPKI_MAX);
        msg->birth.recipient_id = KW_SPAN(octets, KEEPER_RECIPIENT_MAX);
        break;
    case KEEPER_ROW_DATA_DERIVE:
        memset(msg->derive.label, 'l', KEEPER_LABEL_MAX);
        msg->derive.salt = KW_SPAN(octets, KEEPER_SALT_MAX);
        msg->derive.context = KW_SPAN(octets, KEEPER_CONTEXT_MAX);
        msg->derive.len = KEEPER_DERIVE_MAX;
        break;
    default:
        if (keeper_row_secret(&keeper_rows[row]) && row != KEEPER_ROW_KEY_IMPORT) {
            sample_data(row, msg);
        } else if (row >= KEEPER_ROW_KEY_ROTATE && row <= KEEPER_ROW_KEY_POLICY) {
            sample_life(row, msg);
        } else {
            sample_two_person(row, msg);
        }
        break;
    }
}

/* A message of each row with every field set. */
static bool names_a_key(enum keeper_row_index row)
{
    static const enum keeper_row_index without[] = {
        KEEPER_ROW_HELLO,           KEEPER_ROW_INFO,          KEEPER_ROW_KEY_AT,
        KEEPER_ROW_VAULT_STATUS,    KEEPER_ROW_VAULT_SEAL,    KEEPER_ROW_VAULT_REKEY,
        KEEPER_ROW_KEY_CREATE,      KEEPER_ROW_ROSTER_SET,    KEEPER_ROW_ROSTER_AT,
        KEEPER_ROW_JOURNAL_READ,    KEEPER_ROW_APPROVAL_SIGN, KEEPER_ROW_APPROVAL_AT,
        KEEPER_ROW_APPROVAL_CANCEL, KEEPER_ROW_VAULT_EXPORT,  KEEPER_ROW_RECOVERY_SET,
        KEEPER_ROW_KEY_IMPORT,
    };

    for (size_t i = 0; i < KW_COUNT(without); i++) {
        if (without[i] == row) {
            return false;
        }
    }
    return true;
}

static struct keeper_msg sample(enum keeper_row_index row)
{
    struct keeper_msg msg = {.request_id = "0123456789abcdef0123456789abcdef"};

    assert_true(KW_TEXT_SET(msg.key_id, names_a_key(row) ? "issuing-ca.1" : ""));
    switch (row) {
    case KEEPER_ROW_HELLO:
        msg.hello.version = 7;
        assert_true(KW_TEXT_SET(msg.hello.build, "0.1.0"));
        break;
    case KEEPER_ROW_VAULT_REKEY:
        msg.vault_rekey.new_secret = true;
        msg.vault_rekey.approval_id = UINT64_MAX;
        break;
    case KEEPER_ROW_KEY_AT:
        msg.key_at.index = 0x01020304;
        break;
    case KEEPER_ROW_KEY_CREATE:
        msg.key_create.policy = KW_SPAN(octets, POLICY_ENCODED_MAX);
        msg.key_create.approval_id = UINT64_MAX;
        break;
    case KEEPER_ROW_SERIALS:
        msg.serials.n = 256;
        break;
    case KEEPER_ROW_SIGN_CERT:
        assert_true(KW_TEXT_SET(msg.sign_cert.rule, "idevid"));
        msg.sign_cert.tbs = KW_SPAN(octets, KW_CERT_MAX);
        break;
    case KEEPER_ROW_SIGN_CRL:
        msg.sign_crl.len = 16000;
        msg.sign_crl.tbs = KW_SPAN(octets, 16000);
        break;
    case KEEPER_ROW_SIGN_CHECKPOINT:
        msg.checkpoint.body = KW_SPAN(octets, KEEPER_CHECKPOINT_BODY_MAX);
        msg.checkpoint.old_size = UINT64_MAX - 1;
        msg.checkpoint.n = KEEPER_PROOF_MAX;
        msg.checkpoint.proof = KW_SPAN(octets, KEEPER_PROOF_MAX * KW_HASH_BYTES);
        break;
    case KEEPER_ROW_SIGN_OCSP:
        msg.sign.message = KW_SPAN(octets, KEEPER_OCSP_TBS_MAX);
        break;
    case KEEPER_ROW_SIGN_TLS:
        msg.sign.message = KW_SPAN(octets, KEEPER_TLS_CONTENT_MAX);
        break;
    case KEEPER_ROW_SIGN_CERT_REQUEST:
        msg.sign.message = KW_SPAN(octets, KEEPER_CERT_REQUEST_MAX);
        break;
    default:
        sample_statement(row, &msg);
        break;
    }
    return msg;
}

/* As long as a reply about a request may be. */
static void sample_approval(struct keeper_answer *answer)
{
    static uint8_t text[APPROVAL_TEXT_MAX];
    struct kw_out out = KW_OUT_ARRAY(text);
    struct keeper_approval *info = &answer->approval.info;
    struct keeper_msg msg = {.key_id = "issuing-ca.1"};

    *answer = (struct keeper_answer){
        .approval.info = {.state = APPROVAL_OPEN, .have = 1, .needed = 2, .n = KEEPER_SIGNERS_MAX}
    };
    sample_open(&msg);
    struct approval_description what = {.id = UINT64_MAX,
                                        .subject = msg.approval_open.subject,
                                        .requester = "alice",
                                        .needed = 2,
                                        .roles = ROLE_ALL,
                                        .opened = 1,
                                        .deadline = 2};
    assert_ok(approval_text(&what, &out));
    info->what = what;
    answer->approval.text = kw_out_span(&out);
    for (unsigned i = 0; i < info->n; i++) {
        memset(info->signers[i].name, 'x', ROSTER_NAME_LEN);
        info->signers[i].verdict = APPROVAL_APPROVE;
        info->signers[i].unix_s = INT64_MAX;
    }
}

/* The same for the rows of two-person control. */
static void sample_two_person_answer(enum keeper_row_index row, struct keeper_answer *answer)
{
    switch (row) {
    case KEEPER_ROW_ROSTER_SET:
        *answer = (struct keeper_answer){.roster.version = 3};
        break;
    case KEEPER_ROW_VAULT_EXPORT:
        *answer = (struct keeper_answer){.exported = 0x01020304};
        break;
    case KEEPER_ROW_ROSTER_AT:
        *answer = (struct keeper_answer){
            .roster = {
                       .version = UINT64_MAX,
                       .n = 16,
                       .n_rules = 32,
                       .approver = {
                    .name = "bob", .roles = ROLE_ALL, .spki_len = ROSTER_SPKI_MAX, .spki = {1}}}
        };
        break;
    case KEEPER_ROW_APPROVAL_OPEN:
    case KEEPER_ROW_APPROVAL_SIGN:
    case KEEPER_ROW_APPROVAL_AT:
    case KEEPER_ROW_APPROVAL_CANCEL:
        sample_approval(answer);
        break;
    default:
        break;
    }
}

/* A result of each row with every field set. */
/* The longest answers with secrets in them. */
static void sample_data_answer(enum keeper_row_index row, struct keeper_answer *answer)
{
    switch (row) {
    case KEEPER_ROW_DATA_KEY:
        answer->data_key.plain = KW_SPAN(octets, KW_HASH_BYTES);
        answer->data_key.wrapped = KW_SPAN(octets, WRAPPED_MAX);
        break;
    case KEEPER_ROW_DATA_WRAP:
    case KEEPER_ROW_DATA_REWRAP:
        answer->octets = KW_SPAN(octets, WRAPPED_MAX);
        break;
    case KEEPER_ROW_DATA_DERIVE:
    case KEEPER_ROW_DATA_MAC:
        answer->octets = KW_SPAN(octets, KW_HASH_BYTES);
        break;
    case KEEPER_ROW_DATA_MAC_VERIFY:
        *answer = (struct keeper_answer){.valid = true};
        break;
    case KEEPER_ROW_DATA_SEAL:
        answer->octets = KW_SPAN(octets, SEALED_MAX);
        break;
    case KEEPER_ROW_DATA_OPEN:
        answer->octets = KW_SPAN(octets, KEEPER_SEAL_MAX);
        break;
    default:
        break;
    }
}

static void sample_life_answer(enum keeper_row_index row, struct keeper_answer *answer)
{
    switch (row) {
    case KEEPER_ROW_KEY_DESTROY:
        *answer = (struct keeper_answer){
            .destroyed = {KW_SPAN(octets, STATEMENT_MAX), KW_SPAN(octets, KW_SIG_MAX), "evidence"}
        };
        break;
    case KEEPER_ROW_JOURNAL_READ:
        *answer = (struct keeper_answer){
            .journal = {UINT64_MAX, KEEPER_JOURNAL_ROWS_MAX,
                        KW_SPAN(octets, KEEPER_JOURNAL_ROWS_MAX * KEEPER_JOURNAL_ROW_MAX)}
        };
        break;
    case KEEPER_ROW_KEY_HISTORY:
        *answer = (struct keeper_answer){
            .life = {.key_id = "ca.2",
                     .class_ = KEY_CLASS_ISSUING_CA,
                     .state = KEY_DESTROYED,
                     .alg = 1,
                     .not_before = -1,
                     .not_after = INT64_MAX,
                     .uses = UINT64_MAX,
                     .spki_sha256 = {1},
                     .predecessor = "ca",
                     .successor = "ca.3",
                     .retire_at = 5,
                     .phases = {[KEY_DESTROYED] = {7, "4f1c", "end of life"}}}
        };
        break;
    case KEEPER_ROW_KEY_POLICY:
        answer->octets = KW_SPAN(octets, POLICY_ENCODED_MAX);
        break;
    default:
        break;
    }
}

static struct keeper_answer sample_answer(enum keeper_row_index row)
{
    struct keeper_answer answer = {.octets = KW_SPAN(octets, KW_SIG_MAX)};

    switch (row) {
    case KEEPER_ROW_HELLO:
        answer = (struct keeper_answer){
            .hello = {.version = 1, .build = "0.1.0", .mode = KEEPER_SERVING, .n_keys = 9}
        };
        break;
    case KEEPER_ROW_VAULT_STATUS:
        answer = (struct keeper_answer){
            .vault = {true, "shares", 1, 3, 7, "pkcs11 SIMULATED SoftHSM"}
        };
        break;
    case KEEPER_ROW_VAULT_REKEY:
        answer = (struct keeper_answer){.vault = {.generation = 7}};
        break;
    case KEEPER_ROW_INFO:
        answer = (struct keeper_answer){
            .info = {1, 2, 3, 4, true, 5, true, 6}
        };
        break;
    case KEEPER_ROW_KEY_AT:
    case KEEPER_ROW_KEY_FIND:
    case KEEPER_ROW_KEY_STEP:
    case KEEPER_ROW_KEY_ROTATE:
        answer = (struct keeper_answer){
            .key = {.key_id = "log",
                    .class_ = KEY_CLASS_LOG_SIGNER,
                    .state = KEY_SUSPENDED,
                    .alg = KEY_ALG_ED25519,
                    .custody = "soft-sealed",
                    .not_before = -1,
                    .not_after = INT64_MAX,
                    .signatures = UINT64_MAX,
                    .spki = {1, 2, 3},
                    .spki_len = KW_SPKI_MAX}
        };
        break;
    case KEEPER_ROW_SERIALS:
        answer = (struct keeper_answer){
            .serials = {KEEPER_SERIALS_MAX,
                        KW_SPAN(octets, (size_t)KEEPER_SERIALS_MAX * KW_SERIAL_BYTES)}
        };
        break;
    case KEEPER_ROW_SIGN_CHECKPOINT:
        answer = (struct keeper_answer){
            .checkpoint = {UINT64_MAX, KW_SPAN(octets, 64)}
        };
        break;
    default:
        sample_life_answer(row, &answer);
        sample_two_person_answer(row, &answer);
        sample_data_answer(row, &answer);
        break;
    }
    return answer;
}

static void numbers_and_names_are_unique(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEEPER_ROWS; i++) {
        const struct keeper_row *row = &keeper_rows[i];
        assert_ptr_equal(keeper_row_of(row->type), row);
        assert_true(row->body_max <= KW_MSG_BODY_MAX);
        assert_true(row->modes != 0 && row->encode && row->decode);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(row->name, keeper_rows[j].name);
        }
    }
    assert_null(keeper_row_of(0));
    assert_null(keeper_row_of(KEEPER_REPLY_TYPE));
    assert_null(keeper_row_of(UINT16_MAX + 1));
}

/* "ceremony, serving": the names of the bits, in their order. */
static const char *modes_text(unsigned modes)
{
    static const char *const names[] = {"greeting", "ceremony", "serving", "sealed"};
    static char text[64];

    assert_true(modes != 0 && modes < 1u << KW_COUNT(names));
    text[0] = '\0';
    for (unsigned i = 0; i < KW_COUNT(names); i++) {
        if (modes & 1u << i) {
            size_t n = strlen(text);
            (void)snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? ", " : "", names[i]);
        }
    }
    return text;
}

/* Each row stands in the table of the page exactly as it is here, and the page has no others. */
static void the_page_lists_every_row(void **state)
{
    AUTO(kw_bytes) *page = NULL;
    char path[KW_PATH_BYTES];
    unsigned n_lines = 0;

    (void)state;
    assert_non_null(getenv("KW_SOURCE_ROOT"));
    (void)snprintf(path, sizeof(path), "%s/docs/protocol/keeper.md", getenv("KW_SOURCE_ROOT"));
    assert_ok(os_file_read(NULL, path, 1 << 20, &page));
    assert_ok(kw_bytes_append(page, KW_SPAN("", 1)));
    const char *text = (const char *)page->p;
    for (unsigned i = 0; i < KEEPER_ROWS; i++) {
        const struct keeper_row *row = &keeper_rows[i];
        char line[160];
        (void)snprintf(line, sizeof(line), "\n| %s | %u | %u | %s | %s |\n", row->name,
                       (unsigned)row->type, row->body_max, modes_text(row->modes),
                       row->fd_allowed ? "yes" : "no");
        if (!strstr(text, line)) {
            fail_msg("docs/protocol/keeper.md lacks the row:%s", line);
        }
    }
    const char *at = strstr(text, "| message | number |");
    assert_non_null(at);
    for (at = strchr(at, '\n'); at && at[1] == '|'; at = strchr(at + 1, '\n')) {
        n_lines++;
    }
    assert_int_equal(n_lines, KEEPER_ROWS + 1); /* and the line under the heading */
}

static void requests_come_out_as_they_went_in(void **state)
{
    static uint8_t first[PACKET];
    static uint8_t again[PACKET];

    (void)state;
    for (unsigned i = 0; i < KEEPER_ROWS; i++) {
        struct kw_out packet = KW_OUT_ARRAY(first);
        struct kw_out repeated = KW_OUT_ARRAY(again);
        struct keeper_msg msg = sample((enum keeper_row_index)i);
        struct keeper_msg got;
        struct keeper_frame frame;
        struct kw_span body;
        assert_ok(keeper_msg_encode(&keeper_rows[i], 0x1122334455667788, &msg, &packet));
        assert_ok(keeper_frame_decode(kw_out_span(&packet), &frame, &body));
        assert_int_equal(frame.version, KEEPER_VERSION);
        assert_int_equal(frame.type, keeper_rows[i].type);
        assert_int_equal(frame.req_id, 0x1122334455667788);
        assert_ok(keeper_msg_decode(&keeper_rows[i], body, &got));
        assert_string_equal(got.request_id, msg.request_id);
        assert_string_equal(got.key_id, msg.key_id);
        assert_ok(keeper_msg_encode(&keeper_rows[i], 0x1122334455667788, &got, &repeated));
        assert_int_equal(packet.len, repeated.len);
        assert_memory_equal(first, again, packet.len);
    }
}

/* Every shorter body, and every body with an octet more, is refused. */
static void cut_requests_are_refused(void **state)
{
    static uint8_t room[PACKET + 1];

    (void)state;
    for (unsigned i = 0; i < KEEPER_ROWS; i++) {
        const struct keeper_row *row = &keeper_rows[i];
        struct kw_out packet = {room, PACKET, 0};
        struct keeper_msg msg = sample((enum keeper_row_index)i);
        struct keeper_msg got;
        assert_ok(keeper_msg_encode(row, 1, &msg, &packet));
        size_t n = packet.len - KEEPER_FRAME_BYTES;
        for (size_t cut = 0; cut < n; cut++) {
            assert_code(keeper_msg_decode(row, KW_SPAN(room + KEEPER_FRAME_BYTES, cut), &got),
                        KW_E_INPUT);
        }
        assert_code(keeper_msg_decode(row, KW_SPAN(room + KEEPER_FRAME_BYTES, n + 1), &got),
                    KW_E_INPUT);
    }
}

static void answers_come_out_as_they_went_in(void **state)
{
    uint8_t first[KEEPER_FRAME_BYTES + KEEPER_REPLY_MAX];
    uint8_t again[KEEPER_FRAME_BYTES + KEEPER_REPLY_MAX];

    (void)state;
    for (unsigned i = 0; i < KEEPER_ROWS; i++) {
        const struct keeper_row *row = &keeper_rows[i];
        struct kw_out packet = KW_OUT_ARRAY(first);
        struct kw_out repeated = KW_OUT_ARRAY(again);
        struct keeper_answer answer = sample_answer((enum keeper_row_index)i);
        struct keeper_answer got;
        struct keeper_reply reply;
        struct keeper_frame frame;
        struct kw_span body;
        assert_ok(keeper_reply_encode(row, 5, KW_CODE_OK, "", &answer, &packet));
        assert_ok(keeper_frame_decode(kw_out_span(&packet), &frame, &body));
        assert_int_equal(frame.type, KEEPER_REPLY_TYPE);
        assert_ok(keeper_reply_decode(body, &reply));
        assert_ok(keeper_answer_decode(row, reply.result, &got));
        assert_ok(keeper_reply_encode(row, 5, KW_CODE_OK, "", &got, &repeated));
        assert_int_equal(packet.len, repeated.len);
        assert_memory_equal(first, again, packet.len);
        for (size_t cut = 0; cut < reply.result.len; cut++) {
            assert_code(keeper_answer_decode(row, kw_span_sub(reply.result, 0, cut), &got),
                        KW_E_INPUT);
        }
    }
}

static void refusals_carry_code_and_cause(void **state)
{
    uint8_t room[KEEPER_FRAME_BYTES + KEEPER_REPLY_MAX];
    struct kw_out packet = KW_OUT_ARRAY(room);
    const struct keeper_row *row = &keeper_rows[KEEPER_ROW_SIGN_CERT];
    struct keeper_reply reply;

    (void)state;
    assert_ok(keeper_reply_encode(row, 5, KW_E_DENIED, "issuer: not this CA", NULL, &packet));
    struct kw_span body = kw_span_sub(kw_out_span(&packet), KEEPER_FRAME_BYTES, packet.len);
    assert_ok(keeper_reply_decode(body, &reply));
    assert_int_equal(reply.code, KW_E_DENIED);
    assert_string_equal(reply.text, "issuer: not this CA");
    assert_int_equal(reply.result.len, 0);
    room[KEEPER_FRAME_BYTES] = 0xff; /* a code that is none */
    assert_code(keeper_reply_decode(body, &reply), KW_E_INPUT);
    room[KEEPER_FRAME_BYTES] = 0;
    room[KEEPER_FRAME_BYTES + 4] = '\n'; /* it would end up in a log */
    assert_code(keeper_reply_decode(body, &reply), KW_E_INPUT);
}

/* A key id names a file. */
static void key_ids_name_files(void **state)
{
    static const char *const good[] = {"a", "issuing-ca", "Log_2026.1", "x.key"};
    static const char *const bad[] = {"", ".", "..", ".a", "a/b", "a b", "a\n", "\xc3\xa4", "a:b"};
    char longest[KW_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(good); i++) {
        assert_true(keeper_key_id_valid(good[i]));
    }
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_false(keeper_key_id_valid(bad[i]));
    }
    memset(longest, 'a', sizeof(longest));
    longest[KW_NAME_MAX] = '\0';
    assert_false(keeper_key_id_valid(longest));
    longest[KW_NAME_MAX - 1] = '\0';
    assert_true(keeper_key_id_valid(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_names_are_unique),
        cmocka_unit_test(the_page_lists_every_row),
        cmocka_unit_test(requests_come_out_as_they_went_in),
        cmocka_unit_test(cut_requests_are_refused),
        cmocka_unit_test(answers_come_out_as_they_went_in),
        cmocka_unit_test(refusals_carry_code_and_cause),
        cmocka_unit_test(key_ids_name_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
