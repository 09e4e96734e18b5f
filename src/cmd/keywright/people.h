/* The people of the first roster: from `keywright init --approver …`, and the rules they approve
 * by. */
#ifndef CMD_KEYWRIGHT_PEOPLE_H
#define CMD_KEYWRIGHT_PEOPLE_H

#include "crypto/pubkey.h"
#include "model/roster.h"

/* The operation's principal: who sits at the machine ("local:root"); root where it cannot be told.
 */
void people_at_machine(struct kw_op *op);
/* The key of a PEM file: a certificate's, or a public key. */
kw_status people_read_key(struct kw_op *op, const char *path, struct pubkey **ret);
/* Add a person. KW_E_INPUT a name or key twice, or too long; KW_E_LIMIT. */
kw_status people_add(struct kw_op *op, struct roster *roster, const char *name, uint32_t roles,
                     const struct pubkey *key);

/* "NAME[=FILE][:ROLE,…]"; file "" where it is to be made; security officer where no role is said.
 */
struct people_arg {
    char name[KW_NAME_MAX], file[KW_PATH_BYTES];
    uint32_t roles;
};
kw_status people_parse(struct kw_op *op, const char *text, struct people_arg *ret);
/* DIR/approvals/rules.yaml. needed: instead of the file's number where that is not 0; 0 = as the
 * file says. */
kw_status people_rules(struct kw_op *op, const char *profiles_dir, unsigned needed,
                       struct roster *ret);
/* Say who is enrolled, and which rules cannot be met yet. */
void people_print(const struct roster *roster);

#endif
