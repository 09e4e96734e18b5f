#include "softhsm.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"

enum { OBJECTS_MAX = 4096, ID_ROOM = 64, LABEL_ROOM = 64 };

static const char *shared_dir; /* of the one that was started first */

const char *softhsm_library(void)
{
    static const char *const paths[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    };
    for (size_t i = 0; i < KW_COUNT(paths); i++) {
        if (access(paths[i], R_OK) == 0) {
            return paths[i];
        }
    }
    return NULL;
}

int softhsm_run(const char *const argv[], const char *out)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 0);
        int to = out ? open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600) : null;
        (void)dup2(to, 1);
        (void)dup2(null, 2);
        (void)execvp(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

static bool put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return written;
}

static bool make_token(const char *label)
{
    const char *const argv[] = {"softhsm2-util", "--init-token", "--free",   "--label",      label,
                                "--pin",         SOFTHSM_PIN,    "--so-pin", SOFTHSM_SO_PIN, NULL};
    return softhsm_run(argv, NULL) == 0;
}

static bool make_dir(const char *dir)
{
    char path[128], text[256];

    (void)snprintf(path, sizeof(path), "%s/softhsm2.conf", dir);
    (void)snprintf(text, sizeof(text), "directories.tokendir = %s\nlog.level = ERROR\n", dir);
    return put(path, text) && setenv("SOFTHSM2_CONF", path, /* overwrite= */ 1) == 0 &&
           make_token("kw-first") && make_token("kw-second");
}

bool softhsm_start(struct softhsm *hsm, const char *dir)
{
    const char *library = softhsm_library();

    *hsm = (struct softhsm){0};
    if (!library) {
        return false;
    }
    (void)snprintf(hsm->library, sizeof(hsm->library), "%s", library);
    (void)snprintf(hsm->dir, sizeof(hsm->dir), "%s", shared_dir ? shared_dir : dir);
    (void)snprintf(hsm->token, sizeof(hsm->token), "%s", shared_dir ? "kw-second" : "kw-first");
    (void)snprintf(hsm->pin_file, sizeof(hsm->pin_file), "%s/pin", hsm->dir);
    if (shared_dir) {
        return true;
    }
    shared_dir = hsm->dir;
    return mkdir(dir, 0700) == 0 && put(hsm->pin_file, SOFTHSM_PIN "\n") && make_dir(dir);
}

void softhsm_stop(struct softhsm *hsm)
{
    if (shared_dir == hsm->dir) {
        shared_dir = NULL;
    }
}

void softhsm_uri(const struct softhsm *hsm, char *text, size_t cap)
{
    (void)snprintf(text, cap, "pkcs11:token=%s?module-path=%s&pin-source=file:%s", hsm->token,
                   hsm->library, hsm->pin_file);
}

/* --- the token as it is --- */

bool softhsm_view(const struct softhsm *hsm, struct softhsm_view *view)
{
    CK_SLOT_ID slots[16];
    CK_ULONG n = KW_COUNT(slots);
    void *library = dlopen(softhsm_library(), RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;

    if (library) {
        *(void **)&get = dlsym(library, "C_GetFunctionList");
    }
    if (!get || get(&view->f) != CKR_OK || view->f->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK) {
        return false;
    }
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO info;
        if (view->f->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            memcmp(info.label, hsm->token, strlen(hsm->token)) == 0) {
            return view->f->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                          &view->session) == CKR_OK;
        }
    }
    return false;
}

/* --- counting --- */

static CK_ULONG find(const struct softhsm_view *view, CK_ATTRIBUTE *wanted, CK_ULONG n,
                     CK_OBJECT_HANDLE found[OBJECTS_MAX])
{
    CK_ULONG n_found = 0;
    if (view->f->C_FindObjectsInit(view->session, wanted, n) != CKR_OK ||
        view->f->C_FindObjects(view->session, found, OBJECTS_MAX, &n_found) != CKR_OK ||
        view->f->C_FindObjectsFinal(view->session) != CKR_OK) {
        return OBJECTS_MAX; /* no test expects so many */
    }
    return n_found;
}

static CK_ULONG count_mates(const struct softhsm_view *view, CK_OBJECT_CLASS class,
                            CK_ATTRIBUTE *id)
{
    CK_OBJECT_HANDLE found[OBJECTS_MAX];
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class, sizeof(class)},
        *id
    };
    return find(view, wanted, KW_COUNT(wanted), found);
}

/* Neither name nor id: what SoftHSM leaves where it is killed while it writes an object's file; it
 * fills its files in several steps. Nobody can tell whose that was, and it has no key in it. */
static bool is_debris(const CK_ATTRIBUTE *id, const CK_ATTRIBUTE *label)
{
    return id->ulValueLen == 0 && label->ulValueLen == 0;
}

/* Counts a key half, and whether it lacks its mate or is still pending. */
static void count_one(const struct softhsm_view *view, CK_OBJECT_HANDLE object,
                      CK_OBJECT_CLASS mate, unsigned *n, unsigned *leftovers)
{
    char id[ID_ROOM], label[LABEL_ROOM] = "~";
    CK_ATTRIBUTE attributes[] = {
        {CKA_ID,    id,    sizeof(id)   },
        {CKA_LABEL, label, sizeof(label)}
    };

    bool read = view->f->C_GetAttributeValue(view->session, object, attributes,
                                             KW_COUNT(attributes)) == CKR_OK;
    if (read && is_debris(&attributes[0], &attributes[1])) {
        return;
    }
    bool whole = read && label[0] != '~' && count_mates(view, mate, &attributes[0]) == 1;
    ++*n;
    *leftovers += whole ? 0 : 1;
}

static unsigned count_class(const struct softhsm_view *view, CK_OBJECT_CLASS class,
                            CK_OBJECT_CLASS mate, unsigned *leftovers)
{
    CK_OBJECT_HANDLE found[OBJECTS_MAX];
    CK_ATTRIBUTE wanted = {CKA_CLASS, &class, sizeof(class)};
    CK_ULONG n_found = find(view, &wanted, 1, found);
    unsigned n = 0;

    for (CK_ULONG i = 0; i < n_found && n_found < OBJECTS_MAX; i++) {
        count_one(view, found[i], mate, &n, leftovers);
    }
    return n_found < OBJECTS_MAX ? n : OBJECTS_MAX;
}

void softhsm_count(const struct softhsm *hsm, unsigned *ret_keys, unsigned *ret_leftovers)
{
    struct softhsm_view view = {0};
    CK_OBJECT_HANDLE found[OBJECTS_MAX];
    CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
    CK_ATTRIBUTE wanted = {CKA_CLASS, &secret, sizeof(secret)};

    *ret_keys = OBJECTS_MAX;
    *ret_leftovers = OBJECTS_MAX;
    if (!softhsm_view(hsm, &view)) {
        return;
    }
    *ret_leftovers = 0;
    *ret_keys = count_class(&view, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, ret_leftovers);
    (void)count_class(&view, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, ret_leftovers); /* leftovers tell */
    CK_ULONG n_secret = find(&view, &wanted, 1, found);
    *ret_leftovers += n_secret > 1 ? (unsigned)n_secret - 1 : 0; /* one seals */
    (void)view.f->C_CloseSession(view.session); /* a failure shows in the next test */
}
