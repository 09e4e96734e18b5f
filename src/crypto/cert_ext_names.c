/* Name constraints (RFC 5280 section 4.2.1.10). */
#include <arpa/inet.h>

#include "crypto/cert_ext.h"
#include "crypto/dn.h"
#include "crypto/san.h"

enum { TAG_PERMITTED = 0xa0, TAG_EXCLUDED = 0xa1, TAG_DIRECTORY = 0xa4, IP_RANGE_MAX = 32 };

/* "address/mask", both of one family, the mask of leading ones only. */
static kw_status read_ip_range(struct kw_op *op, const char *text, struct kw_out *ret)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t octets[32];
    const char *slash = strchr(text, '/');
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    size_t n = family == AF_INET6 ? 16 : 4;

    ENSURE(op, slash && (size_t)(slash - text) < sizeof(address), KW_E_INPUT,
           "'%s' is no address range", text);
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    ENSURE(op,
           inet_pton(family, address, octets) == 1 && inet_pton(family, slash + 1, octets + n) == 1,
           KW_E_INPUT, "'%s' is no address range", text);
    for (size_t bit = 1; bit < 8 * n; bit++) {
        bool before = octets[n + (bit - 1) / 8] & 0x80 >> (bit - 1) % 8;
        bool now = octets[n + bit / 8] & 0x80 >> bit % 8;
        ENSURE(op, before || !now, KW_E_INPUT, "the mask of '%s' has holes", text);
    }
    TRY(op, kw_out_set(ret, KW_SPAN(octets, 2 * n)));
    return KW_OK;
}

/* GeneralSubtree; `minimum` stays at its default, which DER leaves out. */
static kw_status put_dn(struct kw_op *op, struct der_writer *w, struct kw_span dn)
{
    size_t at = der_open(w, DER_SEQUENCE);

    TRY(op, dn_check(op, dn, "permitted name"));
    der_put(w, TAG_DIRECTORY, dn);
    der_close(w, at);
    return KW_OK;
}

static void put_dns(struct der_writer *w, const char *dns)
{
    size_t at = der_open(w, DER_SEQUENCE);

    der_put(w, SAN_TAG_DNS, kw_span_text(dns));
    der_close(w, at);
}

static void put_ip(struct der_writer *w, struct kw_span range)
{
    size_t at = der_open(w, DER_SEQUENCE);

    der_put(w, SAN_TAG_IP, range);
    der_close(w, at);
}

static kw_status permit(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    size_t at = der_open(w, TAG_PERMITTED);

    if (spec->permit_dn.len > 0) {
        TRY(op, put_dn(op, w, spec->permit_dn));
    }
    for (size_t i = 0; i < CERT_SAN_MAX && spec->permit_dns[i]; i++) {
        ENSURE(op, san_is_dns(spec->permit_dns[i], /* constraint= */ true), KW_E_INPUT,
               "'%s' is no DNS name", spec->permit_dns[i]);
        put_dns(w, spec->permit_dns[i]);
    }
    for (size_t i = 0; i < CERT_SAN_MAX && spec->permit_ip[i]; i++) {
        uint8_t room[IP_RANGE_MAX];
        struct kw_out range = KW_OUT_ARRAY(room);
        TRY(op, read_ip_range(op, spec->permit_ip[i], &range));
        put_ip(w, kw_out_span(&range));
    }
    der_close(w, at);
    return KW_OK;
}

static void exclude(bool dns, bool ip, struct der_writer *w)
{
    static const uint8_t everything[IP_RANGE_MAX]; /* 0.0.0.0/0.0.0.0 and ::/:: */
    size_t at = der_open(w, TAG_EXCLUDED);

    if (dns) {
        put_dns(w, "");
    }
    if (ip) {
        put_ip(w, KW_SPAN(everything, 8));
        put_ip(w, KW_SPAN(everything, IP_RANGE_MAX));
    }
    der_close(w, at);
}

/* A permitted subtree already shuts out all other names of its kind. */
kw_status cert_ext_put_constraints(struct kw_op *op, const struct cert_spec *spec,
                                   struct der_writer *w)
{
    bool no_dns = spec->exclude_other_dns && !spec->permit_dns[0];
    bool no_ip = spec->exclude_other_ip && !spec->permit_ip[0];

    if (spec->permit_dn.len > 0 || spec->permit_dns[0] || spec->permit_ip[0]) {
        TRY(op, permit(op, spec, w));
    }
    if (no_dns || no_ip) {
        exclude(no_dns, no_ip, w);
    }
    return KW_OK;
}
