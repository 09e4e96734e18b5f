/* A gate that wants the CMP signer's word for something that is no answer of this server, now. */
#include "crypto/cmp.h"
#include "hostile/keeper/rig_purposes.h"
#include "os/clock.h"

static const uint8_t nonce[16] = {7}, id[16] = {9};

/* Catches the octets that would be signed. */
static kw_status catch (struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                        struct kw_out *sig)
{
    struct kw_out *caught = ctx;

    (void)pss;
    TRY(op, kw_out_set(caught, message));
    return kw_out_set(sig, KW_SPAN(nonce, sizeof(nonce)));
}

/* The header of a right answer by the key "cmp". */
static struct cmp_header right(void)
{
    return (struct cmp_header){
        .pvno = 2,
        .sender = KW_SPAN_ARRAY(purpose_cmp_name),
        .now = os_clock_unix_s(),
        .sender_kid = KW_SPAN(pubkey_sha1(purpose_public[PURPOSE_CMP]), 20),
        .transaction_id = KW_SPAN_ARRAY(id),
        .sender_nonce = KW_SPAN_ARRAY(nonce),
        .recip_nonce = KW_SPAN_ARRAY(nonce),
    };
}

static struct kw_span protected_content(const struct cmp_header *header, enum cmp_type type,
                                        struct kw_span content)
{
    static uint8_t room[KEEPER_CMP_MAX];
    static struct kw_out caught;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *der = NULL;
    struct cmp_protector protector = {0};

    caught = KW_OUT_ARRAY(room);
    assert_ok(privkey_remote(NULL, purpose_public[PURPOSE_CMP], catch, &caught, NULL, &key));
    protector.key = key;
    assert_ok(cmp_build(NULL, header, type, content, &protector, &der));
    return kw_out_span(&caught);
}

static struct kw_span protected_part(const struct cmp_header *header, enum cmp_type type)
{
    AUTO(kw_bytes) *content = NULL;

    assert_ok(cmp_confirm_reply(NULL, &content));
    return protected_content(header, type, kw_bytes_span(content));
}

static struct keeper_reply ask(struct kw_span octets)
{
    return purpose_ask(KEEPER_ROW_SIGN_CMP, "cmp", octets, (struct kw_span){0});
}

static void refused(const struct cmp_header *header, enum cmp_type type, const char *reason)
{
    attack_begin();
    struct keeper_reply reply = ask(protected_part(header, type));
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CMP], &reply, KW_E_DENIED, reason);
}

static void answers_are_signed(void **state)
{
    static const enum cmp_type types[] = {CMP_IP,      CMP_CP,   CMP_KUP,   CMP_RP,
                                          CMP_PKICONF, CMP_GENP, CMP_ERROR, CMP_POLLREP};
    struct cmp_header header = right();

    (void)state;
    for (size_t i = 0; i < KW_COUNT(types); i++) {
        header.pvno = 2 + i % 2;
        struct kw_span octets = protected_part(&header, types[i]);
        struct keeper_reply reply = ask(octets);
        struct keeper_answer answer = purpose_good(KEEPER_ROW_SIGN_CMP, &reply);
        assert_ok(pubkey_verify(NULL, purpose_public[PURPOSE_CMP], octets, answer.octets));
    }
}

static void the_key_asks_for_nothing(void **state)
{
    static const enum cmp_type types[] = {CMP_IR,   CMP_CR,     CMP_P10CR,    CMP_KUR,    CMP_RR,
                                          CMP_GENM, CMP_NESTED, CMP_CERTCONF, CMP_POLLREQ};
    struct cmp_header header = right();

    (void)state;
    for (size_t i = 0; i < KW_COUNT(types); i++) {
        refused(&header, types[i], "cmp-type:");
    }
}

/* --- batches ---------------------------------------------------------------------------------- */

static struct kw_bytes *whole(enum cmp_type type, struct kw_span content)
{
    struct cmp_header header = right();
    struct kw_out caught = {0};
    uint8_t room[KEEPER_CMP_MAX];
    AUTO(privkey) *key = NULL;
    struct kw_bytes *der = NULL;

    caught = KW_OUT_ARRAY(room);
    assert_ok(privkey_remote(NULL, purpose_public[PURPOSE_CMP], catch, &caught, NULL, &key));
    struct cmp_protector protector = {.key = key};
    assert_ok(cmp_build(NULL, &header, type, content, &protector, &der));
    return der;
}

/* A nested message with one of each. */
static struct kw_span batch_of(const enum cmp_type types[], unsigned n)
{
    struct kw_bytes *inner[CMP_NESTED_MAX + 1] = {0};
    struct kw_span spans[CMP_NESTED_MAX + 1];
    struct cmp_header header = right();
    AUTO(kw_bytes) *content = NULL;
    AUTO(kw_bytes) *nothing = NULL;

    assert_ok(cmp_confirm_reply(NULL, &nothing));
    for (unsigned i = 0; i < n; i++) {
        inner[i] = whole(types[i], kw_bytes_span(nothing));
        spans[i] = kw_bytes_span(inner[i]);
    }
    assert_ok(cmp_list_value(NULL, spans, n, &content));
    for (unsigned i = 0; i < n; i++) {
        kw_bytes_free(inner[i]);
    }
    return protected_content(&header, CMP_NESTED, kw_bytes_span(content));
}

static void batch_refused(const enum cmp_type types[], unsigned n)
{
    attack_begin();
    struct keeper_reply reply = ask(batch_of(types, n));
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CMP], &reply, KW_E_DENIED, "cmp-type:");
}

static void a_batch_has_answers_alone(void **state)
{
    static const enum cmp_type good[] = {CMP_IP,      CMP_CP,   CMP_KUP,   CMP_RP,
                                         CMP_PKICONF, CMP_GENP, CMP_ERROR, CMP_POLLREP};
    static const enum cmp_type asks[] = {CMP_IP, CMP_IR}, twice[] = {CMP_NESTED};
    static const enum cmp_type many[CMP_NESTED_MAX + 1] = {CMP_IP, CMP_IP, CMP_IP, CMP_IP, CMP_IP,
                                                           CMP_IP, CMP_IP, CMP_IP, CMP_IP};

    (void)state;
    struct keeper_reply reply = ask(batch_of(good, KW_COUNT(good)));
    (void)purpose_good(KEEPER_ROW_SIGN_CMP, &reply);
    batch_refused(asks, KW_COUNT(asks));
    batch_refused(twice, KW_COUNT(twice));
    batch_refused(many, KW_COUNT(many));
    batch_refused(NULL, 0);
}

static void wrong_headers(void **state)
{
    struct cmp_header header = right();

    (void)state;
    header.pvno = 1;
    refused(&header, CMP_PKICONF, "cmp-version:");
    header = right();
    header.sender = KW_SPAN(NULL, 0);
    refused(&header, CMP_PKICONF, "cmp-sender:");
    header = right();
    header.sender_kid = KW_SPAN_ARRAY(nonce);
    refused(&header, CMP_PKICONF, "cmp-key:");
    header = right();
    header.now -= 3600;
    refused(&header, CMP_PKICONF, "cmp-time:");
    header.now += 7200;
    refused(&header, CMP_PKICONF, "cmp-time:");
    header = right();
    header.sender_nonce = KW_SPAN(nonce, 8);
    refused(&header, CMP_PKICONF, "cmp-nonce:");
}

/* Nothing before, behind or between. */
static void not_der(void **state)
{
    struct cmp_header header = right();
    uint8_t room[KEEPER_CMP_MAX];
    struct kw_span part = protected_part(&header, CMP_PKICONF);

    (void)state;
    memcpy(room, part.p, part.len);
    room[part.len] = 0;
    attack_begin();
    struct keeper_reply reply = ask(KW_SPAN(room, part.len + 1));
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CMP], &reply, KW_E_INPUT, "not the protected part");
    attack_begin();
    reply = ask(KW_SPAN(room, part.len - 1));
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CMP], &reply, KW_E_INPUT, "not the protected part");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_signed),
        cmocka_unit_test(the_key_asks_for_nothing),
        cmocka_unit_test(a_batch_has_answers_alone),
        cmocka_unit_test(wrong_headers),
        cmocka_unit_test(not_der),
    };

    return cmocka_run_group_tests_name("hostile_keeper_cmp", tests, purpose_setup,
                                       purpose_teardown);
}
