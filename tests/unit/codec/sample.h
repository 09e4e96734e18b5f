/* One struct with a member of every type: what the codec's tests and fuzz targets read and write.
 */
#ifndef TESTS_UNIT_CODEC_SAMPLE_H
#define TESTS_UNIT_CODEC_SAMPLE_H

#include "codec/fields.h"

enum sample_colour { SAMPLE_NONE, SAMPLE_RED, SAMPLE_GREEN, SAMPLE_HIDDEN, SAMPLE_COLOURS };

struct sample_part {
    char name[8];
    uint8_t weight;
};

struct sample {
    char id[16];
    char note[32];
    bool on;
    uint16_t days;
    uint32_t port;
    uint64_t big;
    int level;
    int64_t deep;
    int64_t at_ms;
    int64_t at_s;
    uint8_t hash[4];
    uint8_t serial[8];
    size_t n_serial;
    uint8_t der[30];
    uint32_t n_der;
    enum sample_colour colour;
    char names[3][8];
    uint8_t n_names;
    struct sample_part one;
    struct sample_part many[2];
    unsigned n_many;
};

static const char *const sample_colours[SAMPLE_COLOURS] = {
    [SAMPLE_NONE] = "none",
    [SAMPLE_RED] = "red",
    [SAMPLE_GREEN] = "green",
    [SAMPLE_HIDDEN] = NULL,
};

static const struct codec_field sample_part_fields[] = {
    FIELD_STRING("name", struct sample_part, name, CODEC_REQUIRED, "name of the part"),
    FIELD_INT("weight", struct sample_part, weight, CODEC_OMIT_EMPTY, 0, 0, "in grams"),
};

static const struct codec_field sample_fields[] = {
    FIELD_STRING("id", struct sample, id, CODEC_REQUIRED, "what it is called"),
    FIELD_STRING("note", struct sample, note, CODEC_LINES | CODEC_OMIT_EMPTY, "some \"lines\""),
    FIELD_BOOL("on", struct sample, on, CODEC_OMIT_EMPTY, "switched on"),
    FIELD_INT("days", struct sample, days, CODEC_OMIT_EMPTY, 1, 825, "validity"),
    FIELD_INT("port", struct sample, port, CODEC_OMIT_EMPTY, 0, 0, NULL),
    FIELD_INT("big", struct sample, big, CODEC_OMIT_EMPTY, 0, 0, NULL),
    FIELD_INT("level", struct sample, level, CODEC_OMIT_EMPTY, -5, 5, NULL),
    FIELD_INT("deep", struct sample, deep, CODEC_OMIT_EMPTY, 0, 0, NULL),
    FIELD_TIME("at", struct sample, at_ms, CODEC_OMIT_EMPTY, "when"),
    FIELD_TIME_S("atS", struct sample, at_s, CODEC_OMIT_EMPTY, NULL),
    FIELD_HEX_FIXED("hash", struct sample, hash, 0, NULL),
    FIELD_HEX("serial", struct sample, serial, n_serial, CODEC_OMIT_EMPTY, NULL),
    FIELD_B64("der", struct sample, der, n_der, CODEC_OMIT_EMPTY, NULL),
    FIELD_ENUM("colour", struct sample, colour, CODEC_OMIT_EMPTY, sample_colours, NULL),
    FIELD_STRINGS("names", struct sample, names, n_names, CODEC_OMIT_EMPTY, NULL),
    FIELD_OBJECT("one", struct sample, one, CODEC_OMIT_EMPTY, sample_part_fields, NULL),
    FIELD_ARRAY("many", struct sample, many, n_many, CODEC_OMIT_EMPTY, sample_part_fields, NULL),
};

#endif
