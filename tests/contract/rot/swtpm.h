/* A TPM of our own for a test: swtpm on free ports, its state in a folder. */
#ifndef TESTS_CONTRACT_ROT_SWTPM_H
#define TESTS_CONTRACT_ROT_SWTPM_H

#include <stdbool.h>
#include <sys/types.h>

struct swtpm {
    pid_t pid; /* 0: not running */
    unsigned port;
    char dir[256];
    char tcti[64];
};

bool swtpm_is_installed(void);
/* Fill a state folder (absolute) as a manufacturer would: endorsement certificates of a CA that is
 * made in ca_dir. Takes seconds. */
bool swtpm_manufacture(const char *dir, const char *ca_dir);
/* Start with this state folder (absolute). port 0: find a free pair. False where it does not come
 * up. */
bool swtpm_start(struct swtpm *tpm, const char *dir, unsigned port);
/* SIGKILL, as a cable that is pulled. */
void swtpm_stop(struct swtpm *tpm);

#endif
