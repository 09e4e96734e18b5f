/*
 * The device library's inside. One struct a device, one thread at a time, synchronous.
 * State folder: config.json, root.pem, ca.pem (issuers), idevid.pem, ldevid.pem,
 * ldevid-previous.pem, *.csr (requests on their way: sent again unchanged after a cut),
 * root-*.pem (roots.c), ldevid-next.pem (received, but not yet proven by a handshake), ocsp-*.der
 * (good answers about the server), receipts/ (not delivered yet). docs/DEVICE-LIFE.md tells the
 * whole.
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/cert.h"
#include "model/attest.h"
#include "model/firmware.h"
#include "model/heartbeat.h"
#include "model/statement.h"
#include "net/client.h"
#include "os/clock.h"
#include "rot/rot.h"

enum {
    DEVICE_ROOTS_MAX = 3,
    DEVICE_ISSUERS_MAX = KW_CA_CERTS_MAX,
    DEVICE_URL_MAX = 256,
    DEVICE_GRACE_MAX_S = 7 * 86400,
    DEVICE_LEAP_MAX_S = 366 * 86400 /* what one signed word may say the time has moved on */
};

/* Which certificate to use. */
enum device_identity {
    DEVICE_NONE = 0,
    DEVICE_IDEVID,
    DEVICE_LDEVID,
    DEVICE_PREVIOUS,
    DEVICE_NEXT /* received, not proven yet */
};

struct device_config {
    char server[DEVICE_URL_MAX];
    char device_id[KW_NAME_MAX];
    char root_of_trust[KW_URI_MAX];
    char event_log[256];         /* of the firmware; "" = where the kernel shows it */
    char firmware[FIRMWARE_MAX]; /* version that runs here; "" = nobody said */
    int64_t floor_ms;   /* the latest time that was proven: it is never before that, time.c */
    int64_t floor_up_s; /* uptime then, and in which start of the machine */
    char floor_boot[2 * OS_BOOT_ID_BYTES + 1];
    bool wiped;
    int64_t revocation_grace_s; /* how long beyond its nextUpdate a kept answer "not revoked" about
                                   the server stands in where no responder can be reached */
    bool obey_wipe;   /* a signed order of the server is enough to wipe; else it is told */
    bool renew_asked; /* by the server, in the last hello: renewal is due */
};

struct ssl_ctx_st;

/* What a device has to do from time to time. */
enum device_task {
    DEVICE_TASK_NONE = 0,
    DEVICE_TASK_ENROL,
    DEVICE_TASK_RENEW,
    DEVICE_TASK_HELLO,
    DEVICE_TASK_WIPE, /* begun: end it, deliver its receipts */
    DEVICE_TASK_MAX
};
struct device_tries {
    unsigned failures; /* in a row */
    int64_t again_ms;  /* monotonic clock: not before */
};
/* When a certificate's renewal is due, by the uptime. */
struct device_schedule {
    uint8_t cert[KW_HASH_BYTES];
    int64_t at_up_s;
};

struct device {
    char dir[KW_PATH_BYTES];
    struct device_config config;
    struct cert *root;                   /* the one in use */
    struct cert *next_root, *spare_root; /* roots.c; may be NULL */
    unsigned n_roots;
    struct cert *roots[DEVICE_ROOTS_MAX]; /* those above that there are: all are trusted */
    bool next_used;                       /* the last handshake's path led to next_root */
    unsigned n_issuers;
    struct cert *issuers[DEVICE_ISSUERS_MAX];
    struct rot *rot;
    struct http_client *client;     /* kept alive between calls */
    enum device_identity client_as; /* whose it is */
    int64_t base_ms, base_up_s;     /* a time that was signed, and the uptime then; 0: none */
    int64_t kept_floor_ms;          /* as config.json has it */
    bool has_turn;                  /* state_take_turn() */
    uint32_t retry_after_s;         /* what the server's last refusal asked for; 0 = nothing */
    struct device_tries tries[DEVICE_TASK_MAX];
    struct device_schedule schedule;
    bool refused; /* the last call: by the server, not for want of a line or of trust in it */
    uint64_t events_lost; /* events.h: not written, and no record shows it yet */
};

/* --- state.c: the folder
 * ------------------------------------------------------------------------------------------ */
/* Open or make the folder; fields of `wanted` that are not empty replace what it remembers.
 * trust_file may be NULL. */
kw_status state_open(struct kw_op *op, struct device *device, const char *dir,
                     const struct device_config *wanted, const char *trust_file);
kw_status state_save_config(struct kw_op *op, struct device *device);
kw_status state_path(struct kw_op *op, const struct device *device, const char *name, char *path,
                     size_t cap);
kw_status state_write(struct kw_op *op, const struct device *device, const char *name,
                      struct kw_span content);
/* KW_E_NOT_FOUND. */
kw_status state_read(struct kw_op *op, const struct device *device, const char *name, size_t max,
                     struct kw_bytes **ret);
kw_status state_remove(struct kw_op *op, const struct device *device, const char *name);
/*
 * One process at a time enrols, renews, wipes or changes config.json: two renewals at once would
 * destroy each other's keys. With the turn comes what others wrote meanwhile (config.json is read
 * again), and what a cut left half-written goes. Taken within itself it does nothing.
 * KW_E_UNAVAILABLE: the other did not end in time.
 */
struct device_turn {
    struct device *device; /* NULL: not taken here */
    int fd;
};
kw_status state_take_turn(struct kw_op *op, struct device *device, struct device_turn *ret);
void state_end_turn(struct device_turn *turn);
#define DEVICE_TURN_AUTO __attribute__((cleanup(state_end_turn))) struct device_turn
kw_status state_write_certs(struct kw_op *op, const struct device *device, const char *name,
                            struct cert *const certs[], unsigned n);
kw_status state_read_cert(struct kw_op *op, const struct device *device,
                          enum device_identity identity, struct cert **ret);
const char *state_cert_name(enum device_identity identity);
kw_status state_load_issuers(struct kw_op *op, struct device *device);
void device_done(struct device *device);

/* --- roots.c: which roots are trusted ----------------------------------------------------------
 */
/* Beside device->root, which is there already: what the folder has. */
void roots_load(struct device *device);
void roots_list(struct device *device);
void roots_done(struct device *device);
kw_status roots_keep_spare(struct kw_op *op, struct device *device, struct cert *spare);
/* Was this the root in use before the last change? */
bool roots_was_pinned(const struct device *device, const struct cert *root);
/* What the server hands out: a new root with its link is kept; the old one is dropped where the new
 * one was used and the server has the old one no more. With the turn only. */
kw_status roots_learn(struct kw_op *op, struct device *device, struct cert *const certs[],
                      unsigned n);
/* A server's path, valid and not revoked: does it lead to the new root? Only noted. */
void roots_judge(struct device *device, const struct cert *leaf, const struct cert *issuer);
/* A call over that connection succeeded: that counts as use. */
void roots_note_use(struct device *device);

/* --- keys.c: labels in the root of trust
 * -------------------------------------------------------------------------- */
extern const char *const device_labels[]; /* "idevid", "ldevid-a", "ldevid-b"; NULL-terminated */
/* The key of a certificate, whatever label it has. KW_E_NOT_FOUND: the root of trust does not hold
 * it (any more). */
kw_status keys_find(struct kw_op *op, struct device *device, const struct cert *cert,
                    struct privkey **ret, const char **ret_label);
kw_status keys_load(struct kw_op *op, struct device *device, const char *label,
                    struct privkey **ret);
/* Load, or make where absent. */
kw_status keys_make(struct kw_op *op, struct device *device, const char *label,
                    struct privkey **ret);

/* --- server.c: the connection
 * ------------------------------------------------------------------------------------- */
/* A client that shows this identity's certificate; the server must be trusted, named right and not
 * revoked. Kept. */
kw_status server_connect(struct kw_op *op, struct device *device, enum device_identity as,
                         struct http_client **ret);
/* Certificate and key of an identity; nothing (KW_OK) for DEVICE_NONE. */
kw_status server_identity(struct kw_op *op, struct device *device, enum device_identity as,
                          struct cert **ret_own, struct privkey **ret_key);
/* What is shown of it: itself and its issuer, borrowed. How many. own: NULL = none. */
unsigned server_chain(const struct device *device, struct cert *own, struct cert *chain[2]);
/* Is a server's certificate, whose path is valid, good by OCSP? revocation.c. ctx: struct device,
 * of which only `dir` and `config` are looked at. Hard fail: what cannot be found out counts as
 * revoked. KW_E_AUTH. */
kw_status server_judge(struct kw_op *op, void *ctx, const struct cert *leaf,
                       const struct cert *issuer);
/* The same for a signer. age_s: so long a kept answer spares the question, and grace_s longer where
 * nobody answers; age_s 0 = as for servers. */
kw_status signer_judge(struct kw_op *op, struct device *device, const struct cert *leaf,
                       const struct cert *issuer, int64_t age_s, int64_t grace_s);
/* By the name, and the key where the certificate tells it; the signature is not looked at. */
bool device_issued_by(const struct cert *cert, const struct cert *issuer);
/* http_client_config.now_s: device_now_s() of the judge's device. */
int64_t server_now_s(void *ctx);
/* Hang up: the next call makes a fresh handshake. */
void server_hang_up(struct device *device);
/* Refusals (status ≥ 300) as failures with the server's own words. */
kw_status server_call(struct kw_op *op, struct device *device, enum device_identity as,
                      const struct http_call *call, struct kw_bytes **ret);

/* --- connect.c --------------------------------------------------------------------------------
 */
/* An SSL_CTX with the current identity and the same judgement of servers; it outlives the device.
 */
kw_status device_tls_context(struct kw_op *op, struct device *device, const char *host,
                             struct ssl_ctx_st **ret);

/* --- signed_data.c ------------------------------------------------------------------------------
 */
/* audience: NULL = for all. ret: the text, docs/protocol/signed-data.md. */
kw_status device_sign_data(struct kw_op *op, struct device *device, const char *type,
                           const char *audience, struct kw_span data, struct kw_bytes **ret);
/* Why a text was not taken; the same numbers as enum keywright_refusal. */
enum data_refusal {
    DATA_TAKEN = 0,
    DATA_MALFORMED,
    DATA_WRONG_SIGNATURE,
    DATA_WRONG_TYPE,
    DATA_WRONG_AUDIENCE,
    DATA_TOO_OLD,
    DATA_FROM_THE_FUTURE,
    DATA_NOT_TRUSTED,
    DATA_WRONG_SIGNER,
    DATA_REPLAYED,
    DATA_NOT_KEPT,
};
struct data_expect {
    const char *type;                     /* what it must be signed as */
    const char *signer;                   /* by whom; NULL = by anybody that leads to the root */
    bool for_all;                         /* also what is addressed to nobody */
    int64_t max_age_s;                    /* 0 = 300 */
    int64_t status_age_s, status_grace_s; /* signer_judge()'s */
};
struct data_facts {
    enum data_refusal refusal; /* the only member that is set whatever comes of it */
    char signer[KW_NAME_MAX];
    char key_id[2 * KW_HASH_BYTES + 1];
    int64_t time_s;
    uint64_t seq;
};
/**
 * The data of a text that is what was expected, from a signer who leads to the root and is not
 * revoked, and that was never taken before.
 * Errors: KW_E_INPUT, KW_E_DENIED not what was expected, or the signature is wrong; KW_E_CONFLICT
 * replayed; KW_E_EXPIRED too old; KW_E_AUTH, KW_E_REVOKED the signer.
 */
kw_status device_verify_data(struct kw_op *op, struct device *device, struct kw_span text,
                             const struct data_expect *expect, struct data_facts *ret_facts,
                             struct kw_bytes **ret);

/* --- service.c ----------------------------------------------------------------------------------
 */
/* PEM of a request for a key in our root of trust; the same until its certificate is installed. */
kw_status device_service_request(struct kw_op *op, struct device *device, struct kw_bytes **ret);
/* KW_E_INPUT nothing was requested; KW_E_AUTH the certificate is another's. */
kw_status device_service_install(struct kw_op *op, struct device *device, struct kw_span pem);

/* --- files.c ----------------------------------------------------------------------------------
 */
/* Sign, then encrypt for the first certificate of the PEM. KW_E_AUTH, KW_E_REVOKED: the reader. */
kw_status device_protect(struct kw_op *op, struct device *device, struct kw_span recipient_pem,
                         struct kw_span data, struct kw_bytes **ret);

/* --- seal.c -------------------------------------------------------------------------------------
 */
#define DEVICE_SEAL_FILE "seal.key" /* the sealed data key, in the state folder: ends at a wipe */
/* name: what it is; to be given again. */
kw_status device_seal(struct kw_op *op, struct device *device, const char *name,
                      struct kw_span plain, struct kw_bytes **ret);
/* KW_E_INTEGRITY altered, another name's, another device's, or sealed before a wipe. */
kw_status device_unseal(struct kw_op *op, struct device *device, const char *name,
                        struct kw_span sealed, struct kw_secret **ret);

/* --- est.c ------------------------------------------------------------------------------------ */
/* GET cacerts; each issuer must lead to the pinned root. Kept in ca.pem. */
kw_status est_cacerts(struct kw_op *op, struct device *device);
struct est_request {
    const char *label, *verb; /* of the path */
    const char *secret;       /* NULL = by certificate */
    const char *key;          /* label of the key that `csr` is for */
    struct kw_span csr;
};
/* POST a request. Where the server wants attestation first, that is done, with the request's key in
 * it, and the request sent again. ret: the issued certificate, nothing checked yet. */
kw_status est_enrol(struct kw_op *op, struct device *device, enum device_identity as,
                    const struct est_request *request, struct cert **ret);

/* --- enrol.c, renew.c, hello.c, wipe.c, sign.c
 * -------------------------------------------------------------------- */
kw_status device_enrol(struct kw_op *op, struct device *device, const char *secret);
kw_status device_renew(struct kw_op *op, struct device *device, bool force);
#define DEVICE_RENEW_CSR "ldevid-next.csr" /* a renewal has begun */
#define DEVICE_SERVICE_CSR "service.csr"   /* a service waits for its certificate */
/* --- due.c ------------------------------------------------------------------------------------ */
/* Two thirds of the life between not_before and not_after, and up to a twentieth more, by the
 * certificate's hash. */
int64_t device_renew_at(const struct cert *cert);
/* Seconds from now; 0: it is due. */
int64_t device_renew_in_s(struct device *device, const struct cert *cert);
struct device_due {
    enum device_task task; /* ENROL, RENEW, WIPE, or NONE: nothing will ever be due */
    int64_t in_ms;         /* 0 = now */
    unsigned failures;     /* of this task, in a row */
    int64_t hello_in_ms;   /* a hello not before */
};
kw_status device_due(struct kw_op *op, struct device *device, struct device_due *ret);
/* A task was tried: what failed is due again only after a while. */
void device_note(struct device *device, enum device_task task, kw_status status);
/* The wait after so many failures in a row. random: of 0 to 65535. */
int64_t device_wait_ms(unsigned failures, uint32_t retry_after_s, uint16_t random);

/* Shared by enrolment and renewal: the request on its way under `csr_name` for this key, made and
 * kept where absent. */
kw_status request_prepare(struct kw_op *op, struct device *device, const char *csr_name,
                          const struct privkey *key, struct kw_bytes **ret);
/* Is this request for this key? */
bool request_fits(struct kw_span der, const struct privkey *key);
/* The server will never answer this request: forget it and its key; the next try makes others. */
kw_status request_drop(struct kw_op *op, struct device *device, const char *csr_name,
                       const char *label);
/* An issued certificate must be for our key and our name and lead to the root. */
kw_status request_accept(struct kw_op *op, struct device *device, const struct privkey *key,
                         const struct cert *cert);
/* --- time.c: docs/protocol/device-time.md --------------------------------------------------------
 */
/* The time to judge certificates by, seconds: since a signed base by the machine's uptime, else the
 * plain clock where it is believed, else the floor; never before the floor. */
int64_t device_now_s(const struct device *device);
/* Never before this: the library's build; the latest time that was proven and what the uptime says
 * has passed since. Milliseconds. */
int64_t device_floor_ms(const struct device *device);
/* Is the plain clock neither behind the floor nor a year and more beyond it? */
bool device_believes_clock(const struct device *device);
/* A moment that had come when a CA of ours signed something: the floor, where it is not a year and
 * more beyond it. In memory; the next state_save_config() keeps it. */
void device_take_fact(struct device *device, int64_t signed_s);
/* What a key of the server's stated, and who it is. */
struct device_stated {
    char statement[STATEMENT_MAX];
    uint8_t signature[KW_SIG_MAX];
    uint32_t signature_len;
    char chain[4 * KW_CERT_MAX];
};
/* As it comes, JSON. */
kw_status device_stated_read(struct kw_op *op, struct kw_span json, struct device_stated *ret);
/* Is it of this kind, for our nonce, and by a signer who leads to the root? ret borrows from it.
 * KW_E_AUTH, KW_E_DENIED. */
kw_status device_stated_check(struct kw_op *op, const struct device *device,
                              const struct device_stated *stated, enum statement_kind kind,
                              const char *nonce, struct statement *ret);
/* Hear the server's word, which nobody signed: where it is more than a day beyond the floor, signed
 * statements are asked for, and theirs is taken. In memory, as device_take_fact(). */
void device_take_time(struct device *device, int64_t said_ms);
/* Have the server state the time: the base, and the floor where it is later. KW_E_AUTH what it
 * states is not proven. */
kw_status device_ask_time(struct kw_op *op, struct device *device);

/* --- heartbeat.c ------------------------------------------------------------------------------ */
/* The one to send now: the same until heartbeat_taken(). With the turn only: two processes would
 * send two successors. */
kw_status heartbeat_get(struct kw_op *op, const struct device *device, struct heartbeat *ret);
/* The server has it: its successor takes its place. */
void heartbeat_taken(const struct device *device, const struct heartbeat *sent);

/* The server asks for a wipe: fetch its order, and obey or tell. wipe_order.c. */
kw_status device_obey_wipe(struct kw_op *op, struct device *device);
kw_status device_hello(struct kw_op *op, struct device *device, enum device_identity as);
/* --- attest.c, eventlog.c --------------------------------------------------------------------- */

#define DEVICE_EXPORTER_LABEL "EXPORTER-keywright-attest"
/* What a key signs in attestation begins so, NUL included: never an application's data. */
#define DEVICE_ATTEST_PREFIX "keywright-attest-v1"

struct device_verdict {
    enum attest_verdict verdict;
    char reason[32], detail[192];
    unsigned level;
    bool simulated;
    int64_t valid_until_ms; /* 0 where not trusted */
};
kw_status device_attest(struct kw_op *op, struct device *device, struct device_verdict *ret);
/* A round as this identity which also shows that the key of the label, for which a certificate is
 * to be asked, lies in the same TPM (where there is one). */
kw_status device_attest_key(struct kw_op *op, struct device *device, enum device_identity as,
                            const char *label, struct device_verdict *ret);
/* The event log from an octet on; nothing where the firmware keeps none. KW_E_TOO_LARGE. */
kw_status eventlog_read(struct kw_op *op, const struct device *device, uint64_t from,
                        struct kw_out *out);

kw_status device_sign(struct kw_op *op, struct device *device, struct kw_span data,
                      struct kw_out *sig);
kw_status device_wipe(struct kw_op *op, struct device *device);
/* Of the receipt that the key of a label signed, in the state folder. */
void device_receipt_name(const char *label, char name[64]);

#endif
