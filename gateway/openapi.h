/* openapi: docs/openapi.yaml from the route table and the descriptors. */
#pragma once
#include "base.h"

#include <stdio.h>

chop_err openapi_print(FILE *out) CHOP_MUSTCHECK;
