#include <stdio.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "os/files.h"

/* From the folder of the program that asks: installed beside it, installed by prefix, in the build
 * folder. */
static const char *const places[] = {
    "keywright-keeper",
    "../libexec/keywright/keywright-keeper",
    "../keywright-keeper/keywright-keeper",
};

static kw_status own_folder(struct kw_op *op, char *path, size_t cap)
{
    ssize_t n = readlink("/proc/self/exe", path, cap - 1);

    ENSURE(op, n > 0, KW_E_IO, "own path is not known; use --keeper");
    path[n] = 0;
    char *slash = strrchr(path, '/');
    ENSURE(op, slash, KW_E_IO, "own path is not known; use --keeper");
    *slash = 0;
    return KW_OK;
}

kw_status keeper_program_find(struct kw_op *op, const char *given, char path[KEEPER_PROGRAM_MAX])
{
    char folder[KEEPER_PROGRAM_MAX - 64];

    if (given) {
        ENSURE(op, kw_text_copy(path, KEEPER_PROGRAM_MAX, given), KW_E_INPUT,
               "the keeper's path is too long");
        return KW_OK;
    }
    TRY(op, own_folder(op, folder, sizeof(folder)));
    for (unsigned i = 0; i < KW_COUNT(places); i++) {
        (void)snprintf(path, KEEPER_PROGRAM_MAX, "%s/%s", folder, places[i]);
        if (os_file_exists(path)) {
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no keywright-keeper beside this program; use --keeper");
}
