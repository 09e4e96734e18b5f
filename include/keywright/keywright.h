/*
 * libkeywright: what a connected device does with its identity.
 *
 *     struct keywright_config config = {
 *         .state_dir = "/var/lib/keywright-agent",
 *         .server = "https://gate.example:8443",
 *         .device_id = "DEV1",
 *         .trust_file = "/etc/keywright/root.pem",
 *         .root_of_trust = "tpm2:dir=/var/lib/keywright-agent/tpm,tcti=device:/dev/tpmrm0",
 *     };
 *     struct keywright *kw = NULL;
 *
 *     if (keywright_open(&config, &kw) != KEYWRIGHT_OK ||
 *         keywright_enrol(kw, secret) != KEYWRIGHT_OK) {
 *         fprintf(stderr, "%s\n", keywright_error(kw));
 *     }
 *     keywright_close(kw);
 */
#ifndef KEYWRIGHT_KEYWRIGHT_H
#define KEYWRIGHT_KEYWRIGHT_H

#include <keywright/attest.h>
#include <keywright/connect.h>
#include <keywright/due.h>
#include <keywright/enrol.h>
#include <keywright/events.h>
#include <keywright/files.h>
#include <keywright/hello.h>
#include <keywright/identity.h>
#include <keywright/seal.h>
#include <keywright/service.h>
#include <keywright/sign.h>
#include <keywright/types.h>
#include <keywright/wipe.h>

#endif
