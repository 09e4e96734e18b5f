/* Response codes of TPM and TSS as our status; TSS's own lines on standard error are switched off.
 */
#include <stdlib.h>
#include <tss2/tss2_rc.h>

#include "rot/tpm2/session.h"

#define NO_ROOM                                                                                    \
    "no free slot; free others' (tpm2_flushcontext -t) or use a resource manager, then retry"
#define LOCKED                                                                                     \
    "in dictionary-attack lockout; wait for its recovery, or end it (tpm2_dictionarylockout -c)"

static const struct {
    TPM2_RC rc;
    enum kw_code code;
    const char *text;
} rows[] = {
    {TPM2_RC_OBJECT_MEMORY,   KW_E_UNAVAILABLE, NO_ROOM                                          },
    {TPM2_RC_SESSION_MEMORY,  KW_E_UNAVAILABLE, NO_ROOM                                          },
    {TPM2_RC_MEMORY,          KW_E_UNAVAILABLE, NO_ROOM                                          },
    {TPM2_RC_SESSION_HANDLES, KW_E_UNAVAILABLE, NO_ROOM                                          },
    {TPM2_RC_OBJECT_HANDLES,  KW_E_UNAVAILABLE, NO_ROOM                                          },
    {TPM2_RC_CONTEXT_GAP,     KW_E_UNAVAILABLE, NO_ROOM                                          },
    {TPM2_RC_RETRY,           KW_E_UNAVAILABLE, "busy; retry later"                              },
    {TPM2_RC_YIELDED,         KW_E_UNAVAILABLE, "busy; retry later"                              },
    {TPM2_RC_TESTING,         KW_E_UNAVAILABLE, "testing itself; retry later"                    },
    {TPM2_RC_CANCELED,        KW_E_UNAVAILABLE, "the command was cancelled; retry"               },
    {TPM2_RC_NV_RATE,         KW_E_UNAVAILABLE, "limits the rate of writes; retry later"         },
    {TPM2_RC_NV_UNAVAILABLE,  KW_E_UNAVAILABLE, "its memory is not accessible now; retry"        },
    {TPM2_RC_INITIALIZE,      KW_E_UNAVAILABLE, "not started up by the platform (TPM2_Startup)"  },
    {TPM2_RC_LOCKOUT,         KW_E_DENIED,      LOCKED                                           },
    {TPM2_RC_BAD_AUTH,        KW_E_DENIED,      "a password is set on the owner hierarchy or key"},
    {TPM2_RC_AUTH_FAIL,       KW_E_DENIED,      "a password is set on the owner hierarchy or key"},
    {TPM2_RC_HIERARCHY,       KW_E_DENIED,      "the owner hierarchy is disabled"                },
    {TPM2_RC_NV_SPACE,        KW_E_FULL,        "no room for another persistent object"          },
    {TPM2_RC_NV_DEFINED,      KW_E_CONFLICT,    "the persistent handle was taken meanwhile"      },
    {TPM2_RC_CURVE,           KW_E_UNSUPPORTED, "this curve is not built in"                     },
    {TPM2_RC_FAILURE,         KW_E_DEVICE,      "in failure mode; it needs a reset"              },
};

/*
 * TSS prints what it thinks are errors, an empty handle among them; libraries never print. Before
 * main() there is no other thread that could read the environment meanwhile. Who sets TSS2_LOG
 * hears it all the same.
 */
__attribute__((constructor)) static void silence_tss(void)
{
    (void)setenv("TSS2_LOG", "all+NONE", /* overwrite= */ 0);
}

/* Resource managers pass the TPM's codes on under layers of their own. */
static bool is_from_tpm(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER ||
           layer == TSS2_RESMGR_RC_LAYER;
}

/* Without the number of the parameter, handle or session (format one, TPM 2.0 part 2
 * section 6.6.2). */
static TPM2_RC plain(TSS2_RC rc)
{
    const TPM2_RC format_one = TPM2_RC_FMT1 | 0x3f;
    return rc & TPM2_RC_FMT1 ? rc & format_one : rc & 0xffff;
}

bool tpm2_rc_is(TSS2_RC rc, TPM2_RC code)
{
    return rc != TSS2_RC_SUCCESS && is_from_tpm(rc) && plain(rc) == code;
}

bool tpm2_rc_is_refusal(TSS2_RC rc)
{
    return is_from_tpm(rc) && (rc & TPM2_RC_FMT1) != 0;
}

/* tpm2-tss before 3.2.2 reads beyond its table for layer 255 (CVE-2023-22745); a lying TPM could
 * say that. */
static const char *decode(TSS2_RC rc)
{
    return (rc & TSS2_RC_LAYER_MASK) == TSS2_RC_LAYER_MASK ? "nonsense" : Tss2_RC_Decode(rc);
}

static kw_status from_tpm(struct kw_op *op, TSS2_RC rc)
{
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (tpm2_rc_is(rc, rows[i].rc)) {
            return FAIL(op, rows[i].code, "TPM: %s (0x%03x)", rows[i].text, rc);
        }
    }
    return FAIL(op, KW_E_DEVICE, "TPM: %s (0x%03x)", decode(rc), rc);
}

kw_status tpm2_status(struct kw_op *op, const struct tpm2_session *s, TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS) {
        return KW_OK;
    }
    if (s->tcti.timed_out && s->tcti.broken) {
        return tpm2_line_silent(op, s->name);
    }
    ENSURE(op, !s->tcti.timed_out, KW_E_TIMEOUT,
           "the TPM was busy until the deadline; retry later");
    ENSURE(op, (rc & 0xffff) != TSS2_BASE_RC_MEMORY || is_from_tpm(rc), KW_E_MEMORY);
    bool lost = (rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER || s->tcti.broken;
    ENSURE(op, !lost, KW_E_UNAVAILABLE, "the connection to the TPM is lost (%s); retry",
           decode(rc));
    ENSURE(op, is_from_tpm(rc), KW_E_DEVICE, "%s (0x%x)", decode(rc), rc);
    return from_tpm(op, rc);
}
