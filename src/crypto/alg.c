#include "crypto/alg.h"

#include <stddef.h>
#include <string.h>

static const struct row {
    const char *text;
    unsigned strength; /* bits, SP 800-57 part 1 table 2 */
    const char *digest;
} rows[] = {
    [KEY_ALG_NONE] = {"none",     0,   NULL    },
    [KEY_ALG_EC_P256] = {"ec-p256",  128, "SHA256"},
    [KEY_ALG_EC_P384] = {"ec-p384",  192, "SHA384"},
    [KEY_ALG_ED25519] = {"ed25519",  128, NULL    },
    [KEY_ALG_RSA_3072] = {"rsa-3072", 128, "SHA256"},
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == KEY_ALG_MAX, "one row an algorithm");

static const struct row secret_256 = {"secret-256", 256, NULL};

static const struct row *row_of(enum key_alg alg)
{
    if ((unsigned)alg == KEY_ALG_SECRET_256) {
        return &secret_256;
    }
    return &rows[(unsigned)alg < KEY_ALG_MAX ? alg : KEY_ALG_NONE];
}

const char *key_alg_text(enum key_alg alg)
{
    return row_of(alg)->text;
}

enum key_alg key_alg_from_text(const char *text)
{
    for (unsigned i = KEY_ALG_NONE + 1; text && i < KEY_ALG_MAX; i++) {
        if (strcmp(text, rows[i].text) == 0) {
            return (enum key_alg)i;
        }
    }
    if (text && strcmp(text, secret_256.text) == 0) {
        return (enum key_alg)KEY_ALG_SECRET_256;
    }
    return KEY_ALG_NONE;
}

unsigned key_alg_strength(enum key_alg alg)
{
    return row_of(alg)->strength;
}

const char *key_alg_digest(enum key_alg alg)
{
    return row_of(alg)->digest;
}
