/* trace: W3C Trace Context, level 1: one trace id for all that a request causes. */
#pragma once
#include "base.h"

/* Continues `header` (a traceparent, or NULL) with a new span, or begins a new trace where there is none that is valid.
 */
void trace_begin(const char *header, char traceparent[56], char trace[33]);
