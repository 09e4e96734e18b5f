/*
 * A TBSCertList of the form that crl_build() writes, and no other, read without OpenSSL and without
 * a copy: a few entries a call, so that whoever reads a long one can do other things in between.
 */
#ifndef CRYPTO_CRL_READ_H
#define CRYPTO_CRL_READ_H

#include "base/reader.h"
#include "crypto/crl.h"

struct crl_reader {
    struct kw_span tbs; /* borrowed, and all spans below */
    /* What was read so far; the members up to next_update after crl_read_begin(), the number of
     * entries while they are read, the extensions after crl_read_end(). */
    enum key_alg sig_alg;
    struct kw_span issuer;            /* DER */
    int64_t this_update, next_update; /* Unix seconds */
    size_t n_entries;
    bool removes; /* an entry says removeFromCRL */
    struct kw_span aki;
    uint64_t number;
    bool has_scope;
    struct crl_scope scope;
    uint64_t base_number;           /* 0: a complete list */
    char delta_url[KW_CRL_URL_MAX]; /* "": none */
    /* The reader's own. */
    struct kw_reader rest, entries;
    struct kw_span last_serial;
};

/* Up to the entries. Errors of all: KW_E_INPUT it is not of the form. */
kw_status crl_read_begin(struct kw_op *op, struct kw_span tbs, struct crl_reader *ret);
/* At most so many entries. *ret_more: there are others; else crl_read_end() comes next. */
kw_status crl_read_entries(struct kw_op *op, struct crl_reader *reader, size_t max, bool *ret_more);
/* Extensions, and nothing behind them. */
kw_status crl_read_end(struct kw_op *op, struct crl_reader *reader);
/* How many octets of tbs lie behind the reader. */
size_t crl_read_at(const struct crl_reader *reader);

#endif
