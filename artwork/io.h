/* io: whole files in and out, and the fences around a process that reads what a stranger sent. */
#pragma once
#include "base.h"

struct blob { /* owned */
    uint8_t *p;
    size_t n;
};
void blob_done(struct blob *b);
#define CHOP_BLOB __attribute__((cleanup(blob_done))) struct blob

/* All of standard input; ELIMIT above `limit` bytes. */
chop_err io_read(size_t limit, struct blob *ret) CHOP_MUSTCHECK;
chop_err io_read_file(const char *path, size_t limit, struct blob *ret) CHOP_MUSTCHECK;
chop_err io_write(const void *p, size_t n) CHOP_MUSTCHECK;
/* Reads an outline from standard input and checks it. */
struct outline_size;
chop_err io_read_outline(struct blob *ret, struct outline_size *ret_size) CHOP_MUSTCHECK;

/* Limits memory and CPU time of this process and forbids core files. */
void io_fence(void);
/* From here on no file, socket or pipe can be opened: what is hostile is read behind this. */
void io_fence_files(void);
