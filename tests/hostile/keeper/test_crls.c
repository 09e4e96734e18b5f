/* A gate that wants CRLs that the keeper must not sign, and one that wants to stop it with long
 * ones. */
#include "crypto/openssl.h"

#include <endian.h>
#include <signal.h>

#include "cmd/keywright-keeper/crl_checks.h"
#include "hostile/keeper/attack.h"
#include "os/clock.h"
#include "os/spawn.h"

/* Fills rig->tbs with something to be refused. */
struct crl_attack {
    const char *name;
    void (*make)(struct rig *rig);
    enum kw_code code;
    const char *reason;
};

/* Revocation lists. */
static void crl_with(struct rig *rig, void (*twist)(struct crl_spec *spec, struct rig *rig))
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    twist(&spec, rig);
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void set_issuer(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->issuer_dn = rig_ca_dn(RIG_CA2);
}
static void crl_issuer_other(struct rig *rig)
{
    crl_with(rig, set_issuer);
}
static void set_far(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->next_update = spec->this_update + 7 * RIG_DAY_S + 1;
}
static void crl_far(struct rig *rig)
{
    crl_with(rig, set_far);
}
static void set_past(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->this_update -= 400;
}
static void crl_past(struct rig *rig)
{
    crl_with(rig, set_past);
}
static void set_future(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->this_update += 400;
}
static void crl_future(struct rig *rig)
{
    crl_with(rig, set_future);
}
static void set_number_1(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->number = 1;
}
static void sign_right_crl(struct rig *rig)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign_crl(rig, "ca");
    rig_verify(rig, &reply, rig->key[RIG_CA]);
}
static void crl_number_lower(struct rig *rig)
{
    sign_right_crl(rig);
    crl_with(rig, set_number_1);
}
static void crl_number_again(struct rig *rig)
{
    sign_right_crl(rig); /* and the same once more */
}

/* The captured list as an X509_CRL, twisted by OpenSSL's hands. */
static void crl_rewritten(struct rig *rig, void (*twist)(X509_CRL *crl, struct rig *rig))
{
    static const uint8_t tail[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
                                   0x3d, 0x04, 0x03, 0x02, 0x03, 0x01, 0x00};
    uint8_t der[4096];
    unsigned char *octets = NULL;
    const unsigned char *p = der;

    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    size_t n = rig->tbs_len + sizeof(tail);
    memcpy(der, (uint8_t[]){0x30, 0x82, (uint8_t)(n >> 8), (uint8_t)n}, 4);
    memcpy(der + 4, rig->tbs, rig->tbs_len);
    memcpy(der + 4 + rig->tbs_len, tail, sizeof(tail));
    AUTO(X509_CRL) *crl = d2i_X509_CRL(NULL, &p, (long)(n + 4));
    assert_non_null(crl);
    twist(crl, rig);
    int len = i2d_re_X509_CRL_tbs(crl, &octets);
    assert_true(len > 0);
    memcpy(rig->tbs, octets, (size_t)len);
    rig->tbs_len = (size_t)len;
    OPENSSL_free(octets);
}
static void put_ext(X509_CRL *crl, const char *oid, bool critical, struct kw_span value)
{
    AUTO(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *object = OBJ_txt2obj(oid, /* no_name= */ 1);

    assert_true(ASN1_OCTET_STRING_set(octets, value.p, (int)value.len));
    X509_EXTENSION *ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
    int at = X509_CRL_get_ext_by_OBJ(crl, object, -1);
    if (at >= 0) {
        X509_EXTENSION_free(X509_CRL_delete_ext(crl, at));
    }
    assert_true(X509_CRL_add_ext(crl, ext, -1));
    X509_EXTENSION_free(ext);
    ASN1_OBJECT_free(object);
}
static void twist_aki(X509_CRL *crl, struct rig *rig)
{
    uint8_t aki[24] = {0x30, 0x16, 0x80, 0x14};

    memcpy(aki + 4, pubkey_sha1(rig->key[RIG_CA2]), 20);
    put_ext(crl, "2.5.29.35", false, KW_SPAN_ARRAY(aki));
}
static void crl_aki_other(struct rig *rig)
{
    crl_rewritten(rig, twist_aki);
}
static void twist_no_number(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    X509_EXTENSION_free(X509_CRL_delete_ext(crl, X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1)));
}
static void crl_no_number(struct rig *rig)
{
    crl_rewritten(rig, twist_no_number);
}
static void twist_idp(X509_CRL *crl, struct rig *rig)
{
    static const uint8_t only_user[] = {0x30, 0x03, 0x81, 0x01, 0xff};

    (void)rig;
    put_ext(crl, "2.5.29.28", true, KW_SPAN_ARRAY(only_user));
}
static void crl_idp(struct rig *rig)
{
    crl_rewritten(rig, twist_idp);
}
static void twist_unknown(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    put_ext(crl, "1.3.6.1.4.1.99999.77", false, KW_SPAN("\x05\x00", 2));
}
static void crl_unknown_ext(struct rig *rig)
{
    crl_rewritten(rig, twist_unknown);
}
static void twist_sig_alg(X509_CRL *crl, struct rig *rig)
{
    /* OpenSSL has no getter for the inner field: a throw-away signature sets it. */
    AUTO(EVP_PKEY) *key = EVP_EC_gen("P-384");

    (void)rig;
    assert_true(X509_CRL_sign(crl, key, EVP_sha384()) > 0);
}
static void crl_sig_alg_other(struct rig *rig)
{
    crl_rewritten(rig, twist_sig_alg);
}
static void twist_v1(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    while (X509_CRL_get_ext_count(crl) > 0) {
        X509_EXTENSION_free(X509_CRL_delete_ext(crl, 0));
    }
    assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_1));
}
static void crl_v1(struct rig *rig)
{
    crl_rewritten(rig, twist_v1);
    /* OpenSSL writes the version 0 out, which DER leaves out: take it away. */
    static const uint8_t zero[] = {0x02, 0x01, 0x00};
    size_t at = rig->tbs[1] < 0x80 ? 2 : rig->tbs[1] == 0x81 ? 3 : 4;
    if (memcmp(rig->tbs + at, zero, sizeof(zero)) == 0) {
        memmove(rig->tbs + at, rig->tbs + at + 3, rig->tbs_len - at - 3);
        rig->tbs_len -= 3;
        rig->tbs[at - 1] -= 3;
    }
}
static void crl_tail(struct rig *rig)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    rig->tbs[rig->tbs_len++] = 0;
}
static void cert_as_crl(struct rig *rig)
{
    uint8_t serial[KW_SERIAL_BYTES];
    struct cert_spec spec = rig_spec(rig, RIG_CA, "leaf", serial);

    rig_capture_cert(rig, &spec, rig->key[RIG_CA]);
}

/* --- scopes ----------------------------------------------------------------------------------- */

#define PLACE "http://localhost:8080/crl/ca."

static struct keeper_reply sign_with(struct rig *rig, const struct crl_spec *spec)
{
    rig_capture_crl(rig, spec, rig->key[RIG_CA]);
    return rig_sign_crl(rig, "ca");
}

static void sign_right(struct rig *rig, const struct crl_spec *spec)
{
    struct keeper_reply reply = sign_with(rig, spec);

    rig_verify(rig, &reply, rig->key[RIG_CA]);
}

/* A complete list of a scope ("": all), and the spec of its first delta. */
static struct crl_spec sign_base(struct rig *rig, const struct crl_scope *scope)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    spec.scope = scope;
    sign_right(rig, &spec);
    spec.base_number = spec.number;
    spec.number = rig_next_crl_number();
    return spec;
}

static const struct crl_scope shard_1 = {.url = PLACE "1.crl"};
static const struct crl_scope shard_2 = {.url = PLACE "2.crl"};
static const struct crl_scope foreign = {.url = "http://localhost:8080/crl/other.1.crl"};
static const struct crl_scope deeper = {.url = PLACE "1/../../x.crl"};
static const struct crl_scope nameless = {.url = PLACE};
static const struct crl_scope only_cas = {.url = PLACE "1.crl", .only_cas = true};

static void with_scope(struct rig *rig, const struct crl_scope *scope)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    spec.scope = scope;
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void scope_foreign(struct rig *rig)
{
    with_scope(rig, &foreign);
}
static void scope_deeper(struct rig *rig)
{
    with_scope(rig, &deeper);
}
static void scope_nameless(struct rig *rig)
{
    with_scope(rig, &nameless);
}
static void scope_only_cas(struct rig *rig)
{
    with_scope(rig, &only_cas);
}

/* The value of an issuingDistributionPoint, by hand. */
static struct kw_span idp_value;
static bool idp_critical;
static void twist_idp_value(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    put_ext(crl, "2.5.29.28", idp_critical, idp_value);
}
static void with_idp(struct rig *rig, bool critical, struct kw_span value)
{
    idp_value = value;
    idp_critical = critical;
    crl_rewritten(rig, twist_idp_value);
}
#define IDP(name, critical, octets)                                                                \
    static void name(struct rig *rig)                                                              \
    {                                                                                              \
        with_idp(rig, critical, KW_SPAN(octets, sizeof(octets) - 1));                              \
    }
IDP(idp_empty, true, "\x30\x00")
IDP(idp_false, true, "\x30\x06\x81\x01\x00\x82\x01\xff")
IDP(idp_indirect, true, "\x30\x06\x81\x01\xff\x84\x01\xff")
IDP(idp_reasons, true, "\x30\x04\x83\x02\x06\x40")
IDP(idp_attributes, true, "\x30\x03\x85\x01\xff")
IDP(idp_relative, true, "\x30\x0f\xa0\x0d\xa1\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02\x63\x61")
IDP(idp_two_urls, true, "\x30\x0c\xa0\x0a\xa0\x08\x86\x02\x68\x3a\x86\x02\x68\x3b")
IDP(idp_true_of_1, true, "\x30\x03\x81\x01\x01")
IDP(idp_not_critical, false, "\x30\x03\x81\x01\xff")

/* --- deltas ----------------------------------------------------------------------------------- */

static void delta_without_base(struct rig *rig)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    spec.base_number = spec.number - 1; /* no such list was signed */
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void delta_of_another_scope(struct rig *rig)
{
    struct crl_spec spec = sign_base(rig, &shard_1);

    spec.scope = &shard_2;
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void delta_to_the_third_last(struct rig *rig)
{
    struct crl_spec spec = sign_base(rig, NULL);

    (void)sign_base(rig, NULL);
    (void)sign_base(rig, NULL);
    spec.number = rig_next_crl_number();
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void delta_to_a_delta(struct rig *rig)
{
    struct crl_spec spec = sign_base(rig, NULL);

    sign_right(rig, &spec);
    spec.base_number = spec.number;
    spec.number = rig_next_crl_number();
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void delta_number_again(struct rig *rig)
{
    struct crl_spec spec = sign_base(rig, NULL);

    sign_right(rig, &spec);
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
/* The number of the complete list belongs to a delta of the same second alone, and to one. */
static struct crl_spec twin(struct rig *rig)
{
    struct crl_spec old = sign_base(rig, NULL);
    struct crl_spec spec = sign_base(rig, NULL);

    spec.number = spec.base_number;
    spec.base_number = old.base_number;
    return spec;
}
static void delta_twin_of_another_time(struct rig *rig)
{
    struct crl_spec spec = twin(rig);

    spec.this_update -= 1;
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void delta_twin_twice(struct rig *rig)
{
    struct crl_spec spec = twin(rig);

    sign_right(rig, &spec);
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void complete_below_delta(struct rig *rig)
{
    struct crl_spec spec = sign_base(rig, NULL);

    sign_right(rig, &spec);
    spec.base_number = 0;
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void freshest_foreign(struct rig *rig)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    spec.delta_url = foreign.url;
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void twist_delta_not_critical(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    put_ext(crl, "2.5.29.27", false, KW_SPAN("\x02\x01\x01", 3));
}
static void delta_not_critical(struct rig *rig)
{
    crl_rewritten(rig, twist_delta_not_critical);
}
static void twist_two_numbers(X509_CRL *crl, struct rig *rig)
{
    ASN1_OBJECT *object = OBJ_txt2obj("2.5.29.20", /* no_name= */ 1);
    int at = X509_CRL_get_ext_by_OBJ(crl, object, -1);

    (void)rig;
    assert_true(X509_CRL_add_ext(crl, X509_CRL_get_ext(crl, at), -1));
    ASN1_OBJECT_free(object);
}
static void two_numbers(struct rig *rig)
{
    crl_rewritten(rig, twist_two_numbers);
}

/* --- entries ---------------------------------------------------------------------------------- */

struct many {
    uint32_t n, next;
    int reason;
};

static kw_status next_of_many(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    static uint8_t serial[KW_SERIAL_BYTES];
    struct many *many = ctx;
    uint32_t mark = htobe32(many->next);

    (void)op;
    *ret_more = many->next < many->n;
    memset(serial, 0x31, sizeof(serial));
    memcpy(serial + 4, &mark, sizeof(mark));
    many->next++;
    *ret = (struct crl_entry){KW_SPAN_ARRAY(serial), os_clock_unix_s(), many->reason};
    return KW_OK;
}

static struct crl_spec spec_of_many(const struct rig *rig, struct many *many)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    spec.next = next_of_many;
    spec.ctx = many;
    return spec;
}

/* Two entries, and octets of the second replaced where `from` stands in it. */
static void with_entries(struct rig *rig, int reason, struct kw_span from, struct kw_span to)
{
    struct many many = {.n = 2, .reason = reason};
    struct crl_spec spec = spec_of_many(rig, &many);

    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    uint8_t *at = memmem(rig->tbs, rig->tbs_len, from.p, from.len);
    assert_non_null(at);
    assert_int_equal(from.len, to.len);
    memcpy(at, to.p, to.len);
}
#define ENTRY(name, reason, from, to)                                                              \
    static void name(struct rig *rig)                                                              \
    {                                                                                              \
        with_entries(rig, reason, KW_SPAN(from, sizeof(from) - 1), KW_SPAN(to, sizeof(to) - 1));   \
    }
ENTRY(entry_twice, 0, "\x31\x31\x31\x31\0\0\0\1", "\x31\x31\x31\x31\0\0\0\0")
ENTRY(entry_unsorted, 0, "\x31\x31\x31\x31\0\0\0\0", "\x31\x31\x31\x31\0\0\0\2")
ENTRY(entry_negative, 0, "\x02\x10\x31\x31\x31\x31\0\0\0\1", "\x02\x10\xb1\x31\x31\x31\0\0\0\1")
ENTRY(entry_padded, 0, "\x02\x10\x31\x31\x31\x31\0\0\0\1", "\x02\x10\x00\x31\x31\x31\0\0\0\1")
ENTRY(entry_reason_0, 1, "\x0a\x01\x01", "\x0a\x01\x00")
ENTRY(entry_reason_7, 1, "\x0a\x01\x01", "\x0a\x01\x07")
ENTRY(entry_removed, 1, "\x0a\x01\x01", "\x0a\x01\x08")
ENTRY(entry_other_ext, 1, "\x55\x1d\x15", "\x55\x1d\x18")
ENTRY(entry_time, 0, "\x31\x17\x0d\x32", "\x31\x17\x0d\x39")
ENTRY(entry_zone, 0, "Z\x30\x21\x02\x10\x31\x31\x31\x31\0\0\0\1",
      "Y\x30\x21\x02\x10\x31\x31\x31\x31\0\0\0\1")

#define ROW(name, make, code, reason) {name, make, code, reason}
static const struct crl_attack attacks[] = {
    ROW("CRL of another issuer", crl_issuer_other, KW_E_DENIED, "crl-issuer:"),
    ROW("CRL with another AKI", crl_aki_other, KW_E_DENIED, "crl-aki:"),
    ROW("CRL number again", crl_number_again, KW_E_DENIED, "crl-number:"),
    ROW("CRL number lower", crl_number_lower, KW_E_DENIED, "crl-number:"),
    ROW("CRL number missing", crl_no_number, KW_E_INPUT, "ext-missing:"),
    ROW("CRL nextUpdate too late", crl_far, KW_E_DENIED, "crl-next-update:"),
    ROW("CRL of the past", crl_past, KW_E_DENIED, "crl-this-update:"),
    ROW("CRL of the future", crl_future, KW_E_DENIED, "crl-this-update:"),
    ROW("CRL for a part of the certificates", crl_idp, KW_E_DENIED, "crl-kind:"),
    ROW("CRL with an unknown extension", crl_unknown_ext, KW_E_INPUT, "ext-unknown:"),
    ROW("CRL with another signature algorithm", crl_sig_alg_other, KW_E_DENIED,
        "crl-signature-algorithm:"),
    ROW("CRL version 1", crl_v1, KW_E_INPUT, "list:"),
    ROW("CRL and an octet", crl_tail, KW_E_INPUT, ""),
    ROW("certificate as a CRL", cert_as_crl, KW_E_INPUT, ""),
    ROW("CRL with two numbers", two_numbers, KW_E_INPUT, "ext:"),
    ROW("CRL of a foreign place", scope_foreign, KW_E_DENIED, "crl-scope:"),
    ROW("CRL of a place below", scope_deeper, KW_E_DENIED, "crl-scope:"),
    ROW("CRL of no place", scope_nameless, KW_E_DENIED, "crl-scope:"),
    ROW("CRL for CAs alone", scope_only_cas, KW_E_DENIED, "crl-kind:"),
    ROW("CRL with an empty scope", idp_empty, KW_E_INPUT, "ext-form:"),
    ROW("CRL with an explicit FALSE", idp_false, KW_E_INPUT, "ext-form:"),
    ROW("CRL that is indirect", idp_indirect, KW_E_INPUT, "ext-form:"),
    ROW("CRL of some reasons", idp_reasons, KW_E_INPUT, "ext-form:"),
    ROW("CRL of attribute certificates", idp_attributes, KW_E_INPUT, "ext-form:"),
    ROW("CRL of a relative name", idp_relative, KW_E_INPUT, "ext-form:"),
    ROW("CRL of two places", idp_two_urls, KW_E_INPUT, "ext-form:"),
    ROW("CRL with a TRUE of 1", idp_true_of_1, KW_E_INPUT, "ext-form:"),
    ROW("CRL with a scope that may be passed over", idp_not_critical, KW_E_INPUT, "ext:"),
    ROW("delta without a base", delta_without_base, KW_E_DENIED, "crl-base:"),
    ROW("delta to another scope's base", delta_of_another_scope, KW_E_DENIED, "crl-base:"),
    ROW("delta to the third last", delta_to_the_third_last, KW_E_DENIED, "crl-base:"),
    ROW("delta to a delta", delta_to_a_delta, KW_E_DENIED, "crl-base:"),
    ROW("delta number again", delta_number_again, KW_E_DENIED, "crl-number:"),
    ROW("delta with its base's number at another time", delta_twin_of_another_time, KW_E_DENIED,
        "crl-number:"),
    ROW("delta with its base's number twice", delta_twin_twice, KW_E_DENIED, "crl-number:"),
    ROW("CRL with a delta's number", complete_below_delta, KW_E_DENIED, "crl-number:"),
    ROW("delta that may be passed over", delta_not_critical, KW_E_INPUT, "ext:"),
    ROW("deltas at a foreign place", freshest_foreign, KW_E_DENIED, "crl-freshest:"),
    ROW("CRL with a serial number twice", entry_twice, KW_E_INPUT, "entry:"),
    ROW("CRL in no order", entry_unsorted, KW_E_INPUT, "entry:"),
    ROW("CRL with a negative serial number", entry_negative, KW_E_INPUT, "entry:"),
    ROW("CRL with a padded serial number", entry_padded, KW_E_INPUT, "entry:"),
    ROW("CRL with an explicit unspecified", entry_reason_0, KW_E_INPUT, "entry:"),
    ROW("CRL with reason 7", entry_reason_7, KW_E_INPUT, "entry:"),
    ROW("CRL that removes", entry_removed, KW_E_DENIED, "crl-remove:"),
    ROW("CRL with another entry extension", entry_other_ext, KW_E_INPUT, "entry:"),
    ROW("CRL with a date of 1990", entry_time, KW_E_INPUT, "entry:"),
    ROW("CRL with a date of no zone", entry_zone, KW_E_INPUT, "entry:"),
};
#undef ROW

static const struct keeper_row *crl_row(void)
{
    return &keeper_rows[KEEPER_ROW_SIGN_CRL];
}

static void run_attack(void **state)
{
    const struct crl_attack *attack = *state;

    attack_begin();
    attack->make(attack_rig);
    struct keeper_reply reply = rig_sign_crl(attack_rig, "ca");
    attack_check(crl_row(), &reply, attack->code, attack->reason);
}

static void every_check_has_an_attack(void **state)
{
    (void)state;
    for (size_t i = 0; i < crl_checks_count; i++) {
        size_t n = strlen(crl_checks[i].name);
        bool found = false;
        for (size_t j = 0; j < KW_COUNT(attacks); j++) {
            found = found || (strncmp(attacks[j].reason, crl_checks[i].name, n) == 0 &&
                              attacks[j].reason[n] == ':');
        }
        if (!found) {
            print_error("no attack on check '%s'\n", crl_checks[i].name);
        }
        assert_true(found);
    }
}

static void right_lists_are_signed(void **state)
{
    struct rig *rig = attack_rig;
    struct many many = {.n = 3, .reason = 8};

    (void)state;
    sign_right_crl(rig);
    struct crl_spec shard = sign_base(rig, &shard_1);
    struct crl_spec all = sign_base(rig, NULL);
    shard.next = next_of_many;
    shard.ctx = &many;
    sign_right(rig, &shard); /* a delta that removes */
    sign_right(rig, &all);
    struct crl_spec same = twin(rig);
    sign_right(rig, &same);
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());
    spec.delta_url = PLACE "delta.crl";
    sign_right(rig, &spec);
    /* Each scope has its own numbers: one that another has passed long ago. */
    const struct crl_scope fresh = {.url = PLACE "fresh.crl"};
    struct crl_spec low = rig_crl_spec(rig, 1);
    low.scope = &fresh;
    sign_right(rig, &low);
}

/* The policy of the second CA has no rule for a CA: it may say so. */
static void what_the_policy_says_may_be_said(void **state)
{
    struct rig *rig = attack_rig;
    const struct crl_scope users = {.url = "", .only_users = true};
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    (void)state;
    spec.scope = &users;
    spec.issuer_dn = rig_ca_dn(RIG_CA2);
    spec.issuer_key = rig->key[RIG_CA2];
    rig_capture_crl(rig, &spec, rig->key[RIG_CA2]);
    struct keeper_reply reply = rig_sign_crl(rig, "ca2");
    rig_verify(rig, &reply, rig->key[RIG_CA2]);
}

/* What was signed last is on disk before the signature leaves: kill -9 forgets nothing. */
static void crl_number_survives_kill(void **state)
{
    struct rig *rig = attack_rig;

    (void)state;
    attack_begin();
    struct crl_spec shard = sign_base(rig, &shard_2);
    sign_right(rig, &shard);
    sign_right_crl(rig);
    assert_int_equal(kill(rig->pid, SIGKILL), 0);
    (void)rig_end(rig); /* killed */
    rig_start(rig, /* ceremony= */ false);
    struct keeper_reply reply = rig_sign_crl(rig, "ca"); /* the same octets again */
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CRL], &reply, KW_E_DENIED, "crl-number:");
    sign_right_crl(rig);
    attack_begin();
    reply = sign_with(rig, &shard); /* the shard's delta again */
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CRL], &reply, KW_E_DENIED, "crl-number:");
    shard.number = rig_next_crl_number();
    sign_right(rig, &shard); /* its base is still known */
}

int main(void)
{
    static struct attack_suite suite;

    attack_add(&suite, "right_lists_are_signed", right_lists_are_signed, NULL);
    attack_add(&suite, "what_the_policy_says_may_be_said", what_the_policy_says_may_be_said, NULL);
    attack_add(&suite, "every_check_has_an_attack", every_check_has_an_attack, NULL);
    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        attack_add(&suite, attacks[i].name, run_attack, &attacks[i]);
    }
    attack_add(&suite, "crl_number_survives_kill", crl_number_survives_kill, NULL);
    return attack_run("hostile_keeper_crls", &suite);
}
