/* contract: the demonstration's sale contract: its text, and the goods that its amount is the sum of. */
#pragma once
#include <stdint.h>
#include <stddef.h>

#define CONTRACT_TITLE "工业数据采集设备采购合同"
#define CONTRACT_NUMBER "CG-2026-0417"
#define CONTRACT_BUYER "示例科技有限公司"
#define CONTRACT_SELLER "远山仪器设备有限公司"
#define CONTRACT_DATE "2026-11-23"
#define CONTRACT_COPIES 4

struct contract_good {
    const char *name, *model, *unit;
    int64_t count, price; /* yuan */
};
extern const struct contract_good contract_goods[];
extern const size_t contract_goods_len;
#define CONTRACT_TOTAL 584000 /* what the goods add up to; the program checks it */
#define CONTRACT_TOTAL_WORDS "人民币伍拾捌万肆仟元整"

struct contract_clause {
    const char *head;
    const char *paragraphs[4]; /* NULL ends */
};
extern const struct contract_clause contract_clauses[]; /* head NULL ends */
extern const struct contract_clause contract_closing[]; /* on the last page, above the signatures */
