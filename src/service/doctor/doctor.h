/*
 * Is everything as it should be? Above all: is each signature that the keeper made accounted for in
 * the log. The keeper's journal is what the server cannot alter; the log is what it cannot take
 * back.
 */
#ifndef SERVICE_DOCTOR_DOCTOR_H
#define SERVICE_DOCTOR_DOCTOR_H

#include "service/service.h"

enum finding_level {
    FINDING_OK = 0,
    FINDING_NOTE,    /* good to know */
    FINDING_WARNING, /* will be a fault unless something is done */
    FINDING_FAULT,   /* something is wrong now */
    FINDING_LEVEL_MAX
};
const char *finding_level_text(enum finding_level level); /* "ok", "note", … */

struct finding {
    enum finding_level level;
    char check[24];           /* "journal", "clock", "certificate", … */
    char object[KW_NAME_MAX]; /* key id, certificate, … */
    char text[320];           /* one sentence, with the next step where there is one */
    int64_t time_ms;          /* of what was found; 0 = none */
    char digest[2 * KW_HASH_BYTES + 1];
    char request_id[64];
};

typedef kw_status (*finding_fn)(struct kw_op *op, void *ctx, const struct finding *finding);

/**
 * Look at everything and tell what was found, the good too. Reads the whole journal and log: some
 * seconds for a million entries. Errors: those of the parts that could not be asked at all, and
 * each()'s.
 */
kw_status doctor_run(struct kw_op *op, struct service *service, finding_fn each, void *ctx);

/* --- service/doctor/profiles.c ---------------------------------------------------------------- */

/* Profiles that go beyond what the keeper signs, and such of the server's own as are missing: a
 * fault each. Errors: each()'s, and the keepers'; one that is away is passed over. */
kw_status profiles_look(struct kw_op *op, struct service *service, finding_fn each, void *ctx);

/* --- service/doctor/reconcile.c --------------------------------------------------------------- */

/* The keeper's journal against the log. */
kw_status reconcile(struct kw_op *op, struct service *service, finding_fn each, void *ctx);
/**
 * A person found out what an unaccounted signature was (the server was ended between the keeper and
 * the log) and says so, for ever, in the log: from then on it is a note, no fault. digest: SHA-256
 * of what was signed. Errors: KW_E_NOT_FOUND no unaccounted use has it, so nothing can be excused
 * before it is done; KW_E_INPUT no reason.
 */
kw_status reconcile_acknowledge(struct kw_op *op, struct service *service,
                                const uint8_t digest[KW_HASH_BYTES], const char *reason);
/**
 * Before the server begins to serve: signatures that no event speaks of (the server was ended
 * between the keeper and the log, or somebody else asked the keeper) become events
 * "key.unaccounted", so that nothing stays silent. Looks only at what is new since the last time.
 */
kw_status reconcile_at_start(struct kw_op *op, struct service *service);

/* --- service/doctor/steps.c ------------------------------------------------------------------- */

/* Events of what the keepers did by themselves (a key's period began or ended) since the last time.
 * A vault that is away is passed over. */
kw_status record_own_steps(struct kw_op *op, struct service *service);

#endif
