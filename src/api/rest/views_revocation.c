#include "api/rest/views_revocation.h"
#include "api/rest/views_table.h"

static const struct codec_field count_fields[] = {
    FIELD_STRING("kind", struct plan_count_view, kind, 0, "ca, profile, state, product, batch, …"),
    FIELD_STRING("name", struct plan_count_view, name, 0, "which"),
    FIELD_INT("n", struct plan_count_view, n, 0, 0, 0, "how many"),
};
static const struct codec_field sample_fields[] = {
    FIELD_STRING("ca", struct plan_sample_view, ca, 0, "issuing CA"),
    FIELD_STRING("serial", struct plan_sample_view, serial, 0, "serial number, hexadecimal"),
    FIELD_STRING("owner", struct plan_sample_view, owner, 0, "whose it is"),
    FIELD_STRING("profile", struct plan_sample_view, profile, 0, "profile"),
    FIELD_STRING("state", struct plan_sample_view, state, 0, "valid, superseded, held"),
};
static const struct codec_field party_fields[] = {
    FIELD_STRING("party", struct plan_party_view, party, 0, "gate, ocsp, crl:CA, consumer:NAME"),
    FIELD_TIME("enforced", struct plan_party_view, enforced_ms, CODEC_OMIT_EMPTY,
               "since when it enforces all of the plan; absent: not yet"),
};

static const struct codec_field plan_fields[] = {
    FIELD_INT("id", struct plan_view, id, 0, 0, 0, "number of the plan; 0: it is not kept"),
    FIELD_STRING("state", struct plan_view, state, 0, "ready, running, replacing, done, abandoned"),
    FIELD_STRING("reason", struct plan_view, reason, 0, "CRLReason"),
    FIELD_STRING("selection", struct plan_view, selection, 0, "what was asked for"),
    FIELD_INT("certificates", struct plan_view, certificates, 0, 0, 0, "that are meant"),
    FIELD_STRING("digest", struct plan_view, digest, 0,
                 "SHA-256 of exactly which: CA/SERIAL and a line feed for each, as issued"),
    FIELD_BOOL("replace_first", struct plan_view, replace_first, 0, "devices renew first"),
    FIELD_BOOL("needs_approval", struct plan_view, needs_approval, 0, "by others"),
    FIELD_INT("done", struct plan_view, done, 0, 0, 0, "revoked or put on hold"),
    FIELD_INT("passed_over", struct plan_view, passed_over, 0, 0, 0, "that were revoked already"),
    FIELD_INT("waiting", struct plan_view, waiting, 0, 0, 0, "devices that are to renew first"),
    FIELD_INT("issued_since", struct plan_view, issued_since, 0, 0, 0,
              "certificates that their owners got after it was made: they are not in it"),
    FIELD_TIME("created", struct plan_view, created_ms, 0, "when it was made"),
    FIELD_STRING("created_by", struct plan_view, created_by, 0, "by whom"),
    FIELD_TIME("started", struct plan_view, started_ms, CODEC_OMIT_EMPTY, "when it was started"),
    FIELD_STRING("started_by", struct plan_view, started_by, CODEC_OMIT_EMPTY, "by whom"),
    FIELD_TIME("ended", struct plan_view, ended_ms, CODEC_OMIT_EMPTY,
               "when the last one was revoked"),
    FIELD_TIME("deadline", struct plan_view, deadline_ms, CODEC_OMIT_EMPTY,
               "then what has not renewed is revoked"),
    FIELD_ARRAY("counts", struct plan_view, counts, n_counts, 0, count_fields, "what is meant"),
    FIELD_ARRAY("samples", struct plan_view, samples, n_samples, 0, sample_fields,
                "some of them; of a new plan only"),
    FIELD_ARRAY("enforced", struct plan_view, parties, n_parties, 0, party_fields,
                "relying parties, and since when they enforce it"),
};
const struct view plan_view = VIEW(plan_fields);

static const struct codec_field readmit_left_fields[] = {
    FIELD_STRING("device", struct readmit_left_view, device, 0, "its id"),
    FIELD_STRING("why", struct readmit_left_view, why, 0, "why it may not"),
};
static const struct codec_field readmit_fields[] = {
    FIELD_INT("readmitted", struct readmit_view, readmitted, 0, 0, 0, "devices that may again"),
    FIELD_INT("as_it_is", struct readmit_view, as_it_is, 0, 0, 0, "that may without this"),
    FIELD_INT("left", struct readmit_view, left, 0, 0, 0, "that still may not"),
    FIELD_ARRAY("devices", struct readmit_view, devices, n_devices, 0, readmit_left_fields,
                "those, each with the reason"),
    FIELD_INT("after", struct readmit_view, after, 0, 0, 0,
              "to be sent with the next piece; 0: there is none"),
};
const struct view readmit_view = VIEW(readmit_fields);

static const struct codec_field readmit_body_fields[] = {
    FIELD_STRING("reason", struct readmit_body, reason, CODEC_REQUIRED, "why"),
    FIELD_INT("after", struct readmit_body, after, 0, 0, INT64_MAX, "what the last piece said"),
    FIELD_BOOL("dry_run", struct readmit_body, dry_run, 0, "tell, change nothing"),
};
const struct view readmit_body = VIEW(readmit_body_fields);

static const struct codec_field plan_line_fields[] = {
    FIELD_INT("id", struct plan_line_view, id, 0, 0, 0, "number of the plan"),
    FIELD_STRING("state", struct plan_line_view, state, 0,
                 "ready, running, replacing, done, abandoned"),
    FIELD_STRING("reason", struct plan_line_view, reason, 0, "CRLReason"),
    FIELD_INT("certificates", struct plan_line_view, certificates, 0, 0, 0, "that are meant"),
    FIELD_INT("done", struct plan_line_view, done, 0, 0, 0, "revoked or put on hold"),
    FIELD_TIME("created", struct plan_line_view, created_ms, 0, "when it was made"),
    FIELD_STRING("selection", struct plan_line_view, selection, 0, "what was asked for"),
};
const struct view plan_line_view = VIEW(plan_line_fields);
static const struct codec_field plan_line_page_fields[] = {
    FIELD_ARRAY("items", struct plan_line_page, at, n, 0, plan_line_fields, "one page"),
    FIELD_STRING("next", struct plan_line_page, next, 0, "give it back as 'after'"),
};
const struct view plan_line_page = VIEW(plan_line_page_fields);

#define TEXT(name, doc) FIELD_STRING(#name, struct plan_body, name, CODEC_OMIT_EMPTY, doc)
static const struct codec_field plan_body_fields[] = {
    TEXT(serial, "serial number, hexadecimal"),
    TEXT(device, "device id"),
    TEXT(owner, "device:ID, server:NAME, …"),
    TEXT(key, "SHA-256 of the SubjectPublicKeyInfo"),
    TEXT(ca, "issuing CA"),
    TEXT(profile, "profile"),
    TEXT(product, "product of the devices"),
    TEXT(batch, "batch of the devices"),
    TEXT(firmware, "pattern of the versions that they run: # for digits, * at the end"),
    TEXT(firmware_from, "the oldest version that is meant"),
    TEXT(firmware_below, "the first version that is not meant any more"),
    TEXT(subject, "what the common name begins with; behind *: what stands anywhere in it"),
    TEXT(reason, "CRLReason, RFC 5280 section 5.3.1; unspecified where absent"),
    FIELD_BOOL("hold", struct plan_body, hold, CODEC_OMIT_EMPTY, "certificateHold"),
    FIELD_BOOL("replace_first", struct plan_body, replace_first, CODEC_OMIT_EMPTY,
               "devices renew first"),
    FIELD_BOOL("dry_run", struct plan_body, dry_run, CODEC_OMIT_EMPTY, "do not keep the plan"),
    FIELD_INT("deadline_hours", struct plan_body, deadline_hours, CODEC_OMIT_EMPTY, 0, 87600,
              "then what has not renewed is revoked; 168 where absent"),
};
const struct view plan_body = VIEW(plan_body_fields);
