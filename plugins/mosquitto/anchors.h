/*
 * CAs for listeners that are open. Mosquitto reads cafile and capath once, and OpenSSL never looks
 * a CA up whose name it knows already: a CA's next key, and another root, would wait for a restart.
 * OpenSSL tells of each TLS context that this thread makes; what the feed believes goes into those.
 */
#ifndef PLUGIN_ANCHORS_H
#define PLUGIN_ANCHORS_H

#include "crypto/cert.h"

struct anchors;
/* One at a time, on the broker's thread, before listeners are opened. */
kw_status anchors_new(struct kw_op *op, struct anchors **ret);
void anchors_free(struct anchors *anchors);
/**
 * Into every TLS server context that was made in this thread since and that trusts one of the
 * roots (another listener may have anchors of its own: it keeps to them). Roots count there as
 * trust anchors, as they do in a `cafile`; others need a path to one. The same once more is
 * nothing; none is ever taken out, as the list of clients decides in any case.
 *
 * Errors  KW_E_MEMORY, KW_E_INPUT one that OpenSSL does not take
 */
kw_status anchors_add(struct kw_op *op, struct anchors *anchors, struct cert *const roots[],
                      unsigned n_roots, struct cert *const cas[], unsigned n_cas);
/* Contexts have been made since the last anchors_add(). */
bool anchors_waits(const struct anchors *anchors);

#endif
