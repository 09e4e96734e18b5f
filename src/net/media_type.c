#include <ctype.h>
#include <string.h>

#include "net/request.h"

void request_media_type(const char *header, char *text, size_t cap)
{
    size_t n = strcspn(header, "; \t");

    text[0] = '\0';
    if (n >= cap) {
        return; /* no route asks for such a type: refused as unknown */
    }
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)tolower((unsigned char)header[i]);
    }
    text[n] = '\0';
}
