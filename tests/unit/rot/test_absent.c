/* Roots of trust that are not there, and URIs that name none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rot/rot.h"

static enum kw_code open_code(struct kw_op *op, const char *uri)
{
    AUTO(rot) *rot = NULL;
    kw_op_init(op, "test", 0);
    enum kw_code code = rot_open(op, uri, &rot).code;
    assert_int_equal(rot != NULL, code == KW_CODE_OK);
    return code;
}

/* A port on which nobody listens: bound here, so that nobody else gets it meanwhile. */
static unsigned dead_port(int *ret_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*ret_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

static void bad_uris(void **state)
{
    struct kw_op op;
    (void)state;
    assert_int_equal(open_code(&op, ""), KW_E_INPUT);
    assert_int_equal(open_code(&op, "soft"), KW_E_INPUT);
    assert_int_equal(open_code(&op, "soft:"), KW_E_INPUT);
    assert_int_equal(open_code(&op, "tpm2:tcti=swtpm:"), KW_E_INPUT); /* dir is missing */
    assert_int_equal(open_code(&op, "tpm2:dir=/nonexistent/x"), KW_E_INPUT);
    assert_int_equal(open_code(&op, "tpm2:dir=/nonexistent/x,timeout=0,tcti=swtpm:"), KW_E_INPUT);
    assert_int_equal(open_code(&op, "tpm2:dir=/nonexistent/x,timeout=601,tcti=swtpm:"), KW_E_INPUT);
    assert_int_equal(open_code(&op, "tpm2:dir=/nonexistent/x,timeout=5s,tcti=swtpm:"), KW_E_INPUT);
    assert_int_equal(open_code(&op, "tpm2:dir=/nonexistent/x,timeout=-1,tcti=swtpm:"), KW_E_INPUT);
    assert_int_equal(open_code(&op, "puf:"), KW_E_UNSUPPORTED);
    assert_int_equal(open_code(&op, "soft2:dir=/tmp"), KW_E_UNSUPPORTED);
}

static void absent_tpm(void **state)
{
    char dir[] = "/tmp/kw-rot-absent-XXXXXX";
    char uri[256], text[1024];
    struct kw_op op;
    int fd = -1;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(uri, sizeof(uri), "tpm2:dir=%s,tcti=swtpm:host=127.0.0.1,port=%u", dir,
                   dead_port(&fd));
    assert_int_equal(open_code(&op, uri), KW_E_UNAVAILABLE);
    assert_non_null(strstr(kw_op_message(&op, text, sizeof(text)), "cannot be reached"));
    (void)close(fd);
    (void)snprintf(uri, sizeof(uri), "tpm2:dir=%s,tcti=device:/nonexistent/tpmrm0", dir);
    assert_int_equal(open_code(&op, uri), KW_E_UNAVAILABLE);
    (void)snprintf(uri, sizeof(uri), "tpm2:dir=%s,tcti=nosuchtcti:x", dir);
    assert_int_equal(open_code(&op, uri), KW_E_UNAVAILABLE);
    assert_int_equal(rmdir(dir), 0); /* nothing was left in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_uris),
        cmocka_unit_test(absent_tpm),
    };
    return cmocka_run_group_tests_name("rot/absent", tests, NULL, NULL);
}
