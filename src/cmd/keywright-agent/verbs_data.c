/* Verbs about data. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/keywright-agent/agent.h"

enum { FILE_MAX = 64 << 20, SIG_ROOM = 512 };

static enum keywright_result sign_octets(struct keywright *kw, const struct options *options,
                                         const void *data, size_t n)
{
    unsigned char sig[SIG_ROOM];
    size_t sig_len = sizeof(sig);
    enum keywright_result result = keywright_sign(kw, data, n, sig, &sig_len);

    if (result != KEYWRIGHT_OK) {
        return conclude("sign", kw, result);
    }
    FILE *out = options->out ? fopen(options->out, "wbe") : stdout;
    bool written = out && fwrite(sig, 1, sig_len, out) == sig_len;
    if (out && (options->out ? fclose(out) : fflush(out)) != 0) {
        written = false;
    }
    return written ? KEYWRIGHT_OK : complain("sign", KEYWRIGHT_STORAGE, strerror(errno));
}

enum keywright_result verb_sign(struct keywright *kw, const struct options *options)
{
    FILE *in = options->arg ? fopen(options->arg, "rbe") : NULL;
    struct stat info;

    if (!in || fstat(fileno(in), &info) != 0 || info.st_size > FILE_MAX) {
        if (in) {
            (void)fclose(in);
        }
        return complain("sign", KEYWRIGHT_BAD_INPUT,
                        options->arg ? strerror(in ? EFBIG : errno) : "FILE is missing");
    }
    size_t n = (size_t)info.st_size;
    char *data = malloc(n + 1);
    bool read_all = data && fread(data, 1, n, in) == n;
    (void)fclose(in);
    enum keywright_result result =
        read_all ? sign_octets(kw, options, data, n)
                 : complain("sign", KEYWRIGHT_BAD_INPUT, "the file cannot be read");
    free(data);
    return result;
}
