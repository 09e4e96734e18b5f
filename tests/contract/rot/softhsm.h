/* Simulated HSMs (SoftHSM 2) with fresh tokens. */
#ifndef TESTS_CONTRACT_ROT_SOFTHSM_H
#define TESTS_CONTRACT_ROT_SOFTHSM_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

#define SOFTHSM_PIN "1234567890"
#define SOFTHSM_SO_PIN "0987654321"

struct softhsm {
    char dir[80];      /* the tokens' files, softhsm2.conf and the PIN file */
    char token[16];    /* label */
    char library[128]; /* the module-path of the URI */
    char pin_file[112];
};

/* Path of the library, NULL where it is not installed. */
const char *softhsm_library(void);
/**
 * Make tokens in a new folder and set SOFTHSM2_CONF to it. While another one is started, its folder
 * is shared and the second of its tokens taken: a process has one configuration. False: no
 * softhsm2-util.
 */
bool softhsm_start(struct softhsm *hsm, const char *dir);
void softhsm_stop(struct softhsm *hsm);
void softhsm_uri(const struct softhsm *hsm, char *text, size_t cap);
/* Run a program with these arguments, what it says into a file (NULL: nowhere); its exit status,
 * 127 where it is not installed. */
int softhsm_run(const char *const argv[], const char *out);
/* The library as it is initialised now; logged in where somebody in this process is. */
struct softhsm_view {
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
};
bool softhsm_view(const struct softhsm *hsm, struct softhsm_view *ret);
/* Through the library as it is initialised now: whole keys, and what should not be there. */
void softhsm_count(const struct softhsm *hsm, unsigned *ret_keys, unsigned *ret_leftovers);

#endif
