/* What the registration authority shows. */
#include "api/rest/views.h"

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

static const struct codec_field request_page_fields[] = {
    FIELD_ARRAY("items", struct request_page, at, n, 0, request_fields, "one page"),
    FIELD_STRING("next", struct request_page, next, 0, "give it back as 'after'"),
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
const struct view request_view = {.fields = request_fields, .n = KW_COUNT(request_fields)};
const struct view request_page = {.fields = request_page_fields,
                                  .n = KW_COUNT(request_page_fields)};
