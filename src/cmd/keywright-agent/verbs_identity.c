/* Verbs about the identity itself. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/time.h"
#include "cmd/keywright-agent/agent.h"

enum { SECRET_MAX = 128 };

/* --- the secret: from a file that only we may read, never from the command line
 * ------------------------------------- */

static enum keywright_result read_secret(const char *path, char secret[SECRET_MAX])
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &info) != 0) {
        (void)fprintf(stderr, "keywright-agent enrol: secret file %s: %s\n", path, strerror(errno));
    } else if (info.st_mode & (S_IRWXG | S_IRWXO)) {
        (void)fprintf(stderr,
                      "keywright-agent enrol: secret file %s can be read by others; chmod 600 it\n",
                      path);
    } else {
        n = read(fd, secret, SECRET_MAX - 1);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n < 0) {
        return KEYWRIGHT_BAD_INPUT;
    }
    secret[n] = 0;
    secret[strcspn(secret, "\r\n")] = 0;
    return KEYWRIGHT_OK;
}

/* --- verbs ------------------------------------------------------------------------------------ */

static void print_time(const char *name, int64_t unix_s)
{
    char text[KW_TIME_TEXT];

    (void)printf("%-18s %s\n", name, unix_s ? kw_time_text(unix_s, text) : "-");
}

static const char *const states[] = {[KEYWRIGHT_STATE_NEW] = "new",
                                     [KEYWRIGHT_STATE_BORN] = "born",
                                     [KEYWRIGHT_STATE_OPERATIONAL] = "operational",
                                     [KEYWRIGHT_STATE_DUE] = "due",
                                     [KEYWRIGHT_STATE_EXPIRED] = "expired",
                                     [KEYWRIGHT_STATE_WIPED] = "wiped"};

static void print_json(const struct keywright_status *s)
{
    char end[KW_TIME_TEXT], renew[KW_TIME_TEXT];

    (void)printf("{\"device_id\":\"%s\",\"root_of_trust\":\"%s\",\"assurance_level\":%u,"
                 "\"state\":\"%s\",\"idevid\":\"%s\",\"idevid_serial\":\"%s\",",
                 s->device_id, s->root_of_trust, s->assurance_level, states[s->state],
                 s->idevid_sha256, s->idevid_serial);
    (void)printf("\"ldevid\":\"%s\",\"ldevid_serial\":\"%s\",\"previous\":\"%s\","
                 "\"not_after\":\"%s\",\"renew_at\":\"%s\"}\n",
                 s->ldevid_sha256, s->ldevid_serial, s->ldevid_previous_sha256,
                 kw_time_text(s->ldevid_not_after, end), kw_time_text(s->renew_at, renew));
}

static void print_text(const char *name, const char *value)
{
    (void)printf("%-18s %s\n", name, *value ? value : "-");
}

enum keywright_result verb_status(struct keywright *kw, const struct options *options)
{
    struct keywright_status s;
    enum keywright_result result = keywright_get_status(kw, &s);

    if (result != KEYWRIGHT_OK) {
        return conclude("status", kw, result);
    }
    if (options->json) {
        print_json(&s);
        return KEYWRIGHT_OK;
    }
    print_text("device", s.device_id);
    (void)printf("%-18s %s, AL%u\n", "root of trust", s.root_of_trust, s.assurance_level);
    print_text("state", states[s.state]);
    print_text("IDevID", s.idevid_sha256);
    print_text("  serial number", s.idevid_serial);
    print_text("LDevID", s.ldevid_sha256);
    print_text("  serial number", s.ldevid_serial);
    print_text("previous LDevID", s.ldevid_previous_sha256);
    print_time("LDevID ends", s.ldevid_not_after);
    print_time("renewal from", s.renew_at);
    return KEYWRIGHT_OK;
}

enum keywright_result verb_enrol(struct keywright *kw, const struct options *options)
{
    char secret[SECRET_MAX] = "";
    struct keywright_status s;
    enum keywright_result result =
        options->secret_file ? read_secret(options->secret_file, secret) : KEYWRIGHT_OK;

    if (result != KEYWRIGHT_OK) {
        return result;
    }
    result = keywright_enrol(kw, *secret ? secret : NULL);
    explicit_bzero(secret, sizeof(secret));
    if (result != KEYWRIGHT_OK) {
        return conclude("enrol", kw, result);
    }
    if (keywright_get_status(kw, &s) == KEYWRIGHT_OK) {
        (void)printf("%s enrolled; keys in %s\nIDevID %s\nLDevID %s\n", s.device_id,
                     s.root_of_trust, s.idevid_sha256, s.ldevid_sha256);
    }
    return KEYWRIGHT_OK;
}

enum keywright_result verb_renew(struct keywright *kw, const struct options *options)
{
    struct keywright_status before = {0}, after = {0};

    (void)keywright_get_status(kw, &before); /* only to tell whether anything was done */
    enum keywright_result result = keywright_renew(kw, options->force);
    if (result != KEYWRIGHT_OK) {
        return conclude("renew", kw, result);
    }
    (void)keywright_get_status(kw, &after);
    bool same = strcmp(before.ldevid_sha256, after.ldevid_sha256) == 0;
    (void)printf("%s\n", same ? "not due yet"
                              : "renewed with a new key; the old one stays good for the overlap");
    return KEYWRIGHT_OK;
}

enum keywright_result verb_wipe(struct keywright *kw, const struct options *options)
{
    enum keywright_result result = keywright_wipe(kw);

    (void)options;
    if (result != KEYWRIGHT_OK) {
        return conclude("wipe", kw, result);
    }
    (void)puts("wiped: every key is destroyed and read back as gone; the server has the receipts");
    return KEYWRIGHT_OK;
}
