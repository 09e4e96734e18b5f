#include "rot/pkcs11/uri.h"

#include <p11-kit/uri.h>
#include <string.h>

#define PIN_ADVICE                                                                                 \
    "a PIN in a URI ends in process lists and logs: write it into a file of mode 0600 and give "   \
    "pin-source=file:/path"

static kw_status copy_path(struct kw_op *op, char path[KW_PATH_BYTES], const char *text,
                           const char *name)
{
    ENSURE(op, text[0] == '/', KW_E_INPUT, "%s is not an absolute path", name);
    ENSURE(op, !strchr(text, '?'), KW_E_INPUT, "%s has a '?' in it: parts are joined by '&'", name);
    ENSURE(op, kw_text_copy(path, KW_PATH_BYTES, text), KW_E_INPUT, "%s is too long", name);
    return KW_OK;
}

/* RFC 7512 section 2.4: a path, or a "file:" URI; "|command" is for those who trust their URIs. */
static kw_status take_pin_source(struct kw_op *op, const char *source, struct p11_uri *uri)
{
    if (!source) {
        return KW_OK;
    }
    if (strncmp(source, "file://", 7) == 0) {
        source += 7;
    } else if (strncmp(source, "file:", 5) == 0) {
        source += 5;
    }
    TRY(op, copy_path(op, uri->pin_path, source, "pin-source"));
    return KW_OK;
}

/* CK_TOKEN_INFO of a URI: a part that it does not name begins with NUL. */
static kw_status check_parts(struct kw_op *op, P11KitUri *parsed)
{
    const CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(parsed);
    const CK_SLOT_INFO *slot = p11_kit_uri_get_slot_info(parsed);
    const CK_INFO *library = p11_kit_uri_get_module_info(parsed);
    CK_ULONG n_attributes = 0;

    ENSURE(op, !p11_kit_uri_get_pin_value(parsed), KW_E_INPUT, PIN_ADVICE);
    ENSURE(op, !p11_kit_uri_any_unrecognized(parsed), KW_E_INPUT,
           "the URI has a part that RFC 7512 does not know");
    (void)p11_kit_uri_get_attributes(parsed, &n_attributes); /* only the number is of interest */
    ENSURE(op, n_attributes == 0, KW_E_INPUT,
           "the URI names an object (object=, id=, type=); it has to name a token only");
    bool names_slot = p11_kit_uri_get_slot_id(parsed) != (CK_SLOT_ID)-1 ||
                      slot->slotDescription[0] || slot->manufacturerID[0];
    ENSURE(op, !names_slot, KW_E_INPUT,
           "slots change their names; name the token by token= or serial=");
    ENSURE(op, !library->manufacturerID[0] && !library->libraryDescription[0], KW_E_INPUT,
           "name the library by module-path=");
    ENSURE(op, token->label[0] || token->serialNumber[0], KW_E_INPUT,
           "the URI names no token: add token=LABEL or serial=NUMBER (pkcs11-tool -L lists them)");
    return KW_OK;
}

kw_status p11_uri_parse(struct kw_op *op, const char *text, struct p11_uri *ret)
{
    P11KitUri *parsed = p11_kit_uri_new();
    ENSURE(op, parsed, KW_E_MEMORY);
    *ret = (struct p11_uri){.parsed = parsed};

    int result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, parsed);
    ENSURE(op, result == P11_KIT_URI_OK, KW_E_INPUT, "not a PKCS#11 URI (RFC 7512): %s",
           p11_kit_uri_message(result));
    TRY(op, check_parts(op, parsed));
    const char *path = p11_kit_uri_get_module_path(parsed);
    ENSURE(op, path && !p11_kit_uri_get_module_name(parsed), KW_E_INPUT,
           "add ?module-path=/path/of/the/vendors/library.so");
    TRY(op, copy_path(op, ret->module_path, path, "module-path"));
    TRY(op, take_pin_source(op, p11_kit_uri_get_pin_source(parsed), ret));
    return KW_OK;
}

void p11_uri_done(struct p11_uri *uri)
{
    p11_kit_uri_free(uri->parsed);
    uri->parsed = NULL;
}

bool p11_uri_matches(const struct p11_uri *uri, const CK_TOKEN_INFO *token)
{
    return p11_kit_uri_match_token_info(uri->parsed, token) == 1;
}
