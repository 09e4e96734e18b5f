/* The broker's topic policy: what is taken gives nobody a topic that is no topic. */
#include <stdlib.h>
#include <string.h>

#include "mosquitto/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml's own: see yaml_fuzz.c. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so\n";
}

static void check_role(const struct policy_role *role)
{
    if (!strstr(role->client_id, "{id}") || role->payload_max == 0 ||
        policy_allows(&role->write, "DEV1", "$SYS/broker") ||
        policy_allows(&role->write, "DEV1", "$share/g/a")) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(policy) *policy = NULL;
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    if (!kw_ok(policy_parse(&op, KW_SPAN(data, size), &policy))) {
        return 0;
    }
    for (unsigned i = 0; i < policy->n_roles; i++) {
        check_role(&policy->roles[i]);
    }
    return 0;
}
