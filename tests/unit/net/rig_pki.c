/* Certificates of the tests: root, CA, and leaves of every kind. */
#include <stdlib.h>

#include "base/time.h"
#include "crypto/dn.h"
#include "os/clock.h"
#include "rig_internal.h"

#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define DAY INT64_C(86400)

static struct kw_span dn_of(const char *cn, uint8_t room[KW_DN_MAX])
{
    const struct dn_part parts[] = {
        {"O",  "Keywright Test"},
        {"CN", cn              }
    };
    struct kw_out out = {room, KW_DN_MAX, 0};
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    rig_must(&op, dn_build(&op, parts, KW_COUNT(parts), &out));
    return kw_out_span(&out);
}

static struct cert *issue(struct cert_spec *spec, const struct privkey *issuer)
{
    static uint8_t count;
    uint8_t serial[KW_SERIAL_BYTES] = {0x11, 0x22};
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    serial[KW_SERIAL_BYTES - 1] = ++count;
    spec->serial = KW_SPAN_ARRAY(serial);
    if (spec->not_before == 0) {
        spec->not_before = os_clock_unix_s() - DAY;
        spec->not_after = os_clock_unix_s() + 30 * DAY;
    }
    rig_must(&op, cert_build(&op, spec, issuer, &der));
    rig_must(&op, cert_parse(&op, kw_bytes_span(der), &cert));
    return cert;
}

static struct privkey *new_key(void)
{
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    rig_must(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    return key;
}

static struct cert *issue_ca(const char *cn, const struct privkey *key, const char *issuer_cn,
                             const struct privkey *issuer)
{
    uint8_t subject[KW_DN_MAX];
    uint8_t issuer_dn[KW_DN_MAX];
    struct cert_spec spec = {
        .issuer_dn = dn_of(issuer_cn, issuer_dn),
        .subject_dn = dn_of(cn, subject),
        .key = privkey_public(key),
        .issuer_key = issuer == key ? NULL : privkey_public(issuer),
        .is_ca = true,
        .path_len = issuer == key ? -1 : 0,
        .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
    };

    return issue(&spec, issuer);
}

static const struct {
    const char *cn, *eku;
    bool expired;
} leaves[WHO_MAX] = {
    [WHO_SERVER] = {"server",    OID_SERVER_AUTH, false},
    [WHO_DEVICE] = {"device-1",  OID_CLIENT_AUTH, false},
    [WHO_DEVICE_2] = {"device-2",  OID_CLIENT_AUTH, false},
    [WHO_IDEVID] = {"idevid",    NULL,            false},
    [WHO_WRONG_USE] = {"wrong-use", OID_SERVER_AUTH, false},
    [WHO_EXPIRED] = {"expired",   NULL,            true },
    [WHO_STRANGER] = {"stranger",  OID_CLIENT_AUTH, false},
    [WHO_SERVER_2] = {"server-2",  OID_SERVER_AUTH, false},
};

static void issue_leaf(struct pki *p, enum who who)
{
    uint8_t subject[KW_DN_MAX];
    bool stranger = who == WHO_STRANGER;
    const struct cert *issuer = stranger ? p->other_root : p->ca;
    struct cert_spec spec = {
        .issuer_dn = cert_subject(issuer),
        .subject_dn = dn_of(leaves[who].cn, subject),
        .path_len = -1,
        .issuer_key = cert_public(issuer),
        .key_usage = CERT_KU_DIGITAL_SIGNATURE,
        .eku = {leaves[who].eku},
    };

    p->key[who] = new_key();
    spec.key = privkey_public(p->key[who]);
    if (who == WHO_SERVER || who == WHO_SERVER_2 || leaves[who].expired) {
        spec.san_dns[0] = "localhost";
        spec.san_ip[0] = "127.0.0.1";
    }
    if (who == WHO_IDEVID || leaves[who].expired) {
        spec.not_before = os_clock_unix_s() - 10 * DAY;
        spec.not_after = leaves[who].expired ? os_clock_unix_s() - DAY : KW_TIME_NEVER;
    }
    p->leaf[who] = issue(&spec, stranger ? p->other_key : p->ca_key);
}

const struct pki *rig_pki(void)
{
    static struct pki p;

    if (p.root) {
        return &p;
    }
    p.root_key = new_key();
    p.ca_key = new_key();
    p.other_key = new_key();
    p.root = issue_ca("root", p.root_key, "root", p.root_key);
    p.ca = issue_ca("ca", p.ca_key, "root", p.root_key);
    p.other_root = issue_ca("other root", p.other_key, "other root", p.other_key);
    for (enum who who = 0; who < WHO_MAX; who++) {
        issue_leaf(&p, who);
    }
    return &p;
}
