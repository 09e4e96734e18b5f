#include "service/authority/subject.h"

#include "crypto/dn.h"

struct filled {
    char type[SUBJECT_TYPE_MAX], value[KW_NAME_MAX];
};

kw_status subject_fill(struct kw_op *op, const char (*parts)[SUBJECT_PART_MAX], uint32_t n,
                       const struct subject_facts *facts, struct kw_out *der)
{
    struct filled filled[SUBJECT_PARTS_MAX];
    struct dn_part dn[SUBJECT_PARTS_MAX];

    ENSURE(op, n <= SUBJECT_PARTS_MAX, KW_E_INPUT, "a name of %u parts", n);
    for (uint32_t i = 0; i < n; i++) {
        kw_status status = subject_part_fill(parts[i], facts, filled[i].type, filled[i].value);
        ENSURE(op, status.code != KW_E_NOT_FOUND, KW_E_STATE,
               "subject_dn: nothing is known here for '%s'", parts[i]);
        TRY(op, status, "subject_dn: '%s' cannot be filled", parts[i]);
        dn[i] = (struct dn_part){filled[i].type, filled[i].value};
    }
    return dn_build(op, dn, n, der);
}

kw_status subject_fixed(struct kw_op *op, const char (*parts)[SUBJECT_PART_MAX], uint32_t n,
                        const char *organization, struct kw_out *der)
{
    const struct subject_facts facts = {.organization = organization};
    uint32_t same = 0;
    unsigned words = 0;

    while (same < n && kw_ok(subject_part_words(parts[same], &words)) &&
           (words & ~(unsigned)SUBJECT_ORGANIZATION) == 0) {
        same++;
    }
    return subject_fill(op, parts, same, &facts, der);
}
