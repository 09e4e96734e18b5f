/* What the registration authority shows. */
#include "api/rest/views_table.h"

static const struct codec_field request_fields[] = {
    FIELD_INT("id", struct request_view, id, 0, 0, 0, "number of the request"),
    FIELD_STRING("state", struct request_view, state, 0,
                 "waiting, approved, refused, issued, lapsed"),
    FIELD_STRING("owner", struct request_view, owner, 0, "whose certificate it would be"),
    FIELD_STRING("profile", struct request_view, profile, 0, "profile"),
    FIELD_STRING("via", struct request_view, via, CODEC_OMIT_EMPTY,
                 "who vouches for it; the owner itself where absent"),
    FIELD_STRING("subject", struct request_view, subject, CODEC_OMIT_EMPTY,
                 "subject as asked; the certificate's comes from the registry"),
    FIELD_STRING("key", struct request_view, key, 0, "SHA-256 of the SubjectPublicKeyInfo"),
    FIELD_STRING("sha256", struct request_view, sha256, 0, "of the request"),
    FIELD_TIME("opened", struct request_view, opened_ms, 0, "when it was asked first"),
    FIELD_TIME("lapses", struct request_view, lapses_ms, 0, "when it ends by itself"),
    FIELD_TIME("decided", struct request_view, decided_ms, CODEC_OMIT_EMPTY, "when"),
    FIELD_STRING("decided_by", struct request_view, decided_by, CODEC_OMIT_EMPTY, "by whom"),
    FIELD_STRING("reason", struct request_view, reason, CODEC_OMIT_EMPTY, "why"),
    FIELD_STRING("csr", struct request_view, csr, CODEC_OMIT_EMPTY | CODEC_LINES,
                 "the request itself, while it is open"),
};

static const struct codec_field feed_fields[] = {
    FIELD_INT("index", struct feed_view, index, 0, 0, 0, "log index: the cursor"),
    FIELD_TIME("time", struct feed_view, time_ms, 0, "when it happened"),
    FIELD_STRING("type", struct feed_view, type, 0, "what happened"),
    FIELD_STRING("object", struct feed_view, object, CODEC_OMIT_EMPTY, "to what"),
    FIELD_STRING("actor", struct feed_view, actor, 0, "by whom"),
    FIELD_STRING("result", struct feed_view, result, 0, "success, or why not"),
    FIELD_STRING("detail", struct feed_view, detail, CODEC_OMIT_EMPTY, "for people"),
    FIELD_STRING("state", struct feed_view, state, CODEC_OMIT_EMPTY, "of the object, now"),
    FIELD_STRING("owner", struct feed_view, owner, CODEC_OMIT_EMPTY, "of a certificate or request"),
    FIELD_STRING("profile", struct feed_view, profile, CODEC_OMIT_EMPTY,
                 "of a certificate or request"),
    FIELD_STRING("attestation", struct feed_view, attestation, CODEC_OMIT_EMPTY,
                 "of a device: none, trusted, suspect, failed"),
    FIELD_STRING("assurance_level", struct feed_view, assurance_level, CODEC_OMIT_EMPTY,
                 "of a device"),
    FIELD_STRING("fingerprint", struct feed_view, fingerprint, CODEC_OMIT_EMPTY,
                 "of a certificate"),
};
static const struct codec_field consumer_fields[] = {
    FIELD_STRING("name", struct consumer_view, name, 0, "who follows"),
    FIELD_STRING("principal", struct consumer_view, principal, 0, "who asks under this name"),
    FIELD_INT("cursor", struct consumer_view, cursor, 0, 0, 0, "entries below it were taken"),
    FIELD_TIME("at", struct consumer_view, at_ms, 0, "when it said so"),
};
static const struct codec_field drift_fields[] = {
    FIELD_STRING("kind", struct drift_view, kind, 0, "which disagreement"),
    FIELD_STRING("object", struct drift_view, object, 0, "of which object"),
    FIELD_STRING("text", struct drift_view, text, 0, "what was found"),
    FIELD_STRING("next_step", struct drift_view, next_step, 0, "what to do"),
};
static const struct codec_field drift_page_fields[] = {
    FIELD_ARRAY("items", struct drift_page, at, n, 0, drift_fields, "disagreements"),
    FIELD_STRING("next", struct drift_page, next, 0, "give it back as 'after'"),
    FIELD_INT("checked", struct drift_page, checked, 0, 0, 0, "devices, or lines, looked at"),
    FIELD_INT("bad", struct drift_page, bad, CODEC_OMIT_EMPTY, 0, 0, "lines that nobody can read"),
};
const struct view drift_page = {.fields = drift_page_fields, .n = KW_COUNT(drift_page_fields)};

static const struct codec_field import_line_fields[] = {
    FIELD_INT("line", struct import_line_view, line, 0, 0, 0, "within the piece, from 1"),
    FIELD_STRING("class", struct import_line_view, class_, 0,
                 "registered, known, renewed; duplicate, conflict, character, too-long, columns, "
                 "batch, value"),
    FIELD_STRING("id", struct import_line_view, id, CODEC_OMIT_EMPTY, "device id"),
    FIELD_STRING("detail", struct import_line_view, detail, CODEC_OMIT_EMPTY, "why not"),
    FIELD_STRING("secret", struct import_line_view, secret, CODEC_OMIT_EMPTY,
                 "one-time registration secret; told only here"),
};
static const struct codec_field import_fields[] = {
    FIELD_BOOL("dry_run", struct import_view, dry_run, 0, "nothing was changed"),
    FIELD_INT("registered", struct import_view, registered, 0, 0, 0, "lines, new"),
    FIELD_INT("known", struct import_view, known, 0, 0, 0, "lines, registered before"),
    FIELD_INT("bad", struct import_view, bad, 0, 0, 0, "lines that were refused"),
    FIELD_ARRAY("lines", struct import_view, at, n, 0, import_line_fields, "each line"),
};
const struct view import_view = {.fields = import_fields, .n = KW_COUNT(import_fields)};

static const struct codec_field batch_fields[] = {
    FIELD_STRING("name", struct batch_view, name, 0, "batch"),
    FIELD_STRING("product", struct batch_view, product, 0, "of its units"),
    FIELD_STRING("state", struct batch_view, state, 0, "open, closing, closed, quarantined"),
    FIELD_INT("units", struct batch_view, units, 0, 0, 0, "registered so far"),
    FIELD_INT("quota", struct batch_view, quota, CODEC_OMIT_EMPTY, 0, 0, "at most so many"),
    FIELD_INT("checked", struct batch_view, checked, CODEC_OMIT_EMPTY, 0, 0,
              "RSA keys compared at its close"),
    FIELD_TIME("opened", struct batch_view, opened_ms, 0, "when it was opened"),
    FIELD_TIME("closed", struct batch_view, closed_ms, CODEC_OMIT_EMPTY, "when it was closed"),
    FIELD_STRING("finding", struct batch_view, finding, CODEC_OMIT_EMPTY,
                 "why it is in quarantine, or was released"),
};

static const struct codec_field station_fields[] = {
    FIELD_STRING("station", struct station_view, station, 0, "name of the station"),
    FIELD_STRING("product", struct station_view, product, 0, "whose devices it may enrol"),
    FIELD_TIME("granted", struct station_view, granted_ms, 0, "since when"),
};

static const struct codec_field station_page_fields[] = {
    FIELD_ARRAY("items", struct station_page, at, n, 0, station_fields, "one page"),
    FIELD_STRING("next", struct station_page, next, 0, "give it back as 'after'"),
};

const struct view station_view = {.fields = station_fields, .n = KW_COUNT(station_fields)};
const struct view station_page = {.fields = station_page_fields,
                                  .n = KW_COUNT(station_page_fields)};
static const struct codec_field blocked_fields[] = {
    FIELD_STRING("kind", struct blocked_view, kind, 0, "which hash: spki, number, modulus"),
    FIELD_STRING("id", struct blocked_view, id, 0, "hexadecimal"),
    FIELD_STRING("list", struct blocked_view, list, 0, "on which list"),
    FIELD_TIME("added", struct blocked_view, added_ms, 0, "when"),
};

static const struct codec_field hit_fields[] = {
    FIELD_STRING("owner", struct hit_view, owner, 0, "whose certificate it is"),
    FIELD_STRING("ca", struct hit_view, ca, 0, "issuing CA"),
    FIELD_STRING("serial", struct hit_view, serial, 0, "serial number"),
    FIELD_STRING("profile", struct hit_view, profile, 0, "profile"),
    FIELD_STRING("state", struct hit_view, state, 0, "valid, superseded, held"),
};
static const struct codec_field block_fields[] = {
    FIELD_ARRAY("items", struct block_view, at, n, 0, hit_fields,
                "certificates whose key is blocked; the first ones"),
    FIELD_STRING("next", struct block_view, next, 0, "give it back as 'after'"),
    FIELD_INT("added", struct block_view, added, 0, 0, 0, "keys blocked now"),
    FIELD_INT("known", struct block_view, known, 0, 0, 0, "that were blocked before"),
    FIELD_INT("lines", struct block_view, lines, 0, 0, 0, "looked at"),
    FIELD_INT("hits", struct block_view, hits, 0, 0, 0, "certificates concerned"),
};

const struct view request_view = VIEW(request_fields);
const struct view batch_view = VIEW(batch_fields);
const struct view feed_view = VIEW(feed_fields);
const struct view consumer_view = VIEW(consumer_fields);
const struct view blocked_view = VIEW(blocked_fields);
const struct view block_view = VIEW(block_fields);

PAGE(request)
PAGE(batch)
PAGE(blocked)
PAGE(feed)
PAGE(consumer)
