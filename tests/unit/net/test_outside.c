/* Our server judged by programs that we did not write: curl and openssl. Absent ones are skipped.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/pem.h"
#include "kit.h"

static struct rig *rig;
static char folder[] = "/tmp/kw-net-XXXXXX";
static const char *const files[] = {"root.pem", "chain.pem", "key.pem", "body"};
static char output[65536];

static void write_file(const char *name, const struct kw_bytes *content)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content->p, content->len), content->len);
    close(fd);
}

static void write_identity(void)
{
    const struct pki *p = rig_pki();
    AUTO(kw_bytes) *root = NULL;
    AUTO(kw_bytes) *chain = NULL;
    AUTO(kw_bytes) *key = NULL;
    AUTO(kw_bytes) *body = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;
    TEST_OP(op);

    assert_ok(&op, kw_bytes_new(0, &root));
    assert_ok(&op, kw_pem_encode("CERTIFICATE", cert_der(p->root), root));
    write_file(files[0], root);
    assert_ok(&op, kw_bytes_new(0, &chain));
    assert_ok(&op, kw_pem_encode("CERTIFICATE", cert_der(p->leaf[WHO_DEVICE]), chain));
    assert_ok(&op, kw_pem_encode("CERTIFICATE", cert_der(p->ca), chain));
    write_file(files[1], chain);
    assert_ok(&op, privkey_to_pkcs8(&op, p->key[WHO_DEVICE], &pkcs8));
    assert_ok(&op, kw_bytes_new(0, &key));
    assert_ok(&op, kw_pem_encode("PRIVATE KEY", kw_secret_span(pkcs8), key));
    write_file(files[2], key);
    assert_ok(&op, kw_bytes_new(60000, &body));
    memset(body->p, 'b', 60000);
    body->len = 60000;
    write_file(files[3], body);
}

static int start(void **state)
{
    (void)state;
    rig = rig_start(NULL);
    if (!mkdtemp(folder) || chdir(folder) != 0) {
        return -1;
    }
    write_identity();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KW_COUNT(files); i++) {
        (void)unlink(files[i]);
    }
    rig_stop(rig);
    return rmdir(folder);
}

static void need(const char *path)
{
    if (access(path, X_OK) != 0) {
        (void)fprintf(stderr, "%s is not here\n", path);
        skip();
    }
}

/* Run a program with this input; both its outputs go to `output`. Returns its exit status. */
static int run(const char *const argv[], const char *input)
{
    int in[2];
    int out[2];
    int status = 0;
    size_t len = 0;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)dup2(out[1], 2);
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    assert_int_equal(write(in[1], input, strlen(input)), strlen(input));
    for (;;) {
        ssize_t n = read(out[0], output + len, sizeof(output) - 1 - len);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    output[len] = '\0';
    close(in[1]); /* openssl s_client ends at the end of its input: not before the answer came */
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CURL "/usr/bin/curl", "-sS", "-i", "-m", "10", "--cacert", "root.pem"
#define IDENTITY "--cert", "chain.pem", "--key", "key.pem"

static const char *url(const char *path)
{
    static char text[2][128];
    static unsigned n;

    n = (n + 1) % 2;
    (void)snprintf(text[n], sizeof(text[n]), "https://localhost:%u%s", rig->tls_port, path);
    return text[n];
}

static void curl_with_a_certificate(void **state)
{
    (void)state;
    need("/usr/bin/curl");
    assert_int_equal(run((const char *[]){CURL, IDENTITY, url("/me"), NULL}, ""), 0);
    assert_has(output, "HTTP/1.1 200 OK\r\n");
    assert_has(output, "2 device-1 cert ");
    assert_int_equal(run((const char *[]){CURL, url("/me"), NULL}, ""), 0);
    assert_has(output, "HTTP/1.1 401 Unauthorized\r\n");
    assert_int_equal(
        run((const char *[]){CURL, IDENTITY, "-I", url("/hello"), url("/hello"), NULL}, ""), 0);
    assert_lacks(output, "\nhello");
}

static void curl_with_bodies(void **state)
{
    (void)state;
    need("/usr/bin/curl");
    assert_int_equal(
        run((const char *[]){CURL, "-T", "body", "-H", "Expect: 100-continue", url("/echo"), NULL},
            ""),
        0);
    assert_has(output, "HTTP/1.1 100 Continue\r\n");
    assert_has(output, "HTTP/1.1 200 OK\r\n");
    assert_has(output, "Content-Length: 60000\r\n");
    assert_int_equal(run((const char *[]){CURL, "-T", "body", "-H", "Transfer-Encoding: chunked",
                                          url("/echo"), NULL},
                         ""),
                     0);
    assert_has(output, "Content-Length: 60000\r\n");
    assert_int_equal(run((const char *[]){CURL, "--data-binary", "@body", "-H",
                                          "Content-Type: text/plain", url("/echo"), NULL},
                         ""),
                     0);
    assert_has(output, "HTTP/1.1 413 ");
    assert_int_equal(
        run((const char *[]){CURL, "-u", "dev:pw", "-d", "", url("/secret"), NULL}, ""), 0);
    assert_has(output, "4 dev:pw none ");
}

/* Refused clients see the alert that says why, not a broken connection. */
static void curl_is_told_why(void **state)
{
    (void)state;
    need("/usr/bin/curl");
    atomic_store(&rig->judge_code, KW_E_REVOKED);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_not_equal(run((const char *[]){CURL, IDENTITY, url("/me"), NULL}, ""), 0);
        assert_has(output, "alert certificate revoked");
    }
    atomic_store(&rig->judge_code, KW_CODE_OK);
}

#define S_CLIENT                                                                                   \
    "/usr/bin/openssl", "s_client", "-CAfile", "root.pem", "-verify_return_error", "-connect"

static void openssl_s_client(void **state)
{
    char target[32];

    (void)state;
    need("/usr/bin/openssl");
    (void)snprintf(target, sizeof(target), "localhost:%u", rig->tls_port);
    assert_int_equal(run((const char *[]){S_CLIENT, target, "-cert", "chain.pem", "-cert_chain",
                                          "chain.pem", "-key", "key.pem", "-ign_eof", NULL},
                         "GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                     0);
    assert_has(output, "TLSv1.3");
    assert_has(output, "Acceptable client certificate CA names");
    /* OpenSSL 3.0 writes "CN = root", 3.5 "CN=root". */
    assert_true(strstr(output, "CN = root") || strstr(output, "CN=root"));
    assert_has(output, "HTTP/1.1 200 OK");
    assert_has(output, "closed"); /* by close_notify */
    assert_lacks(output, "New, TLSv1.3, Reused");
    assert_lacks(output, "Post-Handshake New Session Ticket");
    assert_lacks(output, "unexpected eof");
    assert_int_not_equal(run((const char *[]){S_CLIENT, target, "-tls1_2", NULL}, ""), 0);
    assert_has(output, "alert protocol version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curl_with_a_certificate),
        cmocka_unit_test(curl_with_bodies),
        cmocka_unit_test(curl_is_told_why),
        cmocka_unit_test(openssl_s_client),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("outside", tests, start, stop);
}
