/* A PKI for all tests of a file. */
#ifndef TESTS_CRYPTO_PKI_GROUP_H
#define TESTS_CRYPTO_PKI_GROUP_H

#include "x509_kit.h"

static struct pki *pki;

static int make_pki(void **state)
{
    (void)state;
    pki = pki_new(KEY_ALG_EC_P256);
    return 0;
}

static int free_pki(void **state)
{
    (void)state;
    pki_free(pki);
    return 0;
}

#endif
