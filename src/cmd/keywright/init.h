/* Inside `keywright init`: what its parts share. */
#ifndef CMD_KEYWRIGHT_INIT_H
#define CMD_KEYWRIGHT_INIT_H

#include "cmd/keywright/ceremony.h"
#include "cmd/keywright/cli.h"
#include "model/roster.h"
#include "service/authority/issue.h"
#include "service/authority/plan.h"
#include "service/service.h"

enum { INIT_PATH_ROOM = 4096 };

struct init {
    struct cli *cli;
    struct config config;
    char final[INIT_PATH_ROOM], work[INIT_PATH_ROOM + 16], offline[INIT_PATH_ROOM];
    const char *operator_name;
    unsigned m, n;
    struct plan plan;
    struct ceremony_root offline_cas[PLAN_MAX]; /* beside plan.at; issuing ones have none */
    struct service *service;
    struct roster roster;
    unsigned approvals; /* 0: as the rules say */
};

/* Its command line, and what follows from it. init_options.c */
kw_status init_options(struct kw_op *op, struct init *it);
/* One text of it, where it was given. */
kw_status init_take_text(struct kw_op *op, const struct cli *cli, enum cli_option option,
                         char *text, size_t cap);

/* The state folder's folders and the files that it begins with. init_folders.c */
kw_status init_folders(struct kw_op *op, struct init *it);
/* Without --unlock: a random passphrase in a file that only this user may read. Convenient, not
 * strong; README says so. */
kw_status init_unlock(struct kw_op *op, struct init *it);

/* Every key of the keepers, and the CAs' certificates. init_keys.c */
kw_status init_keys(struct kw_op *op, struct init *it);
/* Where an authority lives, for its certificate. */
struct ceremony_place init_place(const struct init *it, const struct authority *authority);
/* Who signs it; NULL: a root. The plan has it before those that it signs. */
const struct ceremony_root *init_issuer(const struct init *it, const struct authority *authority);
/* The first operator, approvers, and the rules of two-person control. init_people.c */
kw_status init_people(struct kw_op *op, struct init *it);
/* A certificate for somebody, saved under this name. init.c */
kw_status init_issue(struct kw_op *op, struct init *it, struct issue_request *request,
                     const char *common_name, const char *file);

#endif
