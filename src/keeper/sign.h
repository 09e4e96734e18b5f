/*
 * Signatures with a purpose and a form of their own: statements, firmware releases, TUF metadata.
 * Blocking, threads and errors as for all calls of keeper/keeper.h; KW_E_DENIED where the sealed
 * policy does not allow it (the text begins with the check's name), KW_E_INPUT not of the form,
 * KW_E_STATE, KW_E_EXPIRED. sig: reset, then filled; room of KW_SIG_MAX.
 */
#ifndef KEEPER_SIGN_H
#define KEEPER_SIGN_H

#include "keeper/keeper.h"

/* A statement (model/statement.h) of a kind that the key's class may make. */
kw_status keeper_sign_statement(struct kw_op *op, struct keeper *keeper, const char *key_id,
                                struct kw_span statement, struct kw_out *sig);
/**
 * The SHA-256 of a firmware image, as its release statement names it, for MCUboot.
 * approval_id  of the approved request for release_subject() (model/release.h), used up by this; 0
 * = none KW_E_APPROVAL approval is needed.
 */
kw_status keeper_sign_firmware(struct kw_op *op, struct keeper *keeper, const char *key_id,
                               struct kw_span statement, uint64_t approval_id, struct kw_out *sig);
/* Canonical JSON of one TUF role's "signed" part, at most 1 MiB. Its version must be above all that
 * this line of keys signed; the same version only with the same octets. */
kw_status keeper_sign_tuf(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          struct kw_span body, struct kw_out *sig);

#endif
