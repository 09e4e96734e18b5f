/* Every limit on what a peer or an operator can make us hold, each with its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    KW_OP_FRAMES_MAX = 8, /* deeper chains tell a reader nothing more */
    KW_OP_TEXT_MAX = 192, /* a sentence with one object name */
    KW_REQUEST_ID = 33,   /* 128 random bits as hex, NUL */
    KW_NAME_MAX = 96,     /* ids of devices, keys, CAs, profiles, operators, with NUL */
    KW_PATH_BYTES = 512,  /* our own state files; a longer path is a mistake */
    KW_URI_MAX = 1024,    /* request targets and root-of-trust URIs */
    KW_DN_MAX = 512,      /* DER of a distinguished name */
    KW_SERIAL_MAX = 20,   /* RFC 5280 section 4.1.2.2 */
    KW_SERIAL_BYTES = 16, /* what we issue: 6 octets of time, 80 random bits */
    KW_HASH_BYTES = 32,   /* SHA-256 */
    KW_SIG_MAX = 512,     /* RSA-4096; ECDSA and Ed25519 are far below */
    KW_SPKI_MAX = 1024,   /* RSA-4096 SubjectPublicKeyInfo is 550 */
    KW_CERT_MAX = 8192,   /* DER of one certificate; ours are below 1200 */
    KW_CSR_MAX = 8192,    /* DER of one PKCS#10 request */
    KW_CA_CERTS_MAX = 64, /* of CAs, in force: what a server hands out, and a device holds, at once:
                             two CAs and a root with ten keys each, and what links them */
    KW_CA_CERTS_BYTES = KW_CA_CERTS_MAX * 2048, /* all of them; of an RSA-4096 CA one has 1900 */
    KW_EST_BODY_MAX = 16384,                    /* base64 of KW_CSR_MAX with line ends and slack */
    KW_CMP_BODY_MAX = 32768, /* a PKIMessage with its chain of certificates; below 8 KB */
    KW_OCSP_REQ_MAX = 4096,  /* one to a few CertIDs; RFC 6960 clients send below 200 */
    KW_JSON_BODY_MAX =
        65536, /* request bodies; the largest, a batch of a few hundred units, is 40 KB */
    KW_JSON_DOC_MAX =
        1 << 20, /* any JSON text, signed metadata with thousands of targets included */
    KW_JSON_DEPTH_MAX =
        16, /* our deepest table has 5; the parser's own limit is 2048 stack frames */
    KW_YAML_DOC_MAX = 1 << 18,  /* profiles and configuration are written by hand: below 20 KB */
    KW_CRL_MAX = 64 << 20,      /* one million entries are 40 MB */
    KW_MSG_BODY_MAX = 16384,    /* keeper channel; a larger object goes by sealed memfd */
    KW_LOG_ENTRY_MAX = 65535,   /* C2SP tlog-tiles entry bundles carry a u16 length */
    KW_DIR_ENTRIES_MAX = 65536, /* files of one folder that are listed at once */
    KW_POOL_THREADS_MAX =
        256, /* handler threads wait for the disk or the keeper, not for each other */
    KW_POOL_WAITING_MAX = 65536,
    KW_SHARES_MAX = 16, /* M-of-N: more custodians than that never meet */
};

#endif
