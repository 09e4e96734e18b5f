#include "base/status.h"

#include <stddef.h>
#include <string.h>

struct code_row {
    const char *text;
    int http;
    bool may_retry;
    const char *meaning;
};

#define ROW(name, text_, http_, retry_, meaning_) [KW_E_##name] = {text_, http_, retry_, meaning_},
static const struct code_row codes[KW_CODE_MAX] = {
    [KW_CODE_OK] = {"ok", 200, false, "nothing failed"}, /* no row of the list: no refusal */
    KW_STATUS_LIST(ROW)
};
#undef ROW

/* A number that is no code is our own bug, and says so. */
static enum kw_code known(enum kw_code code)
{
    return (unsigned)code < KW_CODE_MAX ? code : KW_E_INTERNAL;
}

const char *kw_code_text(enum kw_code code)
{
    return codes[known(code)].text;
}

const char *kw_code_meaning(enum kw_code code)
{
    return codes[known(code)].meaning;
}

int kw_code_http(enum kw_code code)
{
    return codes[known(code)].http;
}

bool kw_code_may_retry(enum kw_code code)
{
    return codes[known(code)].may_retry;
}

enum kw_code kw_code_from_text(const char *text)
{
    for (size_t i = 0; text && i < KW_CODE_MAX; i++) {
        if (strcmp(codes[i].text, text) == 0) {
            return (enum kw_code)i;
        }
    }
    return KW_E_INTERNAL;
}
