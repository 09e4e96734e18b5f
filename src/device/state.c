#include <stdio.h>

#include "base/pem.h"
#include "codec/json.h"
#include "device/device.h"
#include "os/clock.h"
#include "os/files.h"
#include "rot/dirlock.h"

enum { CONFIG_MAX = 4096, CERTS_MAX = 2 * KW_CA_CERTS_BYTES /* as PEM */ };

static const struct codec_field config_fields[] = {
    FIELD_STRING("server", struct device_config, server, 0, "https URL of the gate"),
    FIELD_STRING("device_id", struct device_config, device_id, 0, "as registered"),
    FIELD_STRING("root_of_trust", struct device_config, root_of_trust, 0, "what holds the keys"),
    FIELD_STRING("event_log", struct device_config, event_log, CODEC_OMIT_EMPTY,
                 "the firmware's event log, where it is not the kernel's"),
    FIELD_STRING("firmware", struct device_config, firmware, CODEC_OMIT_EMPTY,
                 "version that runs here"),
    FIELD_TIME("time_floor", struct device_config, floor_ms, CODEC_OMIT_EMPTY,
               "latest time that was proven"),
    FIELD_INT("time_floor_uptime", struct device_config, floor_up_s, CODEC_OMIT_EMPTY, 0, 0,
              "the machine's uptime then"),
    FIELD_STRING("time_floor_boot", struct device_config, floor_boot, CODEC_OMIT_EMPTY,
                 "and in which of its starts"),
    FIELD_INT("revocation_grace", struct device_config, revocation_grace_s, CODEC_OMIT_EMPTY, 0,
              DEVICE_GRACE_MAX_S, "seconds that a kept OCSP answer outlives its nextUpdate"),
    FIELD_BOOL("obey_wipe", struct device_config, obey_wipe, CODEC_OMIT_EMPTY,
               "a signed order of the server is enough to wipe it"),
    FIELD_BOOL("renew_asked", struct device_config, renew_asked, CODEC_OMIT_EMPTY,
               "the server wants the identity renewed now"),
    FIELD_BOOL("wiped", struct device_config, wiped, CODEC_OMIT_EMPTY,
               "the identity was destroyed"),
};

kw_status state_path(struct kw_op *op, const struct device *device, const char *name, char *path,
                     size_t cap)
{
    return os_path_join(op, path, cap, device->dir, name);
}

kw_status state_write(struct kw_op *op, const struct device *device, const char *name,
                      struct kw_span content)
{
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, name, path, sizeof(path)));
    return os_file_write(op, path, 0600, content);
}

kw_status state_read(struct kw_op *op, const struct device *device, const char *name, size_t max,
                     struct kw_bytes **ret)
{
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, name, path, sizeof(path)));
    return os_file_read(op, path, max, ret);
}

kw_status state_remove(struct kw_op *op, const struct device *device, const char *name)
{
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, name, path, sizeof(path)));
    return os_file_remove(op,
                          path); /* no secret is in it; a shred that is cut leaves half a file */
}

static kw_status load_config(struct kw_op *op, const struct device *device,
                             struct device_config *ret)
{
    AUTO(kw_bytes) *text = NULL;
    struct device_config read = {0};
    kw_status status = state_read(op, device, "config.json", CONFIG_MAX, &text);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    TRY(op,
        codec_json_decode(op, kw_bytes_span(text), config_fields, KW_COUNT(config_fields), &read),
        "config.json");
    *ret = read;
    return KW_OK;
}

static kw_status write_config(struct kw_op *op, struct device *device)
{
    AUTO(kw_bytes) *text = NULL;

    TRY(op, kw_bytes_new(512, &text));
    TRY(op, codec_json_encode(op, config_fields, KW_COUNT(config_fields), &device->config, text));
    TRY(op, state_write(op, device, "config.json", kw_bytes_span(text)));
    device->kept_floor_ms = device->config.floor_ms;
    return KW_OK;
}

/* A wipe that another process began meanwhile stays begun, and its floor of time stays reached. */
kw_status state_save_config(struct kw_op *op, struct device *device)
{
    struct device_config mine = device->config;
    DEVICE_TURN_AUTO turn = {0};

    if (device->has_turn) {
        return write_config(op, device);
    }
    TRY(op, state_take_turn(op, device, &turn));
    mine.wiped |= device->config.wiped;
    if (mine.floor_ms < device->config.floor_ms) {
        mine.floor_ms = device->config.floor_ms;
        mine.floor_up_s = device->config.floor_up_s;
        memcpy(mine.floor_boot, device->config.floor_boot, sizeof(mine.floor_boot));
    }
    device->config = mine;
    return write_config(op, device);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* A folder of its own: the root of trust locks the one that its keys lie in. */
static kw_status lock(struct kw_op *op, const struct device *device, int *ret_fd)
{
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, "turn", path, sizeof(path)));
    TRY(op, os_dir_make(op, path, 0700));
    return rot_dir_lock(op, path, ret_fd);
}

kw_status state_take_turn(struct kw_op *op, struct device *device, struct device_turn *ret)
{
    OS_FD_AUTO int fd = -1;

    if (device->has_turn) {
        return KW_OK;
    }
    TRY(op, lock(op, device, &fd));
    TRY(op, os_dir_clear_temporaries(op, device->dir), "clearing up");
    kw_status status = load_config(op, device, &device->config);
    if (status.code == KW_E_INPUT && *device->config.device_id) { /* damaged: what we know stays */
        kw_op_clear(op);
        status = KW_OK;
    }
    TRY(op, status);
    device->kept_floor_ms = device->config.floor_ms;
    device->has_turn = true;
    *ret = (struct device_turn){device, fd};
    fd = -1;
    return KW_OK;
}

void state_end_turn(struct device_turn *turn)
{
    if (turn->device) {
        turn->device->has_turn = false;
        os_fd_close(&turn->fd);
    }
}

/* --- certificates ----------------------------------------------------------------------------- */

const char *state_cert_name(enum device_identity identity)
{
    static const char *const names[] = {[DEVICE_NONE] = "",
                                        [DEVICE_IDEVID] = "idevid.pem",
                                        [DEVICE_LDEVID] = "ldevid.pem",
                                        [DEVICE_PREVIOUS] = "ldevid-previous.pem",
                                        [DEVICE_NEXT] = "ldevid-next.pem"};

    return names[identity];
}

kw_status state_write_certs(struct kw_op *op, const struct device *device, const char *name,
                            struct cert *const certs[], unsigned n)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, kw_bytes_new(2048, &pem));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", cert_der(certs[i]), pem));
    }
    return state_write(op, device, name, kw_bytes_span(pem));
}

kw_status state_read_cert(struct kw_op *op, const struct device *device,
                          enum device_identity identity, struct cert **ret)
{
    const char *name = state_cert_name(identity);
    AUTO(kw_bytes) *pem = NULL;
    unsigned n = 0;

    /* Also while files of it remain: a wipe that has begun is never undone. */
    ENSURE(op, !device->config.wiped, KW_E_NOT_FOUND, "no identity: it was wiped; enrol anew");
    kw_status status = state_read(op, device, name, CERTS_MAX, &pem);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return FAIL(op, KW_E_NOT_FOUND, "no identity: enrol first");
    }
    TRY(op, status);
    TRY(op, cert_parse_pem(op, kw_bytes_span(pem), ret, 1, &n), "%s", name);
    return KW_OK;
}

static void drop_issuers(struct device *device)
{
    for (unsigned i = 0; i < device->n_issuers; i++) {
        cert_unref(device->issuers[i]);
    }
    device->n_issuers = 0;
}

kw_status state_load_issuers(struct kw_op *op, struct device *device)
{
    AUTO(kw_bytes) *pem = NULL;

    drop_issuers(device);
    kw_status status = state_read(op, device, "ca.pem", CERTS_MAX, &pem);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    TRY(op,
        cert_parse_pem(op, kw_bytes_span(pem), device->issuers, DEVICE_ISSUERS_MAX,
                       &device->n_issuers),
        "ca.pem");
    return KW_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool replace(char *kept, size_t cap, const char *wanted)
{
    bool differs = *wanted && strcmp(kept, wanted) != 0;

    if (differs) {
        (void)kw_text_copy(kept, cap, wanted); /* same size on both sides */
    }
    return differs;
}

/* An identity belongs to one id and one root of trust; only the server's place may change under it.
 */
static kw_status merge_config(struct kw_op *op, struct device *device,
                              const struct device_config *wanted, bool *ret_changed)
{
    struct device_config *kept = &device->config;
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, "idevid.pem", path, sizeof(path)));
    bool enrolled = os_file_exists(path);
    ENSURE(op, !enrolled || !*wanted->device_id || strcmp(kept->device_id, wanted->device_id) == 0,
           KW_E_CONFLICT, "this folder holds the identity of '%s'; wipe it first", kept->device_id);
    ENSURE(op,
           !enrolled || !*wanted->root_of_trust ||
               strcmp(kept->root_of_trust, wanted->root_of_trust) == 0,
           KW_E_CONFLICT, "this identity lives in '%s'; wipe it first", kept->root_of_trust);
    *ret_changed = replace(kept->server, sizeof(kept->server), wanted->server);
    *ret_changed |= replace(kept->device_id, sizeof(kept->device_id), wanted->device_id);
    *ret_changed |=
        replace(kept->root_of_trust, sizeof(kept->root_of_trust), wanted->root_of_trust);
    *ret_changed |= replace(kept->firmware, sizeof(kept->firmware), wanted->firmware);
    return KW_OK;
}

/* A damaged config.json is forgotten where all that it must say is said again. */
static kw_status load_wanted(struct kw_op *op, struct device *device,
                             const struct device_config *wanted, bool *ret_changed)
{
    bool whole = *wanted->device_id && *wanted->server && *wanted->root_of_trust;

    device->config = (struct device_config){0}; /* what is wanted counts as a change each time */
    kw_status status = load_config(op, device, &device->config);

    if (!kw_ok(status) && !(whole && status.code == KW_E_INPUT)) {
        return status;
    }
    if (!kw_ok(status)) {
        kw_op_clear(op);
        device->config = *wanted;
        *ret_changed = true;
        return KW_OK;
    }
    return merge_config(op, device, wanted, ret_changed);
}

/* A second one is the spare root; ret_spare: NULL where nobody wants it. */
static kw_status read_root(struct kw_op *op, const char *path, struct cert **ret,
                           struct cert **ret_spare)
{
    struct cert *found[2] = {0};
    unsigned n = 0;
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, os_file_read(op, path, CERTS_MAX, &pem), "root to trust");
    TRY(op, cert_parse_pem(op, kw_bytes_span(pem), found, KW_COUNT(found), &n), "%s", path);
    *ret = found[0];
    if (ret_spare) {
        *ret_spare = found[1];
    } else {
        cert_unref(found[1]);
    }
    return KW_OK;
}

/* Another root is another owner: it is taken only while no identity hangs on the one before. */
static kw_status pin_root(struct kw_op *op, struct device *device, struct cert *given,
                          struct cert *spare)
{
    char path[KW_PATH_BYTES];

    ENSURE(op, cert_is_ca(given), KW_E_INPUT, "the root to trust is not a CA's certificate");
    TRY(op, state_path(op, device, "idevid.pem", path, sizeof(path)));
    ENSURE(op, !device->root || !os_file_exists(path), KW_E_CONFLICT,
           "this identity trusts another root; wipe it first");
    if (spare) {
        TRY(op, roots_keep_spare(op, device, spare));
    }
    TRY(op, state_write_certs(op, device, "root.pem", &given, 1));
    cert_unref(device->root);
    device->root = cert_ref(given);
    return KW_OK;
}

static kw_status load_root(struct kw_op *op, struct device *device, const char *trust_file)
{
    char path[KW_PATH_BYTES];
    AUTO(cert) *given = NULL;
    AUTO(cert) *spare = NULL;

    TRY(op, state_path(op, device, "root.pem", path, sizeof(path)));
    kw_status status = read_root(op, path, &device->root, NULL);
    bool damaged = status.code == KW_E_INPUT && trust_file; /* who gives it again repairs it */
    if (!kw_ok(status) && status.code != KW_E_NOT_FOUND && !damaged) {
        return status;
    }
    kw_op_clear(op);
    ENSURE(op, device->root || trust_file, KW_E_INPUT, "no root to trust yet; give its PEM file");
    status = trust_file ? read_root(op, trust_file, &given, &spare) : KW_OK;
    if (device->root && status.code == KW_E_NOT_FOUND) { /* pinned long ago; the file may go */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    bool same = !given || (device->root && kw_span_equal(cert_der(given), cert_der(device->root)));
    /* who starts it with the root of its birth need not know that it was replaced since */
    same = same || (device->root && roots_was_pinned(device, given));
    return same ? KW_OK : pin_root(op, device, given, spare);
}

kw_status state_open(struct kw_op *op, struct device *device, const char *dir,
                     const struct device_config *wanted, const char *trust_file)
{
    bool changed = false;
    DEVICE_TURN_AUTO turn = {0};

    ENSURE(op, KW_TEXT_SET(device->dir, dir), KW_E_INPUT,
           "the path of the state folder is too long");
    TRY(op, os_dir_make(op, dir, 0700));
    TRY(op, load_wanted(op, device, wanted, &changed));
    if (changed) { /* once more, as others may change it too */
        TRY(op, state_take_turn(op, device, &turn));
        TRY(op, load_wanted(op, device, wanted, &changed));
    }
    ENSURE(op, *device->config.device_id && *device->config.server && *device->config.root_of_trust,
           KW_E_INPUT, "server, device id and root of trust must be given the first time");
    ENSURE(op, strncmp(device->config.server, "https://", 8) == 0, KW_E_INPUT,
           "the server's URL must begin with https://");
    TRY(op, load_root(op, device, trust_file));
    roots_load(device);
    TRY(op, rot_open(op, device->config.root_of_trust, &device->rot), "root of trust");
    if (changed) {
        TRY(op, state_save_config(op, device));
    }
    return state_load_issuers(op, device);
}

void device_done(struct device *device)
{
    http_client_free(device->client);
    drop_issuers(device);
    roots_done(device);
    rot_close(device->rot);
    memset(device, 0, sizeof(*device));
}
