#include "api/device/broker_view.h"

static const struct codec_field item_fields[] = {
    FIELD_HEX_FIXED("sha256", struct broker_item_view, sha256, CODEC_REQUIRED,
                    "of the certificate's DER"),
    FIELD_STRING("owner", struct broker_item_view, owner, CODEC_REQUIRED, "KIND:ID"),
    FIELD_STRING("profile", struct broker_item_view, profile, CODEC_REQUIRED, "of the certificate"),
    FIELD_STRING("state", struct broker_item_view, state, CODEC_REQUIRED, "good, or why not"),
    FIELD_INT("ends", struct broker_item_view, ends_s, CODEC_REQUIRED, 0, INT64_MAX,
              "Unix seconds"),
    FIELD_STRING("attestation", struct broker_item_view, attestation, CODEC_OMIT_EMPTY,
                 "verdict; none where absent"),
    FIELD_INT("level", struct broker_item_view, level, CODEC_OMIT_EMPTY, 0, 3, "assurance level"),
    FIELD_INT("attested_until", struct broker_item_view, attested_until_s, CODEC_OMIT_EMPTY, 0,
              INT64_MAX, "Unix seconds: so long the verdict holds"),
    FIELD_INT("age_ms", struct broker_item_view, age_ms, CODEC_OMIT_EMPTY, 0, INT64_MAX,
              "milliseconds from the change to this answer"),
};
const struct codec_field broker_view_fields[] = {
    FIELD_STRING("log", struct broker_view, log, CODEC_REQUIRED,
                 "which log: another one means to take everything anew"),
    FIELD_HEX_FIXED("trust", struct broker_view, trust, CODEC_REQUIRED,
                    "which CAs: another one means to fetch them again"),
    FIELD_INT("cursor", struct broker_view, cursor, CODEC_REQUIRED, 0, INT64_MAX,
              "log index up to which this holds"),
    FIELD_INT("after", struct broker_view, after, CODEC_OMIT_EMPTY, 0, INT64_MAX,
              "where the snapshot goes on"),
    FIELD_ARRAY("items", struct broker_view, at, n, 0, item_fields, "certificates"),
};
const unsigned broker_view_fields_n = KW_COUNT(broker_view_fields);
