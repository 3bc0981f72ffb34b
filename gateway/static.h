/* static: the web files, read once at start. A request only looks names up in this list, so no path can leave the
 * directory: there is none any more. */
#pragma once
#include "request.h"

struct static_files;
/* Regular files below `dir` (no links, nothing that begins with a dot), at most 64 MiB. "" or NULL: none. */
chop_err static_load(const char *dir, struct static_files **ret_files) CHOP_MUSTCHECK;
void static_free(struct static_files *f);
size_t static_count(const struct static_files *f);
/* Answers GET and HEAD of a known path; false where there is none. A path that ends in '/' means its index.html. */
bool static_serve(struct request *r);
