#include "rig.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/dn.h"
#include "service/authorities.h"

static char template_dir[64]; /* made once; removed when the program ends */

const char *rig_built(const char *rest, char room[512])
{
    const char *root = getenv("KW_BUILD_ROOT");

    (void)snprintf(room, 512, "%s/%s", root ? root : ".", rest);
    return room;
}

const char *rig_source(const char *rest, char room[512])
{
    const char *root = getenv("KW_SOURCE_ROOT");

    (void)snprintf(room, 512, "%s/%s", root ? root : ".", rest);
    return room;
}

int rig_run(const char *const argv[])
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, 1);
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void remove_template(void)
{
    (void)nftw(template_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_template(void)
{
    char program[512], keeper[512], profiles[512], state[80], offline[80];

    if (*template_dir) {
        return;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(template_dir, sizeof(template_dir), "/tmp/kw-service-XXXXXX");
    assert_non_null(mkdtemp(template_dir));
    (void)atexit(remove_template);
    (void)snprintf(state, sizeof(state), "%s/state", template_dir);
    (void)snprintf(offline, sizeof(offline), "%s/offline", template_dir);
    const char *const argv[] = {rig_built("src/cmd/keywright/keywright", program),
                                "init",
                                "--state",
                                state,
                                "--offline",
                                offline,
                                "--ports",
                                "0,0,0",
                                "--profiles",
                                rig_source("profiles", profiles),
                                "--keeper",
                                rig_built("src/cmd/keywright-keeper/keywright-keeper", keeper),
                                NULL};
    assert_int_equal(rig_run(argv), 0);
}

kw_status place_open(struct kw_op *op, struct place *place)
{
    char keeper[512];
    struct keeper_config config = {
        .program = rig_built("src/cmd/keywright-keeper/keywright-keeper", keeper)};

    return service_open(op, place->state, &config, &place->service);
}

void place_close(struct place *place)
{
    service_close(place->service);
    place->service = NULL;
}

int place_setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    char from[80];
    TEST_OP(op);

    assert_non_null(place);
    make_template();
    (void)snprintf(place->dir, sizeof(place->dir), "/tmp/kw-service-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->state, sizeof(place->state), "%s/state", place->dir);
    (void)snprintf(from, sizeof(from), "%s/state", template_dir);
    const char *const argv[] = {"/bin/cp", "-a", from, place->state, NULL};
    assert_int_equal(rig_run(argv), 0);
    *state = place;
    assert_ok(&op, place_open(&op, place));
    return 0;
}

int place_teardown(void **state)
{
    struct place *place = *state;

    place_close(place);
    (void)nftw(place->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

/* --- units ------------------------------------------------------------------------------------ */

struct privkey *rig_key(void)
{
    struct privkey *key = NULL;
    TEST_OP(op);

    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    return key;
}

struct kw_bytes *rig_csr(const struct privkey *key, const char *cn)
{
    const struct dn_part parts[] = {
        {"CN", cn}
    };
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);
    struct kw_bytes *csr = NULL;
    TEST_OP(op);

    assert_ok(&op, dn_build(&op, parts, *cn ? 1 : 0, &name));
    assert_ok(&op, csr_build(&op, kw_out_span(&name), key, &csr));
    return csr;
}

void unit_new_key(struct unit *unit)
{
    unit_done(unit);
    unit->key = rig_key();
    unit->csr = rig_csr(unit->key, unit->id);
}

void unit_done(struct unit *unit)
{
    privkey_unref(unit->key);
    kw_bytes_free(unit->csr);
    unit->key = NULL;
    unit->csr = NULL;
}

void unit_register(struct place *place, const char *id, struct unit *unit)
{
    struct device_request request = {.id = id, .product = "thing-1"};
    TEST_OP(op);

    memset(unit, 0, sizeof(*unit));
    KW_TEXT_SET(unit->id, id);
    assert_ok(&op, device_register(&op, place->service, &request, unit->secret));
    unit_new_key(unit);
}

typedef kw_status (*enrol_fn)(struct kw_op *op, struct service *service,
                              const struct enrol_asker *asker, const char *profile,
                              const struct enrol_request *request, struct store_cert *ret);

static kw_status ask(struct kw_op *op, struct place *place, enrol_fn how,
                     const struct enrol_asker *asker, const char *profile,
                     const struct kw_bytes *der, struct store_cert *ret)
{
    AUTO(csr) *csr = NULL;
    struct enrol_request request;

    TRY(op, enrol_request_from_csr(op, kw_bytes_span(der), &csr, &request));
    return how(op, place->service, asker, profile, &request, ret);
}

kw_status unit_ask(struct kw_op *op, struct place *place, const struct enrol_asker *asker,
                   const char *profile, const struct kw_bytes *csr, struct store_cert *ret)
{
    return ask(op, place, enrol_first, asker, profile, csr, ret);
}

kw_status unit_enrol(struct kw_op *op, struct place *place, const struct unit *unit,
                     struct store_cert *ret)
{
    struct enrol_asker asker = {.device_id = unit->id, .secret = unit->secret, .cert_profile = ""};

    return unit_ask(op, place, &asker, "", unit->csr, ret);
}

kw_status unit_enrol_with(struct kw_op *op, struct place *place, const struct unit *unit,
                          const struct store_cert *with, const char *profile,
                          struct store_cert *ret)
{
    struct enrol_asker asker = {
        .device_id = unit->id, .fingerprint = with->fingerprint, .cert_profile = with->profile};

    return unit_ask(op, place, &asker, profile, unit->csr, ret);
}

kw_status unit_renew(struct kw_op *op, struct place *place, const struct unit *unit,
                     const struct store_cert *with, struct store_cert *ret)
{
    struct enrol_asker asker = {
        .device_id = unit->id, .fingerprint = with->fingerprint, .cert_profile = with->profile};

    return ask(op, place, enrol_again, &asker, "", unit->csr, ret);
}

void unit_both(struct place *place, const char *id, struct unit *unit, struct store_cert *idevid,
               struct store_cert *ldevid)
{
    TEST_OP(op);

    unit_register(place, id, unit);
    assert_ok(&op, unit_enrol(&op, place, unit, idevid));
    unit_new_key(unit);
    assert_ok(&op, unit_enrol_with(&op, place, unit, idevid, "", ldevid));
}

struct cert *rig_parse(const struct store_cert *cert)
{
    struct cert *parsed = NULL;
    TEST_OP(op);

    assert_ok(&op, cert_parse(&op, KW_SPAN(cert->der, cert->der_len), &parsed));
    return parsed;
}

struct store_cert *rig_reload(struct place *place, const struct store_cert *cert,
                              struct store_cert *ret)
{
    TEST_OP(op);

    assert_ok(&op, store_cert_by_fingerprint(&op, place->service->store, cert->fingerprint, ret));
    return ret;
}

struct store_counts rig_counts(struct place *place)
{
    struct store_counts counts = {0};
    TEST_OP(op);

    assert_ok(&op, store_counts(&op, place->service->store, &counts));
    return counts;
}

struct ca *rig_ca(struct place *place, const char *id)
{
    return rig_ca_of(place->service->authorities, id);
}

struct ca *rig_ca_of(struct authorities *all, const char *id)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (strcmp(all->at[i].id, id) == 0) {
            return &all->at[i];
        }
    }
    fail_msg("no CA '%s'", id);
    return NULL;
}
