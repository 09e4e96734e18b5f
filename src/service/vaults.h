/* The server's vaults: one keeper each, and which of them holds which key. */
#ifndef SERVICE_VAULTS_H
#define SERVICE_VAULTS_H

#include "service/service.h"

/* Texts of one keeper's configuration; it borrows from here and from config. */
struct vault_paths {
    char folder[KW_PATH_BYTES], unlock[2 * KW_PATH_BYTES];
};
kw_status vault_describe(struct kw_op *op, const struct config *config,
                         const struct config_vault *vault, struct vault_paths *paths,
                         struct keeper_config *ret);
/* Start a keeper for each vault of the configuration, and wait for those that people open. */
kw_status vaults_open(struct kw_op *op, struct service *service, const struct keeper_config *given);
void vaults_close(struct service *service);
/* Does this vault's list of keys name the key? "ca-*" or a key's id, which is its successors' too.
 */
bool vault_wants(const struct config_vault *vault, const char *key_id);

#endif
