#include "message.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- members: one row each, read and written by the same table ---------------------------------
 */

enum kind { TEXT, HEX, INTEGER, REAL };

struct member {
    const char *name;
    enum kind kind;
    size_t at, cap; /* cap: of TEXT and HEX with NUL; HEX fills it or is absent */
    bool required;
};

/* clang-format off */
#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)NULL)->member)
static const struct member reading_members[] = {
    {"sensor",  TEXT,    AT(reading, sensor),  true },
    {"value",   REAL,    AT(reading, value),   true },
    {"time",    INTEGER, AT(reading, time),    false},
    {"boot",    HEX,     AT(reading, boot),    false},
    {"number",  INTEGER, AT(reading, number),  false},
    {"lost",    INTEGER, AT(reading, lost),    false},
};
static const struct member command_members[] = {
    {"id",      HEX,     AT(command, id),      true },
    {"cmd",     TEXT,    AT(command, cmd),     true },
};
static const struct member receipt_members[] = {
    {"message", HEX,     AT(receipt, message), true },
    {"id",      HEX,     AT(receipt, id),      false},
    {"result",  TEXT,    AT(receipt, result),  true },
    {"reason",  TEXT,    AT(receipt, reason),  false},
    {"light",   TEXT,    AT(receipt, light),   true },
};
/* clang-format on */

#define MEMBERS(table) table, sizeof(table) / sizeof((table)[0])

static bool is_word(const char *text, size_t len)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    return len > 0 && strspn(text, chars) == len;
}

static bool take_text(const struct member *member, const json_t *value, char *to)
{
    static const char digits[] = "0123456789abcdef";
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (!text) {
        return false;
    }
    bool fits = member->kind == HEX ? len == member->cap - 1 && strspn(text, digits) == len
                                    : len < member->cap && is_word(text, len);
    if (fits) {
        memcpy(to, text, len + 1);
    }
    return fits;
}

static bool take(const struct member *member, const json_t *value, char *object)
{
    char *to = object + member->at;

    if (member->kind == INTEGER) {
        *(int64_t *)(void *)to = json_integer_value(value);
        return json_is_integer(value) && json_integer_value(value) >= 0;
    }
    if (member->kind == REAL) {
        *(double *)(void *)to = json_number_value(value);
        return json_is_number(value);
    }
    return take_text(member, value, to);
}

static bool take_all(const json_t *json, const struct member *members, size_t n, bool others,
                     char *object)
{
    size_t known = 0;

    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(json, members[i].name);
        if (value ? !take(&members[i], value, object) : members[i].required) {
            return false;
        }
        known += value != NULL;
    }
    return others || json_object_size(json) == known;
}

/* others: members that we do not know are ignored. */
static bool parse(const char *text, size_t len, const struct member *members, size_t n, bool others,
                  void *object)
{
    json_error_t error;

    if (len >= MESSAGE_MAX) {
        return false;
    }
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    bool good = json_is_object(json) && take_all(json, members, n, others, object);
    json_decref(json);
    return good;
}

static json_t *value_of(const struct member *member, const char *object)
{
    const char *from = object + member->at;

    if (member->kind == INTEGER) {
        int64_t value = *(const int64_t *)(const void *)from;
        return value || member->required ? json_integer(value) : NULL;
    }
    if (member->kind == REAL) {
        return json_real(*(const double *)(const void *)from);
    }
    return *from || member->required ? json_string(from) : NULL;
}

static bool write(const struct member *members, size_t n, const void *object,
                  char text[MESSAGE_MAX])
{
    json_t *json = json_object();
    bool good = json != NULL;

    for (size_t i = 0; good && i < n; i++) {
        json_t *value = value_of(&members[i], object);
        good = !value || json_object_set_new(json, members[i].name, value) == 0;
    }
    size_t len =
        good ? json_dumpb(json, text, MESSAGE_MAX - 1, JSON_COMPACT | JSON_REAL_PRECISION(6)) : 0;
    json_decref(json);
    good = len > 0 && len < MESSAGE_MAX;
    text[good ? len : 0] = '\0';
    return good;
}

/* --- the three ---------------------------------------------------------------------------------
 */

bool reading_parse(const char *text, size_t len, struct reading *ret)
{
    struct reading reading = {0};

    if (!parse(text, len, MEMBERS(reading_members), /* others= */ true, &reading) ||
        !isfinite(reading.value) || !reading.boot[0] != !reading.number) {
        return false;
    }
    *ret = reading;
    return true;
}

bool reading_write(const struct reading *reading, char text[MESSAGE_MAX])
{
    return write(MEMBERS(reading_members), reading, text);
}

bool command_parse(const char *text, size_t len, struct command *ret)
{
    struct command command = {0};

    if (!parse(text, len, MEMBERS(command_members), /* others= */ false, &command)) {
        return false;
    }
    *ret = command;
    return true;
}

bool command_write(const struct command *command, char text[MESSAGE_MAX])
{
    return write(MEMBERS(command_members), command, text);
}

bool receipt_parse(const char *text, size_t len, struct receipt *ret)
{
    struct receipt receipt = {0};

    if (!parse(text, len, MEMBERS(receipt_members), /* others= */ false, &receipt) ||
        (strcmp(receipt.result, "obeyed") != 0 && strcmp(receipt.result, "refused") != 0) ||
        (strcmp(receipt.light, "on") != 0 && strcmp(receipt.light, "off") != 0)) {
        return false;
    }
    *ret = receipt;
    return true;
}

bool receipt_write(const struct receipt *receipt, char text[MESSAGE_MAX])
{
    return write(MEMBERS(receipt_members), receipt, text);
}

/* --- topics ------------------------------------------------------------------------------------
 */

bool topic_device(const char *topic, const char *leaf, char id[96])
{
    static const char prefix[] = "devices/";

    if (strncmp(topic, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    const char *from = topic + sizeof(prefix) - 1;
    const char *slash = strchr(from, '/');
    size_t len = slash ? (size_t)(slash - from) : 0;
    if (len == 0 || len >= 96 || strcmp(slash + 1, leaf) != 0) {
        return false;
    }
    memcpy(id, from, len);
    id[len] = '\0';
    return true;
}
