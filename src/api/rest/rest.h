/* Shared by the REST handlers: answering with one object or with a page of a list. */
#ifndef API_REST_REST_H
#define API_REST_REST_H

#include "api/api.h"
#include "api/rest/views.h"
#include "codec/json.h"

enum { REST_PAGE_MAX = VIEW_PAGE, REST_DEADLINE_MS = 15000 };

struct service *rest_service(void *ctx);
/* The template parameter of this name; a route without it is our bug. */
const char *rest_param(const struct http_request *request, const char *name);
/* A query's number, or the default where absent. KW_E_INPUT. */
kw_status rest_query_u64(struct kw_op *op, const struct http_request *request, const char *key,
                         uint64_t default_, uint64_t max, uint64_t *ret);
/* A query's text; *ret is NULL where absent, else text. */
kw_status rest_query_text(struct kw_op *op, const struct http_request *request, const char *key,
                          char *text, size_t cap, const char **ret);
/* For what takes no body: nothing, or an object without members. KW_E_INPUT. */
kw_status rest_no_body(struct kw_op *op, const struct http_request *request);
kw_status rest_answer(struct kw_op *op, const struct view *view, const void *obj,
                      struct http_response *response);
/* Begin a list: response->body is made, *list writes into it. End it with codec_json_list_end(). */
kw_status rest_list(struct kw_op *op, struct http_response *response, struct codec_list *list);
kw_status rest_item(struct kw_op *op, struct codec_list *list, const struct view *view,
                    const void *obj);
/* A page of what is listed by name. */
struct rest_page {
    struct codec_list list;
    char after[KW_NAME_MAX]; /* of the row before; "" at the beginning */
    unsigned n;              /* 0: there are no more rows */
};
/* List the one row behind page->after, which becomes its name; where there is none, page->n = 0. */
typedef kw_status rest_next(struct kw_op *op, struct service *service, struct rest_page *page);
/* The whole handler: the queries "after" and "max", and "next" in the answer. */
kw_status rest_list_by_name(struct kw_op *op, void *ctx, const struct http_request *request,
                            struct http_response *response, rest_next *next);

/* The answer to a request that waits for approval: 202 and what people will sign. Hands on every
 * other status. pending: as approval_ask() left it; id 0 where it was not asked. */
struct keeper_approval;
kw_status rest_pending(struct kw_op *op, struct service *service, kw_status status,
                       const struct keeper_approval *pending, struct http_response *response);

/* Handlers, one file a noun. */
#define REST_HANDLER(name)                                                                         \
    kw_status name(struct kw_op *op, void *ctx, const struct http_request *request,                \
                   struct http_response *response)
REST_HANDLER(rest_device_list);
REST_HANDLER(rest_device_register);
REST_HANDLER(rest_device_show);
REST_HANDLER(rest_device_secret);
REST_HANDLER(rest_device_retire);
REST_HANDLER(rest_station_list);
REST_HANDLER(rest_station_grant);
REST_HANDLER(rest_station_end);
REST_HANDLER(rest_device_import);
REST_HANDLER(rest_feed);
REST_HANDLER(rest_consumer_list);
REST_HANDLER(rest_sync_check);
REST_HANDLER(rest_sync_external);
REST_HANDLER(rest_device_suspend);
REST_HANDLER(rest_device_wipe);
REST_HANDLER(rest_device_wipe_cancel);
REST_HANDLER(rest_device_resume);
REST_HANDLER(rest_device_readmit);
REST_HANDLER(rest_device_events);
REST_HANDLER(rest_ek_root_list);
REST_HANDLER(rest_ek_root_add);
REST_HANDLER(rest_attest_reset);
REST_HANDLER(rest_ek_crl_list);
REST_HANDLER(rest_ek_crl_add);
REST_HANDLER(rest_attest_untrust);
REST_HANDLER(rest_attest_retrust);
REST_HANDLER(rest_attest_rule_list);
REST_HANDLER(rest_attest_rule_set);
REST_HANDLER(rest_attest_rule_drop);
REST_HANDLER(rest_batch_list);
REST_HANDLER(rest_batch_show);
REST_HANDLER(rest_batch_open);
REST_HANDLER(rest_batch_verb);
REST_HANDLER(rest_blocklist_list);
REST_HANDLER(rest_reference_list);
REST_HANDLER(rest_reference_add);
REST_HANDLER(rest_reference_verb);
REST_HANDLER(rest_element_list);
REST_HANDLER(rest_element_set);
REST_HANDLER(rest_blocklist_add);
REST_HANDLER(rest_blocklist_walk);
REST_HANDLER(rest_request_list);
REST_HANDLER(rest_request_show);
REST_HANDLER(rest_request_approve);
REST_HANDLER(rest_request_refuse);
REST_HANDLER(rest_cert_list);
REST_HANDLER(rest_cert_issue);
REST_HANDLER(rest_profile_check);
REST_HANDLER(rest_cert_show);
REST_HANDLER(rest_cert_pem);
REST_HANDLER(rest_cert_revoke);
REST_HANDLER(rest_cert_hold);
REST_HANDLER(rest_cert_release);
REST_HANDLER(rest_plan_make);
REST_HANDLER(rest_plan_list);
REST_HANDLER(rest_plan_show);
REST_HANDLER(rest_plan_run);
REST_HANDLER(rest_plan_cancel);
REST_HANDLER(rest_plan_pause);
REST_HANDLER(rest_plan_resume);
REST_HANDLER(rest_plan_readmit);
REST_HANDLER(rest_stats);
REST_HANDLER(rest_cert_download);
REST_HANDLER(rest_key_list);
REST_HANDLER(rest_key_show);
REST_HANDLER(rest_key_create);
REST_HANDLER(rest_key_verb);
REST_HANDLER(rest_key_destruction);
REST_HANDLER(rest_key_lifecycle);
REST_HANDLER(rest_data_list);
REST_HANDLER(rest_data_create);
REST_HANDLER(rest_data_show);
REST_HANDLER(rest_data_unwrap);
REST_HANDLER(rest_data_rewrap);
REST_HANDLER(rest_ca_list);
REST_HANDLER(rest_ca_create);
REST_HANDLER(rest_ca_rotate);
REST_HANDLER(rest_ca_install);
REST_HANDLER(rest_root_install);
REST_HANDLER(rest_root_retire);
REST_HANDLER(rest_profile_list);
REST_HANDLER(rest_approval_list);
REST_HANDLER(rest_approval_show);
REST_HANDLER(rest_approval_sign);
REST_HANDLER(rest_approval_run);
REST_HANDLER(rest_roster_show);
REST_HANDLER(rest_roster_enroll);
REST_HANDLER(rest_roster_dismiss);
REST_HANDLER(rest_roster_rule);
REST_HANDLER(rest_vault_list);
REST_HANDLER(rest_vault_seal);
REST_HANDLER(rest_vault_rekey);
REST_HANDLER(rest_log_info);
REST_HANDLER(rest_log_checkpoint);
REST_HANDLER(rest_log_successor);
REST_HANDLER(rest_log_tile);
REST_HANDLER(rest_log_tail);
REST_HANDLER(rest_log_prove);
REST_HANDLER(rest_doctor);
REST_HANDLER(rest_doctor_acknowledge);
REST_HANDLER(rest_backup_show);
REST_HANDLER(rest_backup_create);
REST_HANDLER(rest_backup_list);
REST_HANDLER(rest_backup_part);
REST_HANDLER(rest_backup_discard);
REST_HANDLER(rest_backup_recovery);
REST_HANDLER(rest_health);
REST_HANDLER(rest_metrics);
REST_HANDLER(rest_about);

#endif
