/* log: one JSON line an entry on standard error. Thread-safe. Never pass secrets. */
#pragma once
#include "base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
void log_start(const char *service, enum log_level least);
/* msg is a short constant text; the rest are key, value pairs of strings ended by NULL:
 *   log_line(LOG_WARN, "lane stopped", "registry", name, "seal", id, NULL); */
void log_line(enum log_level level, const char *msg, ...) __attribute__((sentinel));
/* An integer as a value: LOG_INT(n) lives until the end of the full expression. */
#define LOG_INT(n) (log_int_text((char[24]){ 0 }, (int64_t)(n)))
const char *log_int_text(char *buf, int64_t n);
/* Error with the thread's detail. */
void log_error(const char *msg, chop_err e);
