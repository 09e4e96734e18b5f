#include "model/release.h"

#include <assert.h>

struct approval_subject release_subject(const char *key_id, const struct statement *release)
{
    struct approval_subject subject =
        approval_subject_of(APPROVE_FIRMWARE, KEY_CLASS_FIRMWARE, key_id);
    unsigned n = 0;
    const struct statement_field *fields = statement_fields(STATEMENT_FIRMWARE_RELEASE, &n);

    assert(release->kind == STATEMENT_FIRMWARE_RELEASE);
    for (unsigned i = 0; i < n; i++) {
        struct kw_span value = release->value[i];
        approval_detail(&subject, fields[i].name, "%.*s", (int)value.len, (const char *)value.p);
    }
    return subject;
}
