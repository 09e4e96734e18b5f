/* How tables of fields become views; for views*.c alone. */
#ifndef API_REST_VIEWS_TABLE_H
#define API_REST_VIEWS_TABLE_H

#include "api/rest/views.h"

#define VIEW(fields_) {.fields = (fields_), .n = KW_COUNT(fields_)}
/* The view of VIEW_PAGE_OF(name). */
#define PAGE(name)                                                                                 \
    static const struct codec_field name##_page_fields[] = {                                       \
        FIELD_ARRAY("items", struct name##_page, at, n, 0, name##_fields, "one page"),             \
        FIELD_STRING("next", struct name##_page, next, 0, "give it back as 'after'"),              \
    };                                                                                             \
    const struct view name##_page = VIEW(name##_page_fields);

#endif
