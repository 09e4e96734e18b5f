#include "service/keys/line.h"

#include <stdlib.h>

unsigned line_split(const char *key_id, char base[KW_NAME_MAX])
{
    const char *dot = strrchr(key_id, '.');
    unsigned long n = 1;

    (void)kw_text_copy(base, KW_NAME_MAX, key_id);
    if (!dot || dot == key_id || dot[1] < '1' || dot[1] > '9' ||
        strspn(dot + 1, "0123456789") != strlen(dot + 1) || strlen(dot + 1) > 6) {
        return 1;
    }
    n = strtoul(dot + 1, NULL, 10);
    if (n < 2) { /* the first of a line has no number */
        return 1;
    }
    base[dot - key_id] = '\0';
    return (unsigned)n;
}

kw_status line_newest(struct kw_op *op, struct service *service, const char *base, unsigned states,
                      struct keeper_key_info *ret)
{
    struct keeper *keeper = service_keeper(service, base);
    struct keeper_key_info info;
    char line[KW_NAME_MAX];
    unsigned newest = 0;

    for (uint32_t i = 0;; i++) {
        kw_status status = keeper_key_at(op, keeper, i, &info);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            break;
        }
        TRY(op, status, "keys of the keeper");
        unsigned generation = line_split(info.key_id, line);
        if (strcmp(line, base) == 0 && generation > newest &&
            (states == 0 || (states & 1u << info.state))) {
            *ret = info;
            newest = generation;
        }
    }
    ENSURE(op, newest > 0, KW_E_NOT_FOUND, "no key of the line '%s' is there", base);
    return KW_OK;
}
