/* What the REST API shows of each noun. The same tables encode (server), decode (command line) and
 * document. */
#ifndef API_REST_VIEWS_H
#define API_REST_VIEWS_H

#include <stdbool.h>

#include "base/limits.h"
#include "codec/fields.h"
#include "model/attest.h"
#include "model/firmware.h"
#include "model/profile.h"
#include "model/roster.h"

enum {
    VIEW_HEX = 2 * KW_HASH_BYTES + 1,
    VIEW_PAGE = 100,
    VIEW_B64_HASH = 48,
    VIEW_VKEY = 256,
    VIEW_NOTE = 8192,
    VIEW_PROOF = 64,
    VIEW_CSR = 3 * KW_CSR_MAX / 2 + 128 /* PEM */
};

struct device_view {
    char id[KW_NAME_MAX], product[KW_NAME_MAX], serial[KW_NAME_MAX], hw_type[64], state[24];
    int64_t registered_ms, last_seen_ms;
    char agent[KW_NAME_MAX], root_of_trust[KW_NAME_MAX], batch[KW_NAME_MAX], firmware[FIRMWARE_MAX];
    bool simulated;
    char attestation[16], attestation_reason[32], assurance_level[16], wipe[16];
    int64_t attested_until_ms, wipe_until_ms, barred_ms;
    char barred[24];
};
/* A set of events of measured boots; a product whose units have a secure element. */
struct reference_view {
    char name[KW_NAME_MAX], product[KW_NAME_MAX], state[8], pcrs[64];
    uint32_t events;
    int64_t added_ms;
};
struct element_view {
    char product[KW_NAME_MAX];
    int64_t added_ms;
};
/* The patience with failed rounds of attestation. */
struct attest_rule_view {
    char product[KW_NAME_MAX];
    struct attest_patience patience;
    int64_t changed_ms;
};
/* A CRL of a CA of endorsement keys. */
struct ek_crl_view {
    char id[VIEW_HEX], name[192];
    uint32_t entries, failed;
    int64_t this_update, next_update, added_ms;
};
struct ek_root_view {
    char id[VIEW_HEX], kind[16], name[192];
    bool simulated;
    int64_t added_ms;
};

/* What a device recorded. */
struct device_event_view {
    uint64_t id;
    int64_t time_ms, received_ms;
    char clock[16], source[32], category[24], type[48], result[24], detail[192], hash[VIEW_HEX];
};

struct cert_view {
    char ca[KW_NAME_MAX], serial[2 * KW_SERIAL_MAX + 1], fingerprint[VIEW_HEX], owner[KW_NAME_MAX];
    char profile[KW_NAME_MAX], subject[256], key[VIEW_HEX];
    int64_t not_before, not_after, issued_ms, revoked_s;
    char state[24], reason[32];
};

/* key: of an answer to who asked for the key itself, hexadecimal. */
struct data_key_view {
    char id[KW_NAME_MAX], kek[KW_NAME_MAX], wrapped_by[KW_NAME_MAX], context[160], state[24];
    int64_t created_ms, rewrapped_ms;
    char key[VIEW_HEX];
};
struct data_rewrap_view {
    char kek[KW_NAME_MAX], newest[KW_NAME_MAX], unneeded[320], why[256];
    uint64_t done, left, failed;
};

/* Backend keys (the keeper's) and devices' public halves look the same to an operator. */
struct key_view {
    char id[KW_NAME_MAX], class_[24], type[40], state[24], alg[16], custody[KW_NAME_MAX],
        owner[KW_NAME_MAX];
    char profile[KW_NAME_MAX], spki[VIEW_HEX];
    int64_t created_ms, state_ms, not_before, not_after;
    uint64_t signatures;
};

struct root_crl_view {
    char id[KW_NAME_MAX];
    uint64_t number, entries;
    int64_t this_update, next_update;
};
struct ca_view {
    char id[KW_NAME_MAX], key_id[KW_NAME_MAX], subject[256], fingerprint[VIEW_HEX], state[16];
    int64_t not_before, not_after, ocsp_not_after;
};

struct vault_view {
    char name[32], state[16], method[16], custody[64];
    uint64_t given, needed, generation, restarts;
};

struct log_view {
    char origin[KW_NAME_MAX], vkey[VIEW_VKEY];
    uint64_t size;
};

struct backup_view {
    char stage[16], id[40], sha256[80];
    uint64_t size;
    char code[32], why[KW_OP_TEXT_MAX];
};

struct backup_told_view {
    char id[40], actor[64], detail[256], keys[256];
    int64_t made_ms;
};

struct proof_view {
    uint64_t index, size;
    char root[VIEW_B64_HASH];
    char entry[4 * 16384 / 3];
    char checkpoint[VIEW_NOTE];
    unsigned n;
    char hashes[VIEW_PROOF][VIEW_B64_HASH];
};

/* One cell of a key's lifecycle table. */
struct lifecycle_cell_view {
    char column[32], value[320], why[96];
};
struct lifecycle_view {
    char id[KW_NAME_MAX], class_[24], state[24], custody[KW_NAME_MAX];
    int64_t made_s, due_s, end_s, drill_s, destroyed_s;
    uint64_t uses;
    bool has_successor;
    uint32_t empty;
    unsigned n;
    struct lifecycle_cell_view rows[64];
};

/* An enrolment that waits, or waited, for an officer. */
struct station_view {
    char station[KW_NAME_MAX], product[KW_NAME_MAX];
    int64_t granted_ms;
};

struct request_view {
    uint64_t id;
    char state[16], owner[KW_NAME_MAX], profile[KW_NAME_MAX], via[KW_NAME_MAX], subject[256];
    char key[VIEW_HEX], sha256[VIEW_HEX], decided_by[KW_NAME_MAX], reason[160];
    int64_t opened_ms, lapses_ms, decided_ms;
    char csr[VIEW_CSR];
};

/* An entry of the change feed, with how its object is now. */
struct feed_view {
    uint64_t index;
    int64_t time_ms;
    char type[32], object[KW_NAME_MAX], actor[KW_NAME_MAX], result[24], detail[640];
    char state[24], owner[KW_NAME_MAX], profile[KW_NAME_MAX], fingerprint[VIEW_HEX];
    char attestation[16], assurance_level[16]; /* of a device */
};
enum { VIEW_FEED = 200 };
struct feed_page {
    unsigned n;
    struct feed_view at[VIEW_FEED];
    char next[KW_NAME_MAX];
};
struct consumer_view {
    char name[KW_NAME_MAX], principal[KW_NAME_MAX];
    uint64_t cursor;
    int64_t at_ms;
};

/* Where two records disagree, and what to do. */
struct drift_view {
    char kind[32], object[2 * KW_NAME_MAX], text[256], next_step[256];
};
enum { VIEW_DRIFTS = 200 };
struct drift_page {
    unsigned n;
    struct drift_view at[VIEW_DRIFTS];
    char next[KW_NAME_MAX];
    uint64_t checked, bad;
};

/* What became of the lines of an import. */
enum { VIEW_IMPORT = 1000 };
struct import_line_view {
    uint32_t line;
    char class_[16], id[KW_NAME_MAX], detail[KW_OP_TEXT_MAX], secret[64];
};
struct import_view {
    bool dry_run;
    uint64_t registered, known, bad;
    unsigned n;
    struct import_line_view at[VIEW_IMPORT];
};

struct batch_view {
    char name[KW_NAME_MAX], product[KW_NAME_MAX], state[16], finding[256];
    uint64_t quota, units, checked;
    int64_t opened_ms, closed_ms;
};

/* A key that nobody may use, and what adding keys to a list led to. */
struct blocked_view {
    char kind[12], id[VIEW_HEX], list[KW_NAME_MAX];
    int64_t added_ms;
};
struct hit_view {
    char owner[KW_NAME_MAX], ca[KW_NAME_MAX], serial[2 * KW_SERIAL_MAX + 1], profile[KW_NAME_MAX];
    char state[16];
};
struct block_view {
    uint64_t added, known, lines, hits;
    unsigned n;
    struct hit_view at[VIEW_PAGE];
    char next[KW_NAME_MAX];
};

struct secret_view {
    char id[KW_NAME_MAX], secret[64];
};

enum { VIEW_APPROVALS = 20, VIEW_APPROVAL_TEXT = APPROVAL_TEXT_MAX + 1 };
struct approval_signer_view {
    char name[KW_NAME_MAX], verdict[16];
    int64_t time_s;
};
struct approval_view {
    uint64_t id;
    char state[16], operation[24], key[KW_NAME_MAX], requester[KW_NAME_MAX];
    int64_t opened_s, deadline_s;
    uint32_t have, needed;
    char roles[ROLE_TEXT_MAX], missing[400];
    char text[VIEW_APPROVAL_TEXT];
    unsigned n_signers;
    struct approval_signer_view signers[ROSTER_MAX + 1];
};
struct approval_page {
    unsigned n;
    struct approval_view at[VIEW_APPROVALS];
    char next[KW_NAME_MAX];
};

struct person_view {
    char name[KW_NAME_MAX], roles[ROLE_TEXT_MAX], spki[VIEW_HEX];
};
struct rule_view {
    char operation[24], class_[24], roles[ROLE_TEXT_MAX];
    uint32_t needed, deadline_s;
    bool can_be_met;
};
struct roster_view {
    unsigned n, n_rules;
    struct person_view people[ROSTER_MAX];
    struct rule_view rules[ROSTER_RULES_MAX];
};

/* What the doctor found. */
struct finding_view {
    char level[12], check[24], object[KW_NAME_MAX], text[320], digest[VIEW_HEX], request_id[64];
    int64_t time_ms;
};

/* A refusal, application/problem+json (RFC 9457). */
struct problem_view {
    char type[64], title[128], code[32], detail[1024], request_id[KW_REQUEST_ID];
    uint32_t status;
};

/* One page of a list. next: give it back as `after`; "" at the end. */
#define VIEW_PAGE_OF(name)                                                                         \
    struct name##_page {                                                                           \
        unsigned n;                                                                                \
        struct name##_view at[VIEW_PAGE];                                                          \
        char next[KW_NAME_MAX];                                                                    \
    };
VIEW_PAGE_OF(device)
VIEW_PAGE_OF(cert)
VIEW_PAGE_OF(ek_root)
VIEW_PAGE_OF(reference)
VIEW_PAGE_OF(element)
VIEW_PAGE_OF(attest_rule)
VIEW_PAGE_OF(ek_crl)
VIEW_PAGE_OF(device_event)
VIEW_PAGE_OF(key)
VIEW_PAGE_OF(ca)
VIEW_PAGE_OF(vault)
VIEW_PAGE_OF(data_key)
VIEW_PAGE_OF(backup_told)
VIEW_PAGE_OF(request)
struct station_page {
    unsigned n;
    struct station_view at[VIEW_PAGE];
    char next[2 * KW_NAME_MAX]; /* "STATION/PRODUCT" */
};
VIEW_PAGE_OF(batch)
VIEW_PAGE_OF(blocked)
VIEW_PAGE_OF(consumer)

enum { VIEW_FINDINGS = 400 };
struct finding_list {
    unsigned n;
    struct finding_view at[VIEW_FINDINGS];
    char next[KW_NAME_MAX];
};

/* What was issued by an operator's word. */
struct issued_view {
    char ca[KW_NAME_MAX], serial[2 * KW_SERIAL_MAX + 1], fingerprint[VIEW_HEX], owner[KW_NAME_MAX];
    char profile[KW_NAME_MAX], subject[256];
    int64_t not_after;
    char pem[2 * KW_CERT_MAX];
};

/* One line of what a request would become. */
struct terms_view {
    char field[32], asked[256], gets[256], verdict[12], rule[256], source[96];
};
struct terms_page {
    unsigned n;
    struct terms_view at[48];
    char next[KW_NAME_MAX];
};

struct view {
    const struct codec_field *fields;
    unsigned n;
};
extern const struct view device_view, cert_view, key_view, ca_view, root_crl_view, log_view,
    proof_view, backup_view, backup_told_view, secret_view, problem_view, approval_view,
    roster_view, vault_view;
extern const struct view finding_view, lifecycle_view, data_key_view, data_rewrap_view;
extern const struct view station_view, station_page;
extern const struct view import_view, feed_view, feed_page, consumer_view, consumer_page,
    drift_page;
extern const struct view request_view, request_page, batch_view, batch_page, blocked_view,
    blocked_page, block_view;
extern const struct view ek_root_view, ek_root_page, reference_view, reference_page, element_view,
    element_page, attest_rule_view, attest_rule_page, attest_rule_file, ek_crl_view, ek_crl_page;
extern const struct view device_event_view, device_event_page;
extern const struct view issued_view, terms_view, terms_page;
extern const struct view profile_view; /* of struct profile */
extern const struct view device_page, cert_page, key_page, ca_page, approval_page, finding_list,
    vault_page, data_key_page, backup_told_page;

#endif
