#include "api/rest/views_table.h"

static const struct codec_field signer_fields[] = {
    FIELD_STRING("name", struct approval_signer_view, name, 0, "who signed"),
    FIELD_STRING("verdict", struct approval_signer_view, verdict, 0, "request, approve, reject"),
    FIELD_TIME_S("time", struct approval_signer_view, time_s, 0, "by the keeper's clock"),
};

static const struct codec_field approval_fields[] = {
    FIELD_INT("id", struct approval_view, id, 0, 0, 0, "number of the request"),
    FIELD_STRING("state", struct approval_view, state, 0,
                 "open, consumed, rejected, expired, cancelled"),
    FIELD_STRING("operation", struct approval_view, operation, 0, "what is asked for"),
    FIELD_STRING("key", struct approval_view, key, CODEC_OMIT_EMPTY, "of which key"),
    FIELD_STRING("requester", struct approval_view, requester, 0, "who asks"),
    FIELD_TIME_S("opened", struct approval_view, opened_s, 0, "when it was asked"),
    FIELD_TIME_S("deadline", struct approval_view, deadline_s, 0, "until when it can be approved"),
    FIELD_INT("have", struct approval_view, have, 0, 0, 0, "approvals that count"),
    FIELD_INT("needed", struct approval_view, needed, 0, 0, 0, "approvals it needs"),
    FIELD_STRING("roles", struct approval_view, roles, 0, "by people of one of these roles"),
    FIELD_STRING("missing", struct approval_view, missing, CODEC_OMIT_EMPTY,
                 "who can still approve"),
    FIELD_STRING("text", struct approval_view, text, CODEC_LINES, "what people sign"),
    FIELD_ARRAY("signers", struct approval_view, signers, n_signers, 0, signer_fields,
                "in order; who asks is first"),
};

static const struct codec_field person_fields[] = {
    FIELD_STRING("name", struct person_view, name, 0, "who"),
    FIELD_STRING("roles", struct person_view, roles, 0, "as what"),
    FIELD_STRING("spki_sha256", struct person_view, spki, 0, "SHA-256 of the SubjectPublicKeyInfo"),
};

static const struct codec_field rule_fields[] = {
    FIELD_STRING("operation", struct rule_view, operation, 0, "what needs approval"),
    FIELD_STRING("class", struct rule_view, class_, 0, "of which keys"),
    FIELD_INT("needed", struct rule_view, needed, 0, 0, 0, "approvals, besides who asks"),
    FIELD_STRING("roles", struct rule_view, roles, 0, "by people of one of these roles"),
    FIELD_INT("deadline_s", struct rule_view, deadline_s, 0, 0, 0, "seconds"),
    FIELD_BOOL("can_be_met", struct rule_view, can_be_met, 0, "are enough people enrolled?"),
};

static const struct codec_field roster_fields[] = {
    FIELD_ARRAY("people", struct roster_view, people, n, 0, person_fields, "who may approve"),
    FIELD_ARRAY("rules", struct roster_view, rules, n_rules, 0, rule_fields, "what needs approval"),
};

static const struct codec_field page_fields[] = {
    FIELD_ARRAY("items", struct approval_page, at, n, 0, approval_fields, "one page"),
    FIELD_STRING("next", struct approval_page, next, 0, "give it back as 'after'"),
};

const struct view approval_view = VIEW(approval_fields);
const struct view roster_view = VIEW(roster_fields);
const struct view approval_page = VIEW(page_fields);
