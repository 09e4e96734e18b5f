/* Where a profile has come away from the rule that was sealed with a CA's key. */
#ifndef MODEL_RULE_GAP_H
#define MODEL_RULE_GAP_H

#include "model/policy.h"

enum { RULE_GAP_TEXT = 80 };

struct rule_gap {
    const char *field; /* of the profile's file */
    char now[RULE_GAP_TEXT], sealed[RULE_GAP_TEXT];
};

/**
 * The next field by which certificates of the rule `now` would be refused under `sealed`. One that
 * asks for less than is sealed (a shorter life, fewer key algorithms) is none.
 * at: 0 at the beginning; moved behind what was found. False: no further one.
 */
bool rule_gap_next(const struct policy_rule *sealed, const struct policy_rule *now, unsigned *at,
                   struct rule_gap *ret);

#endif
