#include "api/rest/views_table.h"

static const struct codec_field device_fields[] = {
    FIELD_STRING("id", struct device_view, id, 0, "device id"),
    FIELD_STRING("product", struct device_view, product, 0, "product"),
    FIELD_STRING("serial", struct device_view, serial, 0, "manufacturer's serial number"),
    FIELD_STRING("hw_type", struct device_view, hw_type, 0, "OID of the hardware type"),
    FIELD_STRING("batch", struct device_view, batch, CODEC_OMIT_EMPTY, "batch it was made in"),
    FIELD_STRING("state", struct device_view, state, 0, "registered, active, suspended, retired"),
    FIELD_TIME("registered", struct device_view, registered_ms, 0, "when it was registered"),
    FIELD_TIME("last_seen", struct device_view, last_seen_ms, CODEC_OMIT_EMPTY,
               "last sign of life"),
    FIELD_STRING("agent", struct device_view, agent, CODEC_OMIT_EMPTY, "its program"),
    FIELD_STRING("root_of_trust", struct device_view, root_of_trust, CODEC_OMIT_EMPTY,
                 "what holds its keys"),
    FIELD_STRING("firmware", struct device_view, firmware, CODEC_OMIT_EMPTY,
                 "version that it said it runs"),
    FIELD_BOOL("simulated", struct device_view, simulated, 0,
               "its root of trust stands in for hardware"),
    FIELD_STRING("attestation", struct device_view, attestation, 0,
                 "none, trusted, suspect, failed"),
    FIELD_STRING("attestation_reason", struct device_view, attestation_reason, 0,
                 "of the last round"),
    FIELD_STRING("assurance_level", struct device_view, assurance_level, 0,
                 "AL0 to AL3; SIMULATED: by a stand-in"),
    FIELD_TIME("attested_until", struct device_view, attested_until_ms, CODEC_OMIT_EMPTY,
               "end of this trust"),
    FIELD_STRING("wipe", struct device_view, wipe, CODEC_OMIT_EMPTY,
                 "that an operator ordered: ordered, done, cancelled, expired"),
    FIELD_TIME("wipe_until", struct device_view, wipe_until_ms, CODEC_OMIT_EMPTY,
               "so long the order waits for the device"),
    FIELD_STRING("barred", struct device_view, barred, CODEC_OMIT_EMPTY,
                 "from enrolling anew: the reason of the revocation; see 'device readmit'"),
    FIELD_TIME("barred_since", struct device_view, barred_ms, CODEC_OMIT_EMPTY, "since when"),
};
static const struct codec_field reference_fields[] = {
    FIELD_STRING("name", struct reference_view, name, 0, "of the set"),
    FIELD_STRING("product", struct reference_view, product, CODEC_OMIT_EMPTY, "of its units; all"),
    FIELD_STRING("state", struct reference_view, state, 0, "open, closed"),
    FIELD_STRING("pcrs", struct reference_view, pcrs, 0, "whose events are judged"),
    FIELD_INT("events", struct reference_view, events, 0, 0, 0, "how many"),
    FIELD_TIME("added", struct reference_view, added_ms, 0, "when"),
};
static const struct codec_field element_fields[] = {
    FIELD_STRING("product", struct element_view, product, 0, "whose units have a secure element"),
    FIELD_TIME("added", struct element_view, added_ms, 0, "when an operator said so"),
};
static const struct codec_field ek_crl_fields[] = {
    FIELD_STRING("id", struct ek_crl_view, id, 0, "SHA-256 of the issuer's public key"),
    FIELD_STRING("name", struct ek_crl_view, name, 0, "of the issuer"),
    FIELD_INT("entries", struct ek_crl_view, entries, 0, 0, 0, "how many it takes back"),
    FIELD_INT("failed", struct ek_crl_view, failed, CODEC_OMIT_EMPTY, 0, 0,
              "devices that failed by it when it was added"),
    FIELD_TIME_S("this_update", struct ek_crl_view, this_update, 0, "when it was made"),
    FIELD_TIME_S("next_update", struct ek_crl_view, next_update, CODEC_OMIT_EMPTY,
                 "when the next one is due"),
    FIELD_TIME("added", struct ek_crl_view, added_ms, 0, "when"),
};
#define RULE_FIELDS                                                                                \
    FIELD_STRING("product", struct attest_rule_view, product, CODEC_OMIT_EMPTY,                    \
                 "whose units; absent: of all others"),                                            \
        FIELD_INT("failed", struct attest_rule_view, patience.failed, 0, 1, ATTEST_WINDOW_MAX,     \
                  "so many of the last rounds make the verdict failed"),                           \
        FIELD_INT("rounds", struct attest_rule_view, patience.rounds, 0, 1, ATTEST_WINDOW_MAX,     \
                  "how many rounds are looked back at"),                                           \
        FIELD_INT("trusted_hours", struct attest_rule_view, patience.trusted_hours, 0, 1,          \
                  ATTEST_HOURS_MAX, "how long a good round holds"),                                \
        FIELD_INT("fresh_minutes", struct attest_rule_view, patience.fresh_minutes, 0, 1,          \
                  ATTEST_FRESH_MAX, "how long it is fresh")
static const struct codec_field attest_rule_fields[] = {
    RULE_FIELDS,
    FIELD_TIME("changed", struct attest_rule_view, changed_ms, CODEC_OMIT_EMPTY,
               "when an operator set it; absent: built in"),
};
static const struct codec_field attest_rule_file_fields[] = {RULE_FIELDS};
static const struct codec_field device_event_fields[] = {
    FIELD_INT("id", struct device_event_view, id, 0, 0, 0, "as the device numbered it"),
    FIELD_TIME("time", struct device_event_view, time_ms, 0, "by the device's judged time"),
    FIELD_STRING("clock", struct device_event_view, clock, 0, "clock, signed, not before"),
    FIELD_STRING("source", struct device_event_view, source, 0, "which program"),
    FIELD_STRING("category", struct device_event_view, category, 0, "of which kind"),
    FIELD_STRING("type", struct device_event_view, type, 0, "what happened"),
    FIELD_STRING("result", struct device_event_view, result, 0, "success, or what went wrong"),
    FIELD_STRING("detail", struct device_event_view, detail, CODEC_OMIT_EMPTY, "for people"),
    FIELD_TIME("received", struct device_event_view, received_ms, 0, "when it came"),
    FIELD_STRING("hash", struct device_event_view, hash, 0, "SHA-256 of the record"),
};
static const struct codec_field ek_root_fields[] = {
    FIELD_STRING("id", struct ek_root_view, id, 0, "SHA-256 of the DER"),
    FIELD_STRING("kind", struct ek_root_view, kind, 0, "root, intermediate, pinned EK"),
    FIELD_BOOL("simulated", struct ek_root_view, simulated, 0, "stands in for hardware"),
    FIELD_STRING("name", struct ek_root_view, name, 0, "subject"),
    FIELD_TIME("added", struct ek_root_view, added_ms, 0, "when"),
};

static const struct codec_field cert_fields[] = {
    FIELD_STRING("ca", struct cert_view, ca, 0, "issuing CA"),
    FIELD_STRING("serial", struct cert_view, serial, 0, "serial number, hexadecimal"),
    FIELD_STRING("fingerprint", struct cert_view, fingerprint, 0, "SHA-256 of the DER"),
    FIELD_STRING("owner", struct cert_view, owner, 0, "whose it is"),
    FIELD_STRING("profile", struct cert_view, profile, 0, "profile"),
    FIELD_STRING("subject", struct cert_view, subject, 0, "subject"),
    FIELD_STRING("key", struct cert_view, key, 0, "SHA-256 of the SubjectPublicKeyInfo"),
    FIELD_TIME_S("not_before", struct cert_view, not_before, 0, "begin"),
    FIELD_TIME_S("not_after", struct cert_view, not_after, 0, "end"),
    FIELD_TIME("issued", struct cert_view, issued_ms, 0, "when it was issued"),
    FIELD_STRING("state", struct cert_view, state, 0, "valid, superseded, held, revoked"),
    FIELD_TIME_S("revoked", struct cert_view, revoked_s, CODEC_OMIT_EMPTY,
                 "when it was revoked or replaced"),
    FIELD_STRING("reason", struct cert_view, reason, CODEC_OMIT_EMPTY, "why"),
};

static const struct codec_field key_fields[] = {
    FIELD_STRING("id", struct key_view, id, 0, "key id"),
    FIELD_STRING("class", struct key_view, class_, 0, "class"),
    FIELD_STRING("type", struct key_view, type, 0, "SP 800-57 key type"),
    FIELD_STRING("state", struct key_view, state, 0, "SP 800-57 state"),
    FIELD_STRING("alg", struct key_view, alg, 0, "algorithm"),
    FIELD_STRING("custody", struct key_view, custody, 0, "what holds the private key"),
    FIELD_STRING("owner", struct key_view, owner, 0, "whose it is"),
    FIELD_STRING("profile", struct key_view, profile, CODEC_OMIT_EMPTY,
                 "profile of its certificates"),
    FIELD_STRING("spki_sha256", struct key_view, spki, 0, "SHA-256 of the SubjectPublicKeyInfo"),
    FIELD_TIME("created", struct key_view, created_ms, CODEC_OMIT_EMPTY, "when it was first seen"),
    FIELD_TIME("state_since", struct key_view, state_ms, CODEC_OMIT_EMPTY,
               "when it came into this state"),
    FIELD_TIME_S("not_before", struct key_view, not_before, CODEC_OMIT_EMPTY,
                 "begin of its originator-usage period"),
    FIELD_TIME_S("not_after", struct key_view, not_after, CODEC_OMIT_EMPTY, "end of it"),
    FIELD_INT("signatures", struct key_view, signatures, CODEC_OMIT_EMPTY, 0, 0, "made so far"),
};

static const struct codec_field data_key_fields[] = {
    FIELD_STRING("id", struct data_key_view, id, 0, "data key, unique for all time"),
    FIELD_STRING("kek", struct data_key_view, kek, 0, "line of its key-encrypting key"),
    FIELD_STRING("wrapped_by", struct data_key_view, wrapped_by, 0, "that wraps it now"),
    FIELD_STRING("context", struct data_key_view, context, CODEC_OMIT_EMPTY, "what it is for"),
    FIELD_STRING("state", struct data_key_view, state, 0, "SP 800-57 state"),
    FIELD_TIME("created", struct data_key_view, created_ms, 0, "when it was made"),
    FIELD_TIME("rewrapped", struct data_key_view, rewrapped_ms, CODEC_OMIT_EMPTY,
               "when it came under another key"),
    FIELD_STRING("key", struct data_key_view, key, CODEC_OMIT_EMPTY,
                 "the key itself, hexadecimal, for who asked for it"),
};

static const struct codec_field data_rewrap_fields[] = {
    FIELD_STRING("kek", struct data_rewrap_view, kek, 0, "line of key-encrypting keys"),
    FIELD_STRING("newest", struct data_rewrap_view, newest, 0, "the one in use"),
    FIELD_INT("done", struct data_rewrap_view, done, 0, 0, 0, "data keys rewrapped now"),
    FIELD_INT("left", struct data_rewrap_view, left, 0, 0, 0, "still under older ones"),
    FIELD_INT("failed", struct data_rewrap_view, failed, CODEC_OMIT_EMPTY, 0, 0,
              "of them refused now"),
    FIELD_STRING("why", struct data_rewrap_view, why, CODEC_OMIT_EMPTY, "the first refusal"),
    FIELD_STRING("unneeded", struct data_rewrap_view, unneeded, CODEC_OMIT_EMPTY,
                 "older ones that are no longer needed"),
};

static const struct codec_field vault_fields[] = {
    FIELD_STRING("name", struct vault_view, name, 0, "vault"),
    FIELD_STRING("state", struct vault_view, state, 0, "open, sealed, or away"),
    FIELD_STRING("method", struct vault_view, method, CODEC_OMIT_EMPTY, "how it is opened"),
    FIELD_INT("given", struct vault_view, given, CODEC_OMIT_EMPTY, 0, 0, "shares given so far"),
    FIELD_INT("needed", struct vault_view, needed, CODEC_OMIT_EMPTY, 0, 0, "shares that open it"),
    FIELD_STRING("custody", struct vault_view, custody, CODEC_OMIT_EMPTY,
                 "where its private keys are"),
    FIELD_INT("generation", struct vault_view, generation, CODEC_OMIT_EMPTY, 0, 0,
              "of the key that seals it; rises with each rekeying"),
    FIELD_INT("restarts", struct vault_view, restarts, CODEC_OMIT_EMPTY, 0, 0,
              "how often its keeper was started anew"),
};

static const struct codec_field root_crl_fields[] = {
    FIELD_STRING("id", struct root_crl_view, id, 0, "root, or another offline CA"),
    FIELD_INT("number", struct root_crl_view, number, 0, 0, 0, "CRLNumber"),
    FIELD_INT("entries", struct root_crl_view, entries, 0, 0, 0, "certificates taken back"),
    FIELD_TIME_S("this_update", struct root_crl_view, this_update, 0, "when it was signed"),
    FIELD_TIME_S("next_update", struct root_crl_view, next_update, 0, "until when it is good"),
};
static const struct codec_field ca_fields[] = {
    FIELD_STRING("id", struct ca_view, id, 0, "CA"),
    FIELD_STRING("key", struct ca_view, key_id, CODEC_OMIT_EMPTY,
                 "its key in the keeper; the root's is offline"),
    FIELD_STRING("subject", struct ca_view, subject, 0, "name"),
    FIELD_STRING("fingerprint", struct ca_view, fingerprint, 0, "SHA-256 of the certificate"),
    FIELD_STRING("state", struct ca_view, state, CODEC_OMIT_EMPTY,
                 "of a root: retired; of a CA: taken back"),
    FIELD_TIME_S("not_before", struct ca_view, not_before, 0, "begin"),
    FIELD_TIME_S("not_after", struct ca_view, not_after, 0, "end"),
    FIELD_TIME_S("ocsp_not_after", struct ca_view, ocsp_not_after, CODEC_OMIT_EMPTY,
                 "end of its OCSP signer"),
};

static const struct codec_field log_fields[] = {
    FIELD_STRING("origin", struct log_view, origin, 0, "first line of its checkpoints"),
    FIELD_STRING("vkey", struct log_view, vkey, 0, "verifier key (C2SP signed note)"),
    FIELD_INT("size", struct log_view, size, 0, 0, 0, "entries"),
};

static const struct codec_field backup_told_fields[] = {
    FIELD_STRING("id", struct backup_told_view, id, 0, "of the backup"),
    FIELD_TIME("made", struct backup_told_view, made_ms, 0, "when it was made"),
    FIELD_STRING("actor", struct backup_told_view, actor, 0, "who asked for it"),
    FIELD_STRING("keys", struct backup_told_view, keys, 0,
                 "whose secrets it holds, and which vaults it lacks"),
    FIELD_STRING("detail", struct backup_told_view, detail, 0, "its hash and size"),
};

static const struct codec_field backup_fields[] = {
    FIELD_STRING("stage", struct backup_view, stage, 0, "none, making, ready, failed"),
    FIELD_STRING("id", struct backup_view, id, CODEC_OMIT_EMPTY, "of the backup"),
    FIELD_INT("size", struct backup_view, size, 0, 0, 0, "octets of the file"),
    FIELD_STRING("sha256", struct backup_view, sha256, CODEC_OMIT_EMPTY, "of the file"),
    FIELD_STRING("code", struct backup_view, code, CODEC_OMIT_EMPTY, "why not"),
    FIELD_STRING("why", struct backup_view, why, CODEC_OMIT_EMPTY, "why not, in words"),
};

static const struct codec_field proof_fields[] = {
    FIELD_INT("index", struct proof_view, index, 0, 0, 0, "of the entry"),
    FIELD_INT("size", struct proof_view, size, 0, 0, 0, "of the tree"),
    FIELD_STRING("root", struct proof_view, root, 0, "base64"),
    FIELD_STRING("entry", struct proof_view, entry, 0, "base64"),
    FIELD_STRING("checkpoint", struct proof_view, checkpoint, CODEC_LINES, "signed head"),
    FIELD_STRINGS("proof", struct proof_view, hashes, n, 0, "RFC 6962 audit path, base64"),
};

static const struct codec_field finding_fields[] = {
    FIELD_STRING("level", struct finding_view, level, 0, "ok, note, warning or fault"),
    FIELD_STRING("check", struct finding_view, check, 0, "what was looked at"),
    FIELD_STRING("object", struct finding_view, object, CODEC_OMIT_EMPTY, "of which object"),
    FIELD_STRING("text", struct finding_view, text, 0, "what was found, and the next step"),
    FIELD_TIME("time", struct finding_view, time_ms, CODEC_OMIT_EMPTY, "when it happened"),
    FIELD_STRING("digest", struct finding_view, digest, CODEC_OMIT_EMPTY,
                 "SHA-256 of what was signed"),
    FIELD_STRING("request_id", struct finding_view, request_id, CODEC_OMIT_EMPTY, "who asked"),
};

static const struct codec_field finding_list_fields[] = {
    FIELD_ARRAY("items", struct finding_list, at, n, 0, finding_fields, "findings"),
    FIELD_STRING("next", struct finding_list, next, 0, "never there"),
};

static const struct codec_field cell_fields[] = {
    FIELD_STRING("column", struct lifecycle_cell_view, column, 0, "column of the table"),
    FIELD_STRING("value", struct lifecycle_cell_view, value, 0, "what it says; empty: a finding"),
    FIELD_STRING("why", struct lifecycle_cell_view, why, CODEC_OMIT_EMPTY, "why it is empty"),
};
static const struct codec_field lifecycle_fields[] = {
    FIELD_STRING("id", struct lifecycle_view, id, 0, "key id"),
    FIELD_STRING("class", struct lifecycle_view, class_, 0, "class"),
    FIELD_STRING("state", struct lifecycle_view, state, 0, "SP 800-57 state"),
    FIELD_STRING("custody", struct lifecycle_view, custody, 0, "what holds the private key"),
    FIELD_TIME_S("made", struct lifecycle_view, made_s, CODEC_OMIT_EMPTY, "when it was made"),
    FIELD_TIME_S("due", struct lifecycle_view, due_s, CODEC_OMIT_EMPTY, "when to rotate it"),
    FIELD_TIME_S("end", struct lifecycle_view, end_s, CODEC_OMIT_EMPTY, "end of its use"),
    FIELD_TIME_S("drill", struct lifecycle_view, drill_s, CODEC_OMIT_EMPTY, "last rotation"),
    FIELD_TIME_S("destroyed", struct lifecycle_view, destroyed_s, CODEC_OMIT_EMPTY,
                 "when it was destroyed"),
    FIELD_INT("uses", struct lifecycle_view, uses, 0, 0, 0, "so far"),
    FIELD_BOOL("has_successor", struct lifecycle_view, has_successor, 0, "it was rotated"),
    FIELD_INT("empty", struct lifecycle_view, empty, 0, 0, 0, "empty cells: findings"),
    FIELD_ARRAY("rows", struct lifecycle_view, rows, n, 0, cell_fields, "the table"),
};

static const struct codec_field secret_fields[] = {
    FIELD_STRING("id", struct secret_view, id, 0, "device id"),
    FIELD_STRING("secret", struct secret_view, secret, 0,
                 "one-time registration secret; told only here"),
};

static const struct codec_field problem_fields[] = {
    FIELD_STRING("type", struct problem_view, type, 0, "about:blank"),
    FIELD_STRING("title", struct problem_view, title, 0, "what kind of refusal"),
    FIELD_INT("status", struct problem_view, status, 0, 0, 599, "HTTP status"),
    FIELD_STRING("code", struct problem_view, code, 0, "for programs"),
    FIELD_STRING("detail", struct problem_view, detail, 0, "for people"),
    FIELD_STRING("request_id", struct problem_view, request_id, 0, "to be found in the journal"),
};

static const struct codec_field terms_fields[] = {
    FIELD_STRING("field", struct terms_view, field, 0, "of the certificate or the profile"),
    FIELD_STRING("verdict", struct terms_view, verdict, 0,
                 "as asked, set, replaced, ignored, refused"),
    FIELD_STRING("asked", struct terms_view, asked, 0, "by the request"),
    FIELD_STRING("gets", struct terms_view, gets, 0, "the certificate; refused: why"),
    FIELD_STRING("rule", struct terms_view, rule, 0, "which rule decides"),
    FIELD_STRING("source", struct terms_view, source, 0, "and where it is from"),
};

static const struct codec_field issued_fields[] = {
    FIELD_STRING("ca", struct issued_view, ca, 0, "issuing CA"),
    FIELD_STRING("serial", struct issued_view, serial, 0, "hex"),
    FIELD_STRING("fingerprint", struct issued_view, fingerprint, 0, "SHA-256, hex"),
    FIELD_STRING("owner", struct issued_view, owner, 0, "whose it is"),
    FIELD_STRING("profile", struct issued_view, profile, 0, "profile"),
    FIELD_STRING("subject", struct issued_view, subject, 0, "subject"),
    FIELD_TIME_S("not_after", struct issued_view, not_after, 0, "end"),
    FIELD_STRING("pem", struct issued_view, pem, CODEC_LINES, "the certificate, PEM"),
};

static const struct codec_field profile_fields[] = {
    FIELD_STRING("name", struct profile, name, 0, "profile"),
    FIELD_STRING("doc", struct profile, doc, 0, "what it is for"),
    FIELD_STRING("ca", struct profile, ca, 0, "issuing CA"),
    FIELD_STRING("subject", struct profile, subject, 0, "for whom"),
    FIELD_STRING("enrol", struct profile, enrol, 0, "how the first certificate is authorised"),
    FIELD_BOOL("no_end", struct profile, no_end, 0, "for the device's life"),
    FIELD_INT("validity_hours", struct profile, validity_hours, 0, 0, 0, "validity"),
    FIELD_INT("overlap_hours", struct profile, overlap_hours, 0, 0, 0, "overlap after a renewal"),
    FIELD_STRINGS("key_algs", struct profile, key_algs, n_key_algs, 0, "key algorithms"),
};

const struct view device_view = VIEW(device_fields);
const struct view cert_view = VIEW(cert_fields);
const struct view ek_root_view = VIEW(ek_root_fields);
const struct view reference_view = VIEW(reference_fields);
const struct view element_view = VIEW(element_fields);
const struct view ek_crl_view = VIEW(ek_crl_fields);
const struct view attest_rule_view = VIEW(attest_rule_fields);
const struct view attest_rule_file = VIEW(attest_rule_file_fields); /* what operators write */
const struct view device_event_view = VIEW(device_event_fields);
const struct view key_view = VIEW(key_fields);
const struct view ca_view = VIEW(ca_fields);
const struct view root_crl_view = VIEW(root_crl_fields);
const struct view vault_view = VIEW(vault_fields);
const struct view data_key_view = VIEW(data_key_fields);
const struct view data_rewrap_view = VIEW(data_rewrap_fields);
const struct view log_view = VIEW(log_fields);
const struct view proof_view = VIEW(proof_fields);
const struct view finding_view = VIEW(finding_fields);
const struct view finding_list = VIEW(finding_list_fields);
const struct view lifecycle_view = VIEW(lifecycle_fields);
const struct view backup_view = VIEW(backup_fields);
const struct view backup_told_view = VIEW(backup_told_fields);
const struct view secret_view = VIEW(secret_fields);
const struct view problem_view = VIEW(problem_fields);
static const struct codec_field terms_page_fields[] = {
    FIELD_ARRAY("items", struct terms_page, at, n, 0, terms_fields, "lines"),
    FIELD_STRING("next", struct terms_page, next, 0, "never there"),
};
const struct view terms_view = VIEW(terms_fields);
const struct view terms_page = VIEW(terms_page_fields);
const struct view issued_view = VIEW(issued_fields);
const struct view profile_view = VIEW(profile_fields);

PAGE(device)
PAGE(cert)
PAGE(ek_root)
PAGE(reference)
PAGE(element)
PAGE(attest_rule)
PAGE(ek_crl)
PAGE(device_event)
PAGE(key)
PAGE(ca)
PAGE(vault)
PAGE(data_key)
PAGE(backup_told)
