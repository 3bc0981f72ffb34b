/* What the parts of e2e_flow share. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

extern struct world world;
extern const char *flow_read_zxing; /* the second decoder's path; NULL where it is not installed */

#define assert_ok(e)                                                                                                   \
    do {                                                                                                               \
        chop_err got_ = (e);                                                                                           \
        if (got_) fail_msg("%s: %s: %s", got_->name, chop_detail_field(), chop_detail_text());                         \
    } while (0)
/* assert_code(e, EDENIED) */
#define assert_code(e, NAME)                                                                                           \
    do {                                                                                                               \
        chop_err got_ = (e);                                                                                           \
        if (got_ != &chop_errors[CHOP_E_##NAME])                                                                       \
            fail_msg("not " #NAME " but %s: %s: %s", got_ ? got_->name : "success", chop_detail_field(),              \
                chop_detail_text());                                                                                   \
    } while (0)

/* A grant for so many copies of a document of its own. */
void flow_grant(uint32_t copies, char ret_grant_id[CHOP_ID_MAX]);
void assert_verdict(const char *mark, const char *cipher, const char *verdict);
void assert_number(const char *grant_id, uint32_t number, const char *state);

extern const struct CMUnitTest flow_paper_tests[], flow_rules_tests[], flow_printer_tests[], flow_input_tests[],
    flow_order_tests[];
extern const size_t flow_paper_count, flow_rules_count, flow_printer_count, flow_input_count, flow_order_count;
