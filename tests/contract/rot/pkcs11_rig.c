#include "pkcs11_rig.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_STEPS = 400, STEP_MS = 20 };

static const char *library;

void rig_use_library(const char *path)
{
    library = path;
}

/* One control file for all tests of the process: the library maps it once. */
static struct p11_fault *map_control(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(struct p11_fault)), 0);
    void *p = mmap(NULL, sizeof(struct p11_fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    assert_true(p != MAP_FAILED);
    return p;
}

static void load_now(void)
{
    CK_C_GetFunctionList get = NULL;
    CK_FUNCTION_LIST *list = NULL;
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(loaded);
    *(void **)&get = dlsym(loaded, "C_GetFunctionList");
    assert_non_null(get);
    assert_int_equal(get(&list), CKR_OK);
}

static struct p11_fault *control(void)
{
    static struct p11_fault *shared;
    char path[] = "/tmp/kw-p11-fault-XXXXXX";

    if (!shared) {
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        (void)close(fd);
        shared = map_control(path);
        assert_int_equal(setenv("KW_P11_FAULT", path, 1), 0);
        assert_int_equal(setenv("KW_P11_REAL", softhsm_library(), 1), 0);
        load_now();
        assert_int_equal(unlink(path), 0); /* both have it mapped */
    }
    return shared;
}

int rig_setup(void **state)
{
    char dir[80];
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    *state = NULL;
    if (!softhsm_library()) {
        print_message("SoftHSM 2 is not installed\n");
        free(rig);
        return 0;
    }
    bool has_memory = access("/dev/shm", W_OK) == 0; /* thousands of keys are made */
    (void)snprintf(rig->dir, sizeof(rig->dir), "%s/kw-p11-XXXXXX",
                   has_memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    (void)snprintf(dir, sizeof(dir), "%s/hsm", rig->dir);
    assert_true(softhsm_start(&rig->hsm, dir));
    rig->fault = control();
    rig_disarm(rig);
    (void)snprintf(rig->hsm.library, sizeof(rig->hsm.library), "%s", library);
    *state = rig;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    if (!rig) {
        return 0;
    }
    softhsm_stop(&rig->hsm);
    int removed = nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(rig);
    return removed;
}

struct rig *rig_of(void **state)
{
    if (!*state) {
        skip();
    }
    return *state;
}

enum kw_code rig_open_code(const struct rig *rig, struct rot **ret)
{
    char uri[512];
    softhsm_uri(&rig->hsm, uri, sizeof(uri));
    return rot_open(env_op(), uri, ret).code;
}

struct rot *rig_open(const struct rig *rig)
{
    char uri[512];
    struct rot *rot = NULL;
    softhsm_uri(&rig->hsm, uri, sizeof(uri));
    OK(rot_open(env_op(), uri, &rot));
    return rot;
}

void rig_arm(struct rig *rig, unsigned function, unsigned action, CK_RV rv, unsigned first,
             unsigned n_times)
{
    rig_disarm(rig);
    rig->fault->function = function;
    rig->fault->action = action;
    rig->fault->rv = rv;
    rig->fault->first_call = first;
    rig->fault->n_times = n_times;
    atomic_store(&rig->fault->armed, 1);
}

void rig_disarm(struct rig *rig)
{
    atomic_store(&rig->fault->armed, 0);
    atomic_store(&rig->fault->seen, 0);
    atomic_store(&rig->fault->fired, 0);
    atomic_store(&rig->fault->removed, 0);
    atomic_store(&rig->fault->exchanged, 0);
    rig->fault->token_flags = 0;
}

kw_status rig_patiently(kw_status (*call)(struct rot *rot, void *ctx), struct rot *rot, void *ctx)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    kw_status status = call(rot, ctx);
    for (int i = 0; i < PATIENCE_STEPS && status.code == KW_E_UNAVAILABLE; i++) {
        (void)nanosleep(&step, NULL);
        status = call(rot, ctx);
    }
    return status;
}

unsigned rig_count(const struct rig *rig)
{
    unsigned n_keys = 0, n_leftovers = 0;
    softhsm_count(&rig->hsm, &n_keys, &n_leftovers);
    return n_leftovers == 0 ? n_keys : RIG_LEFTOVERS;
}

static kw_status pass_over(struct kw_op *op, const char *label, void *ctx)
{
    (void)op;
    (void)label;
    (void)ctx;
    return KW_OK;
}

kw_status rig_list(struct rot *rot, void *unused)
{
    (void)unused;
    return rot_key_each(env_op(), rot, pass_over, NULL);
}
