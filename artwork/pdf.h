/* pdf: documents that a stranger wrote, through poppler. */
#pragma once
#include <poppler.h>

#include "base.h"

#define PDF_MAX_BYTES ((size_t)128 << 20)
#define PDF_MAX_PAGES 2000

/* Opens a document; EINVAL for what is no PDF, is broken or wants a password, ELIMIT for too many bytes or pages. The
 * caller unrefs. */
chop_err pdf_open(const char *path, PopplerDocument **ret) CHOP_MUSTCHECK;
static inline void pdf_done(void *object) { /* for PopplerDocument ** and PopplerPage ** alike */
    if (*(void **)object) g_object_unref(*(void **)object);
}
#define CHOP_GOBJECT __attribute__((cleanup(pdf_done)))
