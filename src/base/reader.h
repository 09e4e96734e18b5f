/* Reading octets of an untrusted peer, big-endian. Sticky: read everything, then ask
 * kw_reader_end(). */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/bytes.h"

struct kw_reader {
    struct kw_span rest;
    bool failed; /* once true, every further read gives zeroes */
};

struct kw_reader kw_reader_of(struct kw_span span);
uint8_t kw_reader_u8(struct kw_reader *r);
uint16_t kw_reader_u16(struct kw_reader *r);
uint32_t kw_reader_u32(struct kw_reader *r);
uint64_t kw_reader_u64(struct kw_reader *r);
/* The next n octets, borrowed from the input. */
struct kw_span kw_reader_take(struct kw_reader *r, size_t n);
/* A span behind a u16 (u32) length, at most max octets. */
struct kw_span kw_reader_span16(struct kw_reader *r, size_t max);
struct kw_span kw_reader_span32(struct kw_reader *r, size_t max);
/* Exactly n octets copied into dst; zeroes after a failure. */
void kw_reader_copy(struct kw_reader *r, void *dst, size_t n);
/*
 * A text behind a u16 length into a fixed array of cap octets with its NUL; refuses control
 * characters (NUL among them) and what is not UTF-8. dst is "" after a failure.
 */
void kw_reader_text(struct kw_reader *r, char *dst, size_t cap);
/* Mark the input as bad (a value out of range): kw_reader_end() will say so. */
void kw_reader_reject(struct kw_reader *r);
/* KW_OK only where nothing failed and nothing is left over; otherwise KW_E_INPUT. */
kw_status kw_reader_end(const struct kw_reader *r);

#endif
