#include "service/approvals/keys.h"

#include "base/reader.h"
#include "base/writer.h"
#include "keeper/subjects.h"

kw_status approval_ask_key(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct keeper_approval *ret)
{
    uint8_t octets[8 + KEEPER_REASON_MAX];
    struct kw_out args = KW_OUT_ARRAY(octets);
    struct approval_subject subject;

    TRY(op, key_wish_subject(op, service, wish, &subject));
    struct kw_writer w = kw_writer_of(&args);
    kw_writer_u8(&w, (uint8_t)wish->verb);
    kw_writer_text(&w, wish->reason);
    TRY(op, kw_writer_end(&w), "the reason");
    return approval_ask(op, service, &subject, kw_out_span(&args), ret);
}

kw_status key_wish_execute(struct kw_op *op, struct service *service,
                           const struct keeper_approval *approval, struct kw_span args)
{
    struct key_wish wish = {.approval_id = approval->what.id};
    struct kw_reader r = kw_reader_of(args);
    struct keeper_key_info key;

    wish.verb = (enum key_verb)kw_reader_u8(&r);
    kw_reader_text(&r, wish.reason, sizeof(wish.reason));
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_INTEGRITY, "what was asked for is damaged");
    memcpy(wish.key_id, approval->what.subject.key_id, sizeof(wish.key_id));
    return key_do(op, service, &wish, &key);
}

kw_status approval_ask_birth(struct kw_op *op, struct service *service,
                             const struct key_policy *policy, struct keeper_approval *ret)
{
    uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out args = KW_OUT_ARRAY(octets);
    struct approval_subject subject;

    TRY(op, subject_key_create(op, policy, &subject));
    TRY(op, policy_encode(policy, &args), "the policy of key '%.64s'", policy->key_id);
    return approval_ask(op, service, &subject, kw_out_span(&args), ret);
}

kw_status key_birth_execute(struct kw_op *op, struct service *service,
                            const struct keeper_approval *approval, struct kw_span args)
{
    struct key_policy policy;
    struct keeper_key_info key;

    ENSURE(op, kw_ok(policy_decode(args, &policy)), KW_E_INTEGRITY,
           "the policy that was asked for is damaged");
    return key_create(op, service, &policy, approval->what.id, &key);
}
