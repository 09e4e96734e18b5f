/* A gate that does what a test tells it: EST, hello, receipts and OCSP, in a process of its own. */
#ifndef TESTS_DEVICE_GATE_H
#define TESTS_DEVICE_GATE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define GATE_DEVICE "DEV1"
#define GATE_SECRET "a-secret-that-nobody-guesses"

enum gate_cert { /* what it issues */
                 GATE_CERT_RIGHT,
                 GATE_CERT_OTHER_KEY,
                 GATE_CERT_OTHER_NAME,
                 GATE_CERT_OTHER_CA,
                 GATE_CERT_ENDED,
                 GATE_CERT_GARBAGE,
                 GATE_CERT_MAX
};
enum gate_ocsp {
    GATE_OCSP_GOOD,
    GATE_OCSP_REVOKED,
    GATE_OCSP_UNKNOWN,
    GATE_OCSP_TRY_LATER,
    GATE_OCSP_HTTP_500,
    GATE_OCSP_GARBAGE,
    GATE_OCSP_OTHER_NONCE,
    GATE_OCSP_STRANGER, /* signed by nobody who may */
    GATE_OCSP_MAX
};

enum gate_evidence { /* what it saw last; of the last round */
                     GATE_EVIDENCE_NONE,
                     GATE_EVIDENCE_GOOD,
                     GATE_EVIDENCE_OTHER_NONCE,
                     GATE_EVIDENCE_BAD_SIGNATURE,
};

enum gate_wipe { /* the order that it states */
                 GATE_WIPE_NONE,
                 GATE_WIPE_RIGHT,
                 GATE_WIPE_OTHER_DEVICE,
                 GATE_WIPE_OTHER_KEY,
                 GATE_WIPE_REPLAYED,
                 GATE_WIPE_STRANGER,
                 GATE_WIPE_OTHER_KIND,
                 GATE_WIPE_PAST, /* at a time that is over, as who has an old signer's key would */
                 GATE_WIPE_MAX
};

/* Shared between the test and the gate. */
struct gate {
    atomic_int cert, ocsp; /* enum gate_cert, gate_ocsp */
    atomic_int wipe;       /* enum gate_wipe */
    atomic_int evidence;   /* enum gate_evidence */
    atomic_int move;       /* so often the connection ends behind a challenge */
    atomic_uint n_challenges;
    atomic_int refuse;          /* HTTP status for every request of EST and device API; 0 = serve */
    atomic_int leaf_hours;      /* life of an LDevID; 0 = 100 */
    atomic_llong time_shift_ms; /* of the clock that hello tells */
    atomic_llong sign_shift_ms; /* of the time that is signed */
    atomic_llong ocsp_age_s;    /* of OCSP answers */
    atomic_uint n_times;
    atomic_uint n_issued, n_replayed, n_conflicts, n_hellos, n_receipts, n_bad_receipts;
    uint16_t port, ocsp_port;
    pid_t pid;
    char trust[96], other_trust[96]; /* PEM files of its root and of another */
};

/* Lives of its CAs and its own certificate, and of IDevIDs; before gate_start(). */
extern int64_t gate_hours;
/* dir: where the PEM files go. */
struct gate *gate_start(const char *dir);
void gate_stop(struct gate *gate);

#endif
