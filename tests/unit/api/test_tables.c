/* The tables of routes and views: what a row forgets, nobody checks at run time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api/api.h"
#include "api/rest/views.h"
#include "codec/json.h"

static const struct {
    const char *name;
    const struct route *rows;
    const unsigned *n;
} tables[] = {
    {"est",     est_routes,     &est_routes_n    },
    {"cmp",     cmp_routes,     &cmp_routes_n    },
    {"device",  device_routes,  &device_routes_n },
    {"rest",    rest_routes,    &rest_routes_n   },
    {"relying", relying_routes, &relying_routes_n},
};

/* Who may ask without proof: every other row needs one. */
static const struct {
    unsigned method;
    const char *path;
} open_to_all[] = {
    {HTTP_GET,  "/.well-known/est/cacerts"                },
    {HTTP_GET,  "/.well-known/est/{label}/cacerts"        },
    {HTTP_GET,  "/.well-known/est/csrattrs"               },
    {HTTP_GET,  "/.well-known/est/{label}/csrattrs"       },
    {HTTP_POST, "/.well-known/cmp"                        }, /* messages protect themselves */
    {HTTP_POST, "/.well-known/cmp/{operation}"            },
    {HTTP_POST, "/.well-known/cmp/p/{profile}"            },
    {HTTP_POST, "/.well-known/cmp/p/{profile}/{operation}"},
    {HTTP_POST, "/device/v1/receipts"                     }, /* signed by the key that is gone */
    {HTTP_POST, "/device/v1/time"                         }, /* for a device that knows no time */
    {HTTP_GET,  "/healthz"                                },
    {HTTP_GET,  "/metrics"                                },
    {HTTP_POST, "/ocsp/{ca}"                              },
    {HTTP_GET,  "/ocsp/{ca}/{request...}"                 },
    {HTTP_GET,  "/crl/{file}"                             },
    {HTTP_GET,  "/ca/{file}"                              },
    {HTTP_GET,  "/filter/{file}"                          },
    {HTTP_GET,  "/log/checkpoint"                         },
    {HTTP_GET,  "/log/checkpoint/{n}"                     },
    {HTTP_GET,  "/log/successor/{n}"                      },
    {HTTP_GET,  "/log/tile/{path...}"                     },
};

static bool is_open(const struct route *row)
{
    for (unsigned i = 0; i < KW_COUNT(open_to_all); i++) {
        if (open_to_all[i].method == row->method && strcmp(open_to_all[i].path, row->path) == 0) {
            return true;
        }
    }
    return false;
}

/* Lists that operators send, read line by line; the import tells CSV from JSON itself. */
static const struct {
    const char *path;
    bool any_media;
} bulk[] = {
    {"/device/v1/attest/evidence", false}, /* an event log of 64 KiB in base64 */
    {"/api/v1/attest/references",  false}, /* the same */
    {"/api/v1/attest/crls",        false}, /* the same, a CRL */
    {"/api/v1/roots",              false}, /* certificates */
    {"/api/v1/devices/import",     true },
    {"/api/v1/blocklist/{list}",   false},
    {"/api/v1/sync/external",      false},
};

static bool body_right(const struct route *row)
{
    if (row->method != HTTP_POST) {
        return !row->media && row->body_max == 0;
    }
    for (unsigned i = 0; i < KW_COUNT(bulk); i++) {
        if (strcmp(bulk[i].path, row->path) == 0) {
            return !row->media == bulk[i].any_media && row->body_max <= 2 << 20;
        }
    }
    return row->media && row->body_max > 0 && row->body_max <= KW_JSON_BODY_MAX;
}

static const char *fault_of(const struct route *row)
{
    bool post = row->method == HTTP_POST;

    if (row->method != HTTP_GET && !post) {
        return "method";
    }
    if (row->path[0] != '/' || !row->handler || !row->errors || !row->errors->render) {
        return "path, handler or errors";
    }
    if (!row->doc || strlen(row->doc) < 3) {
        return "doc";
    }
    if (row->deadline_ms < 1000 || row->deadline_ms > 60000) {
        return "deadline";
    }
    if (!body_right(row)) {
        return "media type or size of the body";
    }
    if (row->auth == 0 || (row->auth & AUTH_NONE && row->auth != AUTH_NONE)) {
        return "who may ask";
    }
    if ((row->auth == AUTH_NONE) != is_open(row)) {
        return "open to all, or not";
    }
    return NULL;
}

static void routes(void **state)
{
    unsigned n_open = 0;

    (void)state;
    for (unsigned t = 0; t < KW_COUNT(tables); t++) {
        for (unsigned i = 0; i < *tables[t].n; i++) {
            const struct route *row = &tables[t].rows[i];
            const char *fault = fault_of(row);
            if (fault) {
                fail_msg("%s %s: %s", tables[t].name, row->path, fault);
            }
            n_open += row->auth == AUTH_NONE;
        }
    }
    assert_int_equal(n_open, KW_COUNT(open_to_all));
}

/* Operators' doors open for operators only, devices' for nobody else. */
static void doors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < rest_routes_n; i++) {
        assert_true(rest_routes[i].auth == AUTH_OPERATOR || rest_routes[i].auth == AUTH_NONE);
        assert_true(rest_routes[i].auth == AUTH_OPERATOR || rest_routes[i].method == HTTP_GET);
    }
    for (unsigned i = 0; i < est_routes_n; i++) {
        assert_int_equal(est_routes[i].auth & AUTH_OPERATOR, 0);
        bool renewal = strstr(est_routes[i].path, "simplereenroll") != NULL;
        /* A secret renews nothing, nor does a station; what has ended renews itself only. */
        assert_true(!renewal || est_routes[i].auth == (AUTH_DEVICE | AUTH_EXPIRED));
        assert_true(renewal || !(est_routes[i].auth & AUTH_EXPIRED));
    }
    for (unsigned i = 0; i < relying_routes_n; i++) {
        assert_int_equal(relying_routes[i].auth, AUTH_NONE);
    }
}

static void no_row_twice(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KW_COUNT(tables); t++) {
        for (unsigned i = 0; i < *tables[t].n; i++) {
            for (unsigned k = 0; k < i; k++) {
                const struct route *a = &tables[t].rows[i], *b = &tables[t].rows[k];
                assert_true(a->method != b->method || strcmp(a->path, b->path) != 0);
            }
        }
    }
}

/* --- views ------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
    const char *name, *json;
    const struct view *view;
    size_t size;
} views[] = {
    {"device",
     "{\"id\":\"D\",\"product\":\"p\",\"serial\":\"s\",\"hw_type\":\"1.2\",\"state\":\"active\","
     "\"registered\":\"2024-01-02T03:04:05.678Z\",\"last_seen\":\"2024-01-02T03:04:05.678Z\","
     "\"agent\":\"a\",\"root_of_trust\":\"tpm2 SIMULATED\",\"simulated\":true}",  &device_view,  sizeof(struct device_view) },
    {"cert",
     "{\"ca\":\"devices\",\"serial\":\"01\",\"fingerprint\":\"02\",\"owner\":\"device:D\","
     "\"profile\":\"p\",\"subject\":\"CN=D\",\"key\":\"03\","
     "\"not_before\":\"2024-01-02T03:04:05Z\",\"not_after\":\"9999-12-31T23:59:59Z\","
     "\"issued\":\"2024-01-02T03:04:05.678Z\",\"state\":\"revoked\","
     "\"revoked\":\"2024-01-02T03:04:05Z\",\"reason\":\"keyCompromise\"}",        &cert_view,    sizeof(struct cert_view)   },
    {"log",     "{\"origin\":\"o\",\"vkey\":\"v\",\"size\":9223372036854775807}", &log_view,
     sizeof(struct log_view)                                                                                                },
    {"proof",
     "{\"index\":1,\"size\":2,\"root\":\"r\",\"entry\":\"e\","
     "\"checkpoint\":\"o\\n2\\nr\\n\\n\\u2014 k s\\n\",\"proof\":[\"a\",\"b\"]}", &proof_view,   sizeof(struct proof_view)  },
    {"secret",  "{\"id\":\"D\",\"secret\":\"s\"}",                                &secret_view,  sizeof(struct secret_view) },
    {"problem",
     "{\"type\":\"about:blank\",\"title\":\"t\",\"status\":404,\"code\":\"not_found\","
     "\"detail\":\"d\",\"request_id\":\"r\"}",                                    &problem_view, sizeof(struct problem_view)},
    {"page",    "{\"items\":[],\"next\":\"x\"}",                                  &key_page,     sizeof(struct key_page)    },
};
/* clang-format on */

/* What the server writes, the command line reads, and writes again alike. */
static void round_trips(void **state)
{
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    for (unsigned i = 0; i < KW_COUNT(views); i++) {
        const struct view *view = views[i].view;
        void *one = calloc(1, views[i].size), *two = calloc(1, views[i].size);
        AUTO(kw_bytes) *text = NULL;
        assert_true(one && two);
        kw_status status =
            codec_json_decode(&op, kw_span_text(views[i].json), view->fields, view->n, one);
        if (!kw_ok(status)) {
            fail_msg("%s: %s", views[i].name, kw_op_cause(&op));
        }
        assert_true(kw_ok(kw_bytes_new(1024, &text)));
        assert_true(kw_ok(codec_json_encode(&op, view->fields, view->n, one, text)));
        assert_true(kw_ok(codec_json_decode(&op, kw_bytes_span(text), view->fields, view->n, two)));
        if (memcmp(one, two, views[i].size) != 0) {
            fail_msg("%s: %.*s", views[i].name, (int)text->len, (const char *)text->p);
        }
        free(one);
        free(two);
    }
}

static void docs(void **state)
{
    static const struct view *const all[] = {&device_view, &cert_view,    &key_view,
                                             &ca_view,     &log_view,     &proof_view,
                                             &secret_view, &problem_view, &profile_view};

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(all); i++) {
        for (unsigned k = 0; k < all[i]->n; k++) {
            assert_true(all[i]->fields[k].name && *all[i]->fields[k].name);
            assert_true(all[i]->fields[k].doc && *all[i]->fields[k].doc);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes),      cmocka_unit_test(doors), cmocka_unit_test(no_row_twice),
        cmocka_unit_test(round_trips), cmocka_unit_test(docs),
    };

    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
