#include "kit.h"
static void smoke(void **s)
{
    (void)s;
    struct rig *rig = rig_start(NULL);
    struct http_client *p = rig_client(rig, false, WHO_MAX), *t = rig_client(rig, true, WHO_DEVICE),
                       *n = rig_client(rig, true, WHO_MAX);
    expect_get(p, "/hello", 200);
    expect_get(p, "/fast", 200);
    expect_get(p, "/fast?pool", 200);
    expect_get(t, "/hello", 200);
    expect_get(t, "/me", 200);
    expect_get(t, "/big?1000000", 200);
    expect_get(n, "/me", 401);
    expect_get(n, "/shared?50000", 200);
    expect_get(p, "/nope", 404);
    expect_get(p, "/echo", 405);
    http_client_free(p);
    http_client_free(t);
    http_client_free(n);
    rig_stop(rig);
}
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(smoke)};
    return KIT_RUN(tests, "smoke");
}
