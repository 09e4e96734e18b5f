#include "crypto/cms_internal.h"

#include <openssl/rsa.h>

bool cms_set_strength(CMS_RecipientInfo *recipient, enum key_alg alg)
{
    EVP_PKEY_CTX *ctx = recipient ? CMS_RecipientInfo_get0_pkey_ctx(recipient) : NULL;

    if (ctx && alg == KEY_ALG_RSA_3072) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1;
    }
    return ctx && EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) == 1;
}
