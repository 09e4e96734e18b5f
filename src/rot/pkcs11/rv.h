/*
 * What a PKCS#11 function returned (CK_RV) as our status, and what it takes to go on: one table
 * (rv.c), printed in docs/HSM.md.
 */
#ifndef ROT_PKCS11_RV_H
#define ROT_PKCS11_RV_H

#include <p11-kit/pkcs11.h>

#include "base/status.h"

/* What has to be done before the next call, each including the ones before it. */
enum p11_heal {
    P11_HEAL_NONE,    /* nothing: the token is well, the request was refused */
    P11_HEAL_HANDLES, /* find the objects again */
    P11_HEAL_SESSION, /* open a session, log in, find the objects again */
    P11_HEAL_MODULE,  /* C_Finalize and C_Initialize, then all of that */
};

struct p11_rv {
    CK_RV rv;
    const char *name; /* "CKR_DEVICE_REMOVED" */
    enum kw_code code;
    enum p11_heal heal;
    const char *text; /* what it means for who reads it */
};

/* Its row; the one for unknown or vendor's codes otherwise. Not for CKR_OK. */
const struct p11_rv *p11_rv_row(CK_RV rv);
/* "CKR_DEVICE_REMOVED: the token was removed". Static. */
const char *p11_rv_text(CK_RV rv);
/* For tests and documents. */
const struct p11_rv *p11_rv_table(unsigned *ret_n);

#endif
