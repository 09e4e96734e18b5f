/* A gate that wants two log heads which contradict each other. */
#include <signal.h>

#include "audit/checkpoint.h"
#include "hostile/keeper/attack.h"

/* Trees of one to four leaves, and another history from the second leaf on. */
static struct tlog_hash leaf(unsigned i)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "entry %u", i);

    return tlog_leaf_hash(KW_SPAN(text, (size_t)n));
}
static struct tlog_hash node(struct tlog_hash l, struct tlog_hash r)
{
    return tlog_node_hash(&l, &r);
}
static struct tlog_hash root_of(unsigned size)
{
    switch (size) {
    case 1:
        return leaf(0);
    case 2:
        return node(leaf(0), leaf(1));
    case 3:
        return node(root_of(2), leaf(2));
    default:
        return node(root_of(2), node(leaf(2), leaf(3)));
    }
}

struct head {
    const char *origin;
    uint64_t size;
    struct tlog_hash root;
    uint64_t old_size;
    unsigned n;
    struct tlog_hash proof[4];
    const char *behind; /* text behind the body */
};

static struct keeper_reply ask(struct rig *rig, const struct head *head)
{
    struct checkpoint cp = {.size = head->size, .root = head->root};
    struct keeper_msg msg;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_true(KW_TEXT_SET(cp.origin, head->origin ? head->origin : RIG_ORIGIN));
    assert_ok(checkpoint_body(&op, &cp, (char *)rig->tbs, sizeof(rig->tbs)));
    rig->tbs_len = strlen((char *)rig->tbs);
    if (head->behind) {
        memcpy(rig->tbs + rig->tbs_len, head->behind, strlen(head->behind));
        rig->tbs_len += strlen(head->behind);
    }
    rig_msg(rig, &msg, "log");
    msg.checkpoint.body = KW_SPAN(rig->tbs, rig->tbs_len);
    msg.checkpoint.old_size = head->old_size;
    msg.checkpoint.n = (uint8_t)head->n;
    msg.checkpoint.proof = KW_SPAN(head->proof, head->n * sizeof(head->proof[0]));
    return rig_ask(rig, &keeper_rows[KEEPER_ROW_SIGN_CHECKPOINT], &msg, -1);
}

static uint64_t last_size_of(const struct keeper_reply *reply)
{
    struct keeper_answer answer;

    assert_ok(
        keeper_answer_decode(&keeper_rows[KEEPER_ROW_SIGN_CHECKPOINT], reply->result, &answer));
    return answer.checkpoint.last_size;
}

static void must_sign(struct rig *rig, const struct head *head)
{
    struct keeper_answer answer;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    struct keeper_reply reply = ask(rig, head);
    assert_string_equal(reply.text, "");
    assert_ok(
        keeper_answer_decode(&keeper_rows[KEEPER_ROW_SIGN_CHECKPOINT], reply.result, &answer));
    assert_int_equal(answer.checkpoint.last_size, head->size);
    assert_ok(pubkey_verify(&op, rig->key[RIG_LOG], KW_SPAN(rig->tbs, rig->tbs_len),
                            answer.checkpoint.sig));
}

/* The log had sizes 1 and 2; all attacks stand on that. */
static void the_log_grows(void **state)
{
    struct head first = {.size = 1, .root = root_of(1)};
    struct head second = {.size = 2, .root = root_of(2), .old_size = 1, .n = 1, .proof = {leaf(1)}};
    struct head again = {.size = 2, .root = root_of(2), .old_size = 2};

    (void)state;
    must_sign(attack_rig, &first);
    must_sign(attack_rig, &second);
    must_sign(attack_rig, &again);
}

static void refuse(const struct head *head, enum kw_code code, const char *reason)
{
    attack_begin();
    struct keeper_reply reply = ask(attack_rig, head);
    assert_int_equal(last_size_of(&reply), 2);
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CHECKPOINT], &reply, code, reason);
}

static void another_origin(void **state)
{
    struct head head = {.origin = "log.example/other",
                        .size = 3,
                        .root = root_of(3),
                        .old_size = 2,
                        .n = 1,
                        .proof = {leaf(2)}};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-origin:");
}
static void as_if_first(void **state)
{
    struct head head = {.size = 3, .root = root_of(3)};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-old-size:");
}
static void proof_from_an_older_head(void **state)
{
    struct head head = {
        .size = 3, .root = root_of(3), .old_size = 1, .n = 2, .proof = {leaf(1), leaf(2)}
    };

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-old-size:");
}
static void a_smaller_tree(void **state)
{
    struct head head = {.size = 1, .root = root_of(1), .old_size = 2};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-shrinks:");
}
static void an_empty_tree(void **state)
{
    struct head head = {.size = 0, .root = tlog_leaf_hash(KW_SPAN("", 0)), .old_size = 2};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-shrinks:");
}
static void another_root_of_the_same_size(void **state)
{
    struct head head = {.size = 2, .root = node(leaf(0), leaf(9)), .old_size = 2};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-fork:");
}
static void the_same_with_a_proof(void **state)
{
    struct head head = {.size = 2, .root = root_of(2), .old_size = 2, .n = 1, .proof = {leaf(1)}};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-fork:");
}
static void a_rewritten_history(void **state)
{
    struct tlog_hash fork = node(leaf(0), leaf(9));
    struct head head = {
        .size = 3, .root = node(fork, leaf(2)), .old_size = 2, .n = 1, .proof = {leaf(2)}};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-proof:");
}
static void no_proof(void **state)
{
    struct head head = {.size = 3, .root = root_of(3), .old_size = 2};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-proof:");
}
static void a_proof_of_another_step(void **state)
{
    struct head head = {.size = 4, .root = root_of(4), .old_size = 2, .n = 1, .proof = {leaf(2)}};

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-proof:");
}
static void a_proof_too_long(void **state)
{
    struct head head = {
        .size = 3, .root = root_of(3), .old_size = 2, .n = 2, .proof = {leaf(2), leaf(2)}
    };

    (void)state;
    refuse(&head, KW_E_DENIED, "checkpoint-proof:");
}
static void an_extension_line(void **state)
{
    struct head head = {.size = 3,
                        .root = root_of(3),
                        .old_size = 2,
                        .n = 1,
                        .proof = {leaf(2)},
                        .behind = "an extension\n"};

    (void)state;
    refuse(&head, KW_E_INPUT, "checkpoint");
}
static void a_whole_note(void **state)
{
    struct head head = {.size = 3,
                        .root = root_of(3),
                        .old_size = 2,
                        .n = 1,
                        .proof = {leaf(2)},
                        .behind = "\n\xe2\x80\x94 log.example/keywright AAAAAAAA\n"};

    (void)state;
    refuse(&head, KW_E_INPUT, "");
}

static void the_last_head_survives_kill(void **state)
{
    struct rig *rig = attack_rig;
    struct head third = {.size = 3, .root = root_of(3), .old_size = 2, .n = 1, .proof = {leaf(2)}};
    struct head fork = {
        .size = 3, .root = node(root_of(2), leaf(9)), .old_size = 2, .n = 1, .proof = {leaf(9)}};
    struct head fourth = {
        .size = 4,
        .root = root_of(4),
        .old_size = 3,
        .n = 3,
        .proof = {leaf(2), leaf(3), root_of(2)}
    };

    (void)state;
    must_sign(rig, &third);
    assert_int_equal(kill(rig->pid, SIGKILL), 0);
    (void)rig_end(rig); /* killed */
    rig_start(rig, /* ceremony= */ false);
    attack_begin();
    struct keeper_reply reply = ask(rig, &fork);
    assert_int_equal(last_size_of(&reply), 3);
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CHECKPOINT], &reply, KW_E_DENIED,
                 "checkpoint-old-size:");
    must_sign(rig, &fourth);
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction run;
    } rows[] = {
        {"the log grows",                  the_log_grows                },
        {"another origin",                 another_origin               },
        {"as if it were the first head",   as_if_first                  },
        {"proof from an older head",       proof_from_an_older_head     },
        {"a smaller tree",                 a_smaller_tree               },
        {"an empty tree",                  an_empty_tree                },
        {"another root of the same size",  another_root_of_the_same_size},
        {"the same head with a proof",     the_same_with_a_proof        },
        {"a rewritten history",            a_rewritten_history          },
        {"no proof",                       no_proof                     },
        {"a proof of another step",        a_proof_of_another_step      },
        {"a proof too long",               a_proof_too_long             },
        {"an extension line",              an_extension_line            },
        {"a whole note",                   a_whole_note                 },
        {"the last head survives kill -9", the_last_head_survives_kill  },
    };
    static struct attack_suite suite;

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        attack_add(&suite, rows[i].name, rows[i].run, NULL);
    }
    return attack_run("hostile_keeper_log", &suite);
}
