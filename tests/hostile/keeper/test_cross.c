/* A gate that wants a key to vouch for what is not its neighbour: SIGN_CROSS. */
#include "audit/succession.h"
#include "base/time.h"
#include "hostile/keeper/attack.h"
#include "os/clock.h"

static struct pubkey *ca_2, *log_2; /* the next keys of their lines */

static const struct keeper_row *row(enum keeper_row_index index)
{
    return &keeper_rows[index];
}

static struct pubkey *rotate(const char *key_id)
{
    struct keeper_msg msg;
    struct keeper_answer answer;
    struct pubkey *key = NULL;

    rig_msg(attack_rig, &msg, key_id);
    struct keeper_reply reply = rig_ask(attack_rig, row(KEEPER_ROW_KEY_ROTATE), &msg, -1);
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(row(KEEPER_ROW_KEY_ROTATE), reply.result, &answer));
    assert_ok(pubkey_parse(NULL, KW_SPAN(answer.key.spki, answer.key.spki_len), &key));
    return key;
}

static int setup(void **state)
{
    rig_overlap_s = RIG_DAY_S;
    if (attack_setup_serving(state) != 0) {
        return -1;
    }
    ca_2 = rotate("ca");
    log_2 = rotate("log");
    return 0;
}

static int teardown(void **state)
{
    pubkey_unref(ca_2);
    pubkey_unref(log_2);
    return attack_teardown(state);
}

/* --- cross certificates ----------------------------------------------------------------------- */

static struct cert_spec good_spec(uint8_t serial[KW_SERIAL_BYTES])
{
    int64_t now = os_clock_unix_s();

    rig_serial(attack_rig, RIG_CA, serial);
    return (struct cert_spec){.issuer_dn = rig_ca_dn(RIG_CA),
                              .subject_dn = rig_ca_dn(RIG_CA),
                              .serial = KW_SPAN(serial, KW_SERIAL_BYTES),
                              .not_before = now - 60,
                              .not_after = now + 30 * RIG_DAY_S,
                              .key = ca_2,
                              .issuer_key = attack_rig->key[RIG_CA],
                              .is_ca = true,
                              .path_len = 0,
                              .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN};
}

static struct keeper_reply ask(const struct cert_spec *spec)
{
    rig_capture_cert(attack_rig, spec, spec->issuer_key);
    return rig_sign(attack_rig, KEEPER_ROW_SIGN_CROSS, "ca");
}

static void neighbour_is_vouched_for(void **state)
{
    uint8_t serial[KW_SERIAL_BYTES];

    (void)state;
    attack_begin();
    struct cert_spec spec = good_spec(serial);
    struct keeper_reply reply = ask(&spec);
    rig_verify(attack_rig, &reply, attack_rig->key[RIG_CA]);
    attack_begin(); /* and the serial number is used up */
    reply = ask(&spec);
    attack_check(row(KEEPER_ROW_SIGN_CROSS), &reply, KW_E_DENIED, "cross-serial:");
}

static void key_of_a_device(struct cert_spec *spec)
{
    spec->key = privkey_public(attack_rig->device);
}
static void key_of_another_ca(struct cert_spec *spec)
{
    spec->key = attack_rig->key[RIG_CA2];
}
static void its_own_key(struct cert_spec *spec)
{
    spec->key = attack_rig->key[RIG_CA];
}
static void key_of_another_class(struct cert_spec *spec)
{
    spec->key = attack_rig->key[RIG_OCSP];
}
static void another_subject(struct cert_spec *spec)
{
    spec->subject_dn = rig_ca_dn(RIG_CA2);
}
static void another_issuer(struct cert_spec *spec)
{
    spec->issuer_dn = rig_ca_dn(RIG_CA2);
}
static void invented_serial(struct cert_spec *spec)
{
    spec->serial = kw_span_text("BSERIALSERIALSER");
}
static void a_leaf(struct cert_spec *spec)
{
    spec->is_ca = false;
    spec->path_len = -1;
    spec->key_usage = CERT_KU_DIGITAL_SIGNATURE;
}
static void longer_path(struct cert_spec *spec)
{
    spec->path_len = 1;
}
static void unlimited_path(struct cert_spec *spec)
{
    spec->path_len = -1;
}
static void more_key_usage(struct cert_spec *spec)
{
    spec->key_usage |= CERT_KU_DIGITAL_SIGNATURE;
}
static void extended_key_usage(struct cert_spec *spec)
{
    spec->eku[0] = "1.3.6.1.5.5.7.3.1";
}
static void a_host_name(struct cert_spec *spec)
{
    spec->san_dns[0] = "localhost";
}
static void other_constraints(struct cert_spec *spec)
{
    spec->permit_dns[0] = "example.org";
}
static void a_policy(struct cert_spec *spec)
{
    spec->policy_oid[0] = "2.5.29.32.0";
}
static void backdated(struct cert_spec *spec)
{
    spec->not_before -= RIG_DAY_S;
}
static void postdated(struct cert_spec *spec)
{
    spec->not_before += RIG_DAY_S;
}
static void without_end(struct cert_spec *spec)
{
    spec->not_after = KW_TIME_NEVER;
}
static void another_signers_key_id(struct cert_spec *spec)
{
    spec->issuer_key = attack_rig->key[RIG_EARLY];
}
static void another_algorithm(struct cert_spec *spec)
{
    spec->issuer_key = attack_rig->key[RIG_CA2];
}

static const struct twist {
    const char *name;
    void (*apply)(struct cert_spec *spec);
    const char *reason;
} twists[] = {
    {"cross: a device's key",         key_of_a_device,        "cross-key:"       },
    {"cross: another CA's key",       key_of_another_ca,      "cross-key:"       },
    {"cross: its own key",            its_own_key,            "cross-key:"       },
    {"cross: a key of another class", key_of_another_class,   "cross-key:"       },
    {"cross: another subject",        another_subject,        "cross-name:"      },
    {"cross: another issuer",         another_issuer,         "cross-name:"      },
    {"cross: an invented serial",     invented_serial,        "cross-serial:"    },
    {"cross: a leaf",                 a_leaf,                 "cross-ca:"        },
    {"cross: a longer path",          longer_path,            "cross-ca:"        },
    {"cross: an unlimited path",      unlimited_path,         "cross-ca:"        },
    {"cross: more key usage",         more_key_usage,         "cross-key-usage:" },
    {"cross: extended key usage",     extended_key_usage,     "cross-key-usage:" },
    {"cross: a host name",            a_host_name,            "cross-extensions:"},
    {"cross: constraints of its own", other_constraints,      "cross-extensions:"},
    {"cross: a policy",               a_policy,               "cross-extensions:"},
    {"cross: another signer's id",    another_signers_key_id, "cross-key-ids:"   },
    {"cross: another algorithm",      another_algorithm,      "cross-algorithm:" },
    {"cross: backdated",              backdated,              "cross-begin:"     },
    {"cross: postdated",              postdated,              "cross-begin:"     },
    {"cross: without end",            without_end,            "cross-end:"       },
};

static void run_twists(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(twists); i++) {
        uint8_t serial[KW_SERIAL_BYTES];
        attack_begin();
        print_message("%s\n", twists[i].name);
        struct cert_spec spec = good_spec(serial);
        twists[i].apply(&spec);
        struct keeper_reply reply = ask(&spec);
        attack_check(row(KEEPER_ROW_SIGN_CROSS), &reply, KW_E_DENIED, twists[i].reason);
    }
}

/* --- the log's next key ----------------------------------------------------------------------- */

static struct keeper_reply announce(const char *by, const char *origin, const struct pubkey *next)
{
    char body[SUCCESSION_TEXT_MAX];

    assert_ok(succession_body(NULL, origin, next, body, sizeof(body)));
    attack_rig->tbs_len = strlen(body);
    memcpy(attack_rig->tbs, body, attack_rig->tbs_len);
    return rig_sign(attack_rig, KEEPER_ROW_SIGN_CROSS, by);
}

static void only_the_next_key_is_announced(void **state)
{
    AUTO(privkey) *thief = NULL;

    (void)state;
    assert_ok(privkey_generate(NULL, KEY_ALG_ED25519, &thief));
    attack_begin();
    struct keeper_reply reply = announce("log", RIG_ORIGIN, log_2);
    rig_verify(attack_rig, &reply, attack_rig->key[RIG_LOG]);
    attack_begin();
    reply = announce("log", RIG_ORIGIN, privkey_public(thief));
    attack_check(row(KEEPER_ROW_SIGN_CROSS), &reply, KW_E_DENIED, "cross-key:");
    attack_begin(); /* not backwards */
    reply = announce("log.2", RIG_ORIGIN, attack_rig->key[RIG_LOG]);
    attack_check(row(KEEPER_ROW_SIGN_CROSS), &reply, KW_E_DENIED, "cross-key:");
    attack_begin();
    reply = announce("log", "log.example/other", log_2);
    attack_check(row(KEEPER_ROW_SIGN_CROSS), &reply, KW_E_DENIED, "cross-origin:");
    attack_begin(); /* a CA announces nothing */
    reply = announce("ca", RIG_ORIGIN, log_2);
    attack_check(row(KEEPER_ROW_SIGN_CROSS), &reply, KW_E_INPUT, "TBSCertificate");
}

/* Neither is ever taken for the other. */
static void no_head_as_announcement(void **state)
{
    static const char head[] = RIG_ORIGIN "\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    (void)state;
    attack_begin();
    attack_rig->tbs_len = sizeof(head) - 1;
    memcpy(attack_rig->tbs, head, sizeof(head) - 1);
    struct keeper_reply reply = rig_sign(attack_rig, KEEPER_ROW_SIGN_CROSS, "log");
    attack_check(row(KEEPER_ROW_SIGN_CROSS), &reply, KW_E_INPUT, "no announcement");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbour_is_vouched_for),
        cmocka_unit_test(run_twists),
        cmocka_unit_test(only_the_next_key_is_announced),
        cmocka_unit_test(no_head_as_announcement),
    };

    return cmocka_run_group_tests_name("cross", tests, setup, teardown);
}
