/* Verbs about data. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/keywright-agent/agent.h"

enum { FILE_MAX = 64 << 20, SIG_ROOM = 512, SIGNED_ROOM = 16384, REQUEST_ROOM = 4096 };

/* --- files ------------------------------------------------------------------------------------ */

struct octets {
    unsigned char *p;
    size_t n;
};

/* With room for a NUL behind. */
static enum keywright_result read_file(const char *verb, const char *path, struct octets *ret)
{
    FILE *in = fopen(path, "rbe");
    struct stat info;

    if (!in || fstat(fileno(in), &info) != 0 || info.st_size > FILE_MAX) {
        int error = in ? EFBIG : errno;
        (void)(in && fclose(in)); /* it was only to be read */
        return complain(verb, KEYWRIGHT_BAD_INPUT, strerror(error));
    }
    size_t n = (size_t)info.st_size;
    unsigned char *data = malloc(n + 1);
    bool whole = data && fread(data, 1, n, in) == n;
    (void)fclose(in);
    if (!whole) {
        free(data);
        return complain(verb, KEYWRIGHT_BAD_INPUT, "the file cannot be read");
    }
    *ret = (struct octets){data, n};
    return KEYWRIGHT_OK;
}

/* To --out, which nobody else may read, or to standard output. */
static enum keywright_result write_out(const char *verb, const struct options *options,
                                       const void *data, size_t n)
{
    int fd = options->out
                 ? open(options->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR)
                 : -1;
    FILE *out = fd >= 0 ? fdopen(fd, "wb") : (options->out ? NULL : stdout);
    bool written = out && fwrite(data, 1, n, out) == n;

    if (out && (options->out ? fclose(out) : fflush(out)) != 0) {
        written = false;
    }
    return written ? KEYWRIGHT_OK : complain(verb, KEYWRIGHT_STORAGE, strerror(errno));
}

/* --- one octet string to another ---------------------------------------------------------------
 */

typedef enum keywright_result (*transformation)(struct keywright *kw, const struct options *options,
                                                const struct octets *in, struct octets *out);

/* Read FILE, have it worked upon with so much room, write what comes of it. */
static enum keywright_result transform(const char *verb, struct keywright *kw,
                                       const struct options *options, size_t factor, size_t more,
                                       transformation work)
{
    struct octets in = {0}, out = {0};
    enum keywright_result result = read_file(verb, options->arg, &in);

    if (result != KEYWRIGHT_OK) {
        return result;
    }
    out.n = factor * in.n + more;
    out.p = malloc(out.n);
    size_t room = out.n;
    result = out.p ? conclude(verb, kw, work(kw, options, &in, &out))
                   : complain(verb, KEYWRIGHT_UNAVAILABLE, "no memory");
    result = result == KEYWRIGHT_OK ? write_out(verb, options, out.p, out.n) : result;
    if (in.p) {
        explicit_bzero(in.p, in.n);
        free(in.p);
    }
    if (out.p) {
        explicit_bzero(out.p, room);
        free(out.p);
    }
    return result;
}

static enum keywright_result do_sign(struct keywright *kw, const struct options *options,
                                     const struct octets *in, struct octets *out)
{
    (void)options;
    return keywright_sign(kw, in->p, in->n, out->p, &out->n);
}

static enum keywright_result do_sign_data(struct keywright *kw, const struct options *options,
                                          const struct octets *in, struct octets *out)
{
    struct keywright_data what = {.type = options->type, .audience = options->audience};
    enum keywright_result result =
        keywright_sign_data(kw, &what, in->p, in->n, (char *)out->p, &out->n);

    if (result == KEYWRIGHT_OK) {
        out->p[out->n - 1] = '\n'; /* where the NUL is */
    }
    return result;
}

static enum keywright_result do_verify_data(struct keywright *kw, const struct options *options,
                                            const struct octets *in, struct octets *out)
{
    struct keywright_data expect = {.type = options->type, .signer = options->signer, .for_all = 1};
    struct keywright_data_facts facts;
    size_t n = in->n;

    while (n > 0 && in->p[n - 1] == '\n') {
        n--;
    }
    enum keywright_result result =
        keywright_verify_data(kw, &expect, (const char *)in->p, n, out->p, &out->n, &facts);
    if (result == KEYWRIGHT_OK) {
        (void)fprintf(stderr, "signed by %s, number %llu, key %s\n", facts.signer,
                      (unsigned long long)facts.sequence, facts.key_id);
    }
    return result;
}

static enum keywright_result do_protect(struct keywright *kw, const struct options *options,
                                        const struct octets *in, struct octets *out)
{
    struct octets reader = {0};
    enum keywright_result result = read_file("protect", options->reader, &reader);

    if (result == KEYWRIGHT_OK && reader.p) {
        reader.p[reader.n] = '\0';
        result = keywright_protect(kw, (const char *)reader.p, in->p, in->n, out->p, &out->n);
        free(reader.p);
    }
    return result;
}

static enum keywright_result do_seal(struct keywright *kw, const struct options *options,
                                     const struct octets *in, struct octets *out)
{
    return keywright_seal(kw, options->name, in->p, in->n, out->p, &out->n);
}

static enum keywright_result do_unseal(struct keywright *kw, const struct options *options,
                                       const struct octets *in, struct octets *out)
{
    return keywright_unseal(kw, options->name, in->p, in->n, out->p, &out->n);
}

/* --- verbs ------------------------------------------------------------------------------------ */

enum keywright_result verb_sign(struct keywright *kw, const struct options *options)
{
    return transform("sign", kw, options, 0, SIG_ROOM, do_sign);
}

enum keywright_result verb_sign_data(struct keywright *kw, const struct options *options)
{
    return transform("sign-data", kw, options, 2, SIGNED_ROOM, do_sign_data);
}

enum keywright_result verb_verify_data(struct keywright *kw, const struct options *options)
{
    return transform("verify-data", kw, options, 1, 1, do_verify_data);
}

enum keywright_result verb_protect(struct keywright *kw, const struct options *options)
{
    if (!options->reader || access(options->reader, R_OK) != 0) {
        return complain("protect", KEYWRIGHT_BAD_INPUT, "--reader FILE cannot be read");
    }
    return transform("protect", kw, options, 1, KEYWRIGHT_PROTECT_OVERHEAD, do_protect);
}

enum keywright_result verb_seal(struct keywright *kw, const struct options *options)
{
    return transform("seal", kw, options, 1, KEYWRIGHT_SEAL_OVERHEAD, do_seal);
}

enum keywright_result verb_unseal(struct keywright *kw, const struct options *options)
{
    return transform("unseal", kw, options, 1, 1, do_unseal);
}

/* --- a service's request and certificate ------------------------------------------------------ */

enum keywright_result verb_request(struct keywright *kw, const struct options *options)
{
    char pem[REQUEST_ROOM];
    size_t n = sizeof(pem);
    enum keywright_result result = conclude("request", kw, keywright_service_request(kw, pem, &n));

    return result == KEYWRIGHT_OK ? write_out("request", options, pem, n - 1) : result;
}

enum keywright_result verb_install(struct keywright *kw, const struct options *options)
{
    struct octets in = {0};
    enum keywright_result result = read_file("install", options->arg, &in);

    if (result != KEYWRIGHT_OK) {
        return result;
    }
    result = conclude("install", kw, keywright_service_install(kw, (const char *)in.p, in.n));
    free(in.p);
    return result;
}
