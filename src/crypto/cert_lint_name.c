#include "crypto/cert_lint_name.h"

#include <string.h>

#include "base/utf8.h"
#include "crypto/der_read.h"

enum { AS_PRINTABLE = 1, AS_UTF8 = 2, AS_IA5 = 4, AS_TEXT = AS_PRINTABLE | AS_UTF8 };

#define X520(n) KW_SPAN("\x55\x04" n, 3)

/* ub-… of RFC 5280 appendix A.1, in characters; domainComponent: RFC 4519 section 2.4. */
static const struct attribute {
    struct kw_span oid;
    unsigned types, max;
    bool once;
    unsigned marks;
} attributes[] = {
    {X520("\x03"), AS_TEXT, 64, true, 0},
    {X520("\x05"), AS_PRINTABLE, 64, true, NAME_HAS_SERIAL},
    {X520("\x06"), AS_PRINTABLE, 2, true, 0},
    {X520("\x07"), AS_TEXT, 128, true, 0},
    {X520("\x08"), AS_TEXT, 128, true, 0},
    {X520("\x0a"), AS_TEXT, 64, true, 0},
    {X520("\x0b"), AS_TEXT, 64, false, 0},
    {X520("\x0c"), AS_TEXT, 64, true, 0},
    {KW_SPAN("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10), AS_IA5, 63, false, 0},
};
static const struct attribute any_other = {.types = AS_TEXT, .max = 256};

static unsigned type_of(uint8_t tag)
{
    static const struct {
        uint8_t tag;
        unsigned type;
    } types[] = {
        {DER_PRINTABLE, AS_PRINTABLE},
        {DER_UTF8,      AS_UTF8     },
        {DER_IA5,       AS_IA5      }
    };

    for (size_t i = 0; i < KW_COUNT(types); i++) {
        if (types[i].tag == tag) {
            return types[i].type;
        }
    }
    return 0;
}

static unsigned place_of(struct kw_span oid)
{
    unsigned i = 0;

    while (i < KW_COUNT(attributes) && !kw_span_equal(attributes[i].oid, oid)) {
        i++;
    }
    return i;
}

/* X.680 section 41.4. */
static bool is_printable(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(" '()+,-./:=?", c));
}

/* How many characters; *ret_right: each may be in such a string. */
static unsigned characters(unsigned type, struct kw_span value, bool *ret_right)
{
    unsigned n = 0;

    *ret_right = true;
    while (value.len > 0) {
        unsigned step = type == AS_UTF8 ? kw_utf8_next(value) : 1;
        bool right = step && !kw_utf8_is_control(value.p, step) &&
                     (type != AS_PRINTABLE || is_printable(value.p[0])) &&
                     (type != AS_IA5 || value.p[0] < 0x80);
        *ret_right = *ret_right && right;
        value = kw_span_sub(value, step ? step : 1, value.len);
        n++;
    }
    return n;
}

static unsigned value_faults(const struct attribute *attribute, uint8_t tag, struct kw_span value)
{
    unsigned type = type_of(tag), faults = attribute->marks;
    bool right = false;
    unsigned n = characters(type, value, &right);

    faults |= type & attribute->types ? 0 : NAME_FAULT_TYPE;
    faults |= right ? 0 : NAME_FAULT_CHARACTER;
    faults |= n >= 1 && n <= attribute->max ? 0 : NAME_FAULT_LENGTH;
    if (attribute->max == 2 &&
        (n != 2 || value.p[0] < 'A' || value.p[0] > 'Z' || value.p[1] < 'A' || value.p[1] > 'Z')) {
        faults |= NAME_FAULT_COUNTRY;
    }
    if (value.len > 0 && (value.p[0] == ' ' || value.p[value.len - 1] == ' ')) {
        faults |= NAME_FAULT_SPACE;
    }
    return faults;
}

/* One RDN: SET { SEQUENCE { type, value } }, and which attributes were seen before. */
static unsigned rdn_faults(struct kw_span rdn, unsigned *seen)
{
    struct kw_reader set = kw_reader_of(rdn);
    struct kw_reader pair = kw_reader_of(der_read(&set, DER_SEQUENCE));
    unsigned place = place_of(der_read(&pair, DER_OID));
    uint8_t tag = pair.rest.len > 0 ? pair.rest.p[0] : 0;
    struct kw_span value = der_read(&pair, tag);
    bool known = place < KW_COUNT(attributes);

    if (!kw_ok(kw_reader_end(&set)) || !kw_ok(kw_reader_end(&pair))) {
        return NAME_FAULT_FORM;
    }
    bool again = known && attributes[place].once && (*seen & 1u << place);
    *seen |= 1u << place;
    return value_faults(known ? &attributes[place] : &any_other, tag, value) |
           (again ? NAME_FAULT_TWICE : 0);
}

unsigned name_faults(struct kw_span name)
{
    struct kw_reader whole = kw_reader_of(name);
    struct kw_reader rdns = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    unsigned faults = kw_ok(kw_reader_end(&whole)) ? 0 : NAME_FAULT_FORM;
    unsigned seen = 0;

    while (rdns.rest.len > 0 && !rdns.failed) {
        faults |= rdn_faults(der_read(&rdns, DER_SET), &seen);
    }
    return faults | (rdns.failed ? NAME_FAULT_FORM : 0);
}
