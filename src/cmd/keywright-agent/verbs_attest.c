/* Proving to the server what this device is. */
#include "base/time.h"
#include "cmd/keywright-agent/agent.h"

static const char *const verdicts[] = {[KEYWRIGHT_VERDICT_NONE] = "none",
                                       [KEYWRIGHT_VERDICT_TRUSTED] = "trusted",
                                       [KEYWRIGHT_VERDICT_SUSPECT] = "suspect",
                                       [KEYWRIGHT_VERDICT_FAILED] = "failed"};

static void show(const struct keywright_attestation *a, bool json)
{
    char until[KW_TIME_TEXT];
    const char *end = a->valid_until ? kw_time_text(a->valid_until, until) : "";

    if (json) { /* the server's reason is a word; its detail may be anything and stays out */
        (void)printf("{\"verdict\":\"%s\",\"level\":%d,\"simulated\":%s,\"valid_until\":\"%s\"}\n",
                     verdicts[a->verdict], a->level, a->simulated ? "true" : "false", end);
        return;
    }
    (void)printf("%-12s %s\n%-12s AL%d%s\n%-12s %s\n", "verdict", verdicts[a->verdict], "level",
                 a->level, a->simulated ? " SIMULATED" : "", "reason",
                 *a->detail ? a->detail : a->reason);
    (void)printf("%-12s %s\n", "valid until", *end ? end : "-");
}

enum keywright_result verb_attest(struct keywright *kw, const struct options *options)
{
    struct keywright_attestation attestation = {0};
    enum keywright_result result = keywright_attest(kw, &attestation);

    if (result != KEYWRIGHT_OK) {
        return conclude("attest", kw, result);
    }
    show(&attestation, options->json);
    return attestation.verdict == KEYWRIGHT_VERDICT_TRUSTED ? KEYWRIGHT_OK : KEYWRIGHT_REFUSED;
}
