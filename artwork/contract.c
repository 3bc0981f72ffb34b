/* chop-draw contract: a sale contract of several pages, as a person would bring it to be sealed. The same pages count
 * gives the same bytes. */
#include <cairo-pdf.h>
#include <jansson.h>
#include <pango/pangocairo.h>
#include <string.h>

#include "commands.h"
#include "contract.h"

/* Points, from the paper's top left. */
#define MM (72 / 25.4)
#define PAPER_WIDTH (210 * MM)
#define PAPER_HEIGHT (297 * MM)
#define LEFT (25 * MM)
#define TEXT_WIDTH (160 * MM)
#define TOP (27 * MM)
#define BOTTOM (274 * MM)
#define BODY "Noto Serif CJK SC 10.5"
#define STRONG "Noto Serif CJK SC Bold 10.5"

/* Where the buyer's seal, marks and signature go on the last page, in micrometres. */
#define SEAL_X 62000
#define SEAL_Y 128000
#define MARKS_X 112000
#define MARKS_Y 132000
#define SIGN_X 60000
#define SIGN_Y 169500

struct sheet {
    cairo_t *cr;
    double y;
    int page, pages;
};

struct text {
    const char *font;
    double x, width, indent;
    PangoAlignment align;
    double gray;
};

static PangoLayout *layout_new(const struct sheet *s, const struct text *t, const char *words) {
    PangoLayout *l = pango_cairo_create_layout(s->cr);
    pango_cairo_context_set_resolution(pango_layout_get_context(l), 72); /* a point is a unit */
    PangoFontDescription *font = pango_font_description_from_string(t->font);
    pango_layout_set_font_description(l, font);
    pango_font_description_free(font);
    pango_layout_set_width(l, (int)(t->width * PANGO_SCALE));
    pango_layout_set_indent(l, (int)(t->indent * PANGO_SCALE));
    pango_layout_set_alignment(l, t->align);
    pango_layout_set_wrap(l, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_line_spacing(l, t->indent > 0 ? 1.28f : 1.2f);
    pango_layout_context_changed(l);
    pango_layout_set_text(l, words, -1);
    return l;
}

static double layout_height(PangoLayout *l) {
    int height;
    pango_layout_get_size(l, NULL, &height);
    return (double)height / PANGO_SCALE;
}

static double draw_at(const struct sheet *s, double y, const struct text *t, const char *words) {
    PangoLayout *l = layout_new(s, t, words);
    cairo_set_source_rgb(s->cr, t->gray, t->gray, t->gray);
    cairo_move_to(s->cr, t->x, y);
    pango_cairo_show_layout(s->cr, l);
    double height = layout_height(l);
    g_object_unref(l);
    return height;
}

static void rule(const struct sheet *s, double x0, double y0, double x1, double y1) {
    cairo_set_source_rgb(s->cr, 0, 0, 0);
    cairo_set_line_width(s->cr, 0.6);
    cairo_move_to(s->cr, x0, y0);
    cairo_line_to(s->cr, x1, y1);
    cairo_stroke(s->cr);
}

static void page_frame(const struct sheet *s) {
    char words[96];
    const struct text head = { "Noto Serif CJK SC 8.5", LEFT, TEXT_WIDTH, 0, PANGO_ALIGN_RIGHT, 0.35 };
    const struct text foot = { "Noto Serif CJK SC 8.5", LEFT, TEXT_WIDTH, 0, PANGO_ALIGN_CENTER, 0.35 };
    draw_at(s, 14 * MM, &head, CONTRACT_TITLE "    合同编号：" CONTRACT_NUMBER);
    rule(s, LEFT, 19.5 * MM, LEFT + TEXT_WIDTH, 19.5 * MM);
    snprintf(words, sizeof words, "第 %d 页　共 %d 页", s->page, s->pages);
    draw_at(s, 281 * MM, &foot, words);
}

static void next_page(struct sheet *s) {
    if (s->page > 0) cairo_show_page(s->cr);
    s->page++;
    s->y = TOP;
    page_frame(s);
}

/* A paragraph that does not fit goes to the next page as a whole. */
static void flow(struct sheet *s, const struct text *t, const char *words, double after) {
    PangoLayout *l = layout_new(s, t, words);
    double height = layout_height(l);
    g_object_unref(l);
    if (s->y + height > BOTTOM) next_page(s);
    s->y += draw_at(s, s->y, t, words) + after;
}

static const struct text body = { BODY, LEFT, TEXT_WIDTH, 21, PANGO_ALIGN_LEFT, 0 };
static const struct text strong = { STRONG, LEFT, TEXT_WIDTH, 0, PANGO_ALIGN_LEFT, 0 };

#define PARAGRAPH_MAX 1024
#define CLAUSE_GAP 8
static bool paragraph(const struct contract_clause *c, int number, int i, char out[PARAGRAPH_MAX]) {
    if (i >= 4 || !c->paragraphs[i]) return false;
    snprintf(out, PARAGRAPH_MAX, "%d.%d　%s", number, i + 1, c->paragraphs[i]);
    return true;
}

static void flow_clause(struct sheet *s, const struct contract_clause *c, int number) {
    static const char *const numbers[] = { "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二",
        "十三" };
    char words[128];
    snprintf(words, sizeof words, "第%s条　%s", numbers[number - 1], c->head);
    if (s->y + 60 > BOTTOM) next_page(s); /* a heading does not stand alone */
    flow(s, &strong, words, 3);
    char numbered[PARAGRAPH_MAX];
    for (int i = 0; paragraph(c, number, i, numbered); i++)
        flow(s, &body, numbered, i == 3 || !c->paragraphs[i + 1] ? CLAUSE_GAP : 3);
}

static double clause_height(const struct sheet *s, const struct contract_clause *c, int number) {
    char numbered[PARAGRAPH_MAX];
    double sum = 20; /* the heading */
    for (int i = 0; paragraph(c, number, i, numbered); i++) {
        PangoLayout *l = layout_new(s, &body, numbered);
        sum += layout_height(l) + 3;
        g_object_unref(l);
    }
    return sum;
}

/* ---- tables ---- */
#define COLUMNS 7
static const double columns[COLUMNS + 1] = { 0, 12, 58, 82, 94, 108, 134, 160 }; /* mm */

static void money(int64_t yuan, char *out, size_t size) {
    if (yuan >= 1000)
        snprintf(out, size, "%lld,%03lld.00", (long long)yuan / 1000, (long long)yuan % 1000);
    else
        snprintf(out, size, "%lld.00", (long long)yuan);
}

static void table_row(struct sheet *s, const char *const cells[COLUMNS], bool head, double height) {
    for (int i = 0; i < COLUMNS; i++) {
        double x = LEFT + columns[i] * MM, width = (columns[i + 1] - columns[i]) * MM;
        PangoAlignment align = head     ? PANGO_ALIGN_CENTER
                               : i >= 5 ? PANGO_ALIGN_RIGHT
                               : i == 1 ? PANGO_ALIGN_LEFT
                                        : PANGO_ALIGN_CENTER;
        const struct text t = { head ? "Noto Serif CJK SC Bold 9.5" : "Noto Serif CJK SC 9.5", x + 4, width - 8, 0,
            align, 0 };
        draw_at(s, s->y + 3, &t, cells[i]);
    }
    for (int i = 0; i <= COLUMNS; i++)
        rule(s, LEFT + columns[i] * MM, s->y, LEFT + columns[i] * MM, s->y + height);
    s->y += height;
    rule(s, LEFT, s->y, LEFT + TEXT_WIDTH, s->y);
}

static void goods_row(struct sheet *s, size_t i) {
    const struct contract_good *g = &contract_goods[i];
    char number[24], count[24], price[32], sum[32];
    snprintf(number, sizeof number, "%zu", i + 1);
    snprintf(count, sizeof count, "%lld", (long long)g->count);
    money(g->price, price, sizeof price);
    money(g->price * g->count, sum, sizeof sum);
    table_row(s, (const char *const[COLUMNS]){ number, g->name, g->model, g->unit, count, price, sum }, false, 21);
}

static void goods_table(struct sheet *s) {
    const char *const head[COLUMNS] = { "序号", "货物名称", "型号", "单位", "数量", "单价（元）", "金额（元）" };
    rule(s, LEFT, s->y, LEFT + TEXT_WIDTH, s->y);
    table_row(s, head, true, 22);
    for (size_t i = 0; i < contract_goods_len; i++)
        goods_row(s, i);
    char sum[32];
    money(CONTRACT_TOTAL, sum, sizeof sum);
    table_row(s, (const char *const[COLUMNS]){ "", "合计（含税）", "", "", "", "", sum }, false, 21);
    s->y += 8;
}

/* Further pages, where more are asked for: what each delivered device must show. */
static void annex_page(struct sheet *s, int number) {
    next_page(s);
    char words[64];
    snprintf(words, sizeof words, "附件一　技术指标与验收记录（%d）", number);
    flow(s, &strong, words, 6);
    const char *const head[COLUMNS] = { "序号", "检验项目", "型号", "单位", "数量", "技术指标", "检验结果" };
    static const char *const items[] = { "采样频率", "测量精度", "通信时延", "工作温度", "防护等级", "供电电压" };
    static const char *const limits[] = { "≥ 25.6 kHz", "± 0.5 %", "≤ 20 ms", "-20 至 60 ℃", "IP 65", "24 V" };
    rule(s, LEFT, s->y, LEFT + TEXT_WIDTH, s->y);
    table_row(s, head, true, 22);
    for (int i = 0; i < 24; i++) {
        char n[16];
        snprintf(n, sizeof n, "%d", (number - 1) * 24 + i + 1);
        const struct contract_good *g = &contract_goods[(size_t)i / 6 % (contract_goods_len - 1)];
        table_row(
            s, (const char *const[COLUMNS]){ n, items[i % 6], g->model, g->unit, "1", limits[i % 6], "" }, false, 21);
    }
}

/* ---- pages ---- */
static void first_page(struct sheet *s) {
    const struct text title = { "Noto Serif CJK SC Bold 20", LEFT, TEXT_WIDTH, 0, PANGO_ALIGN_CENTER, 0 };
    const struct text line = { BODY, LEFT, TEXT_WIDTH, 0, PANGO_ALIGN_LEFT, 0 };
    next_page(s);
    flow(s, &title, CONTRACT_TITLE, 10);
    flow(s, &line, "合同编号：" CONTRACT_NUMBER "　　　签订日期：2026年11月23日　　　签订地点：北京市海淀区", 6);
    flow(s, &strong, "甲方（采购方）：" CONTRACT_BUYER, 1);
    flow(s, &line, "统一社会信用代码：91110105MA01ABCD2X　　地址：北京市海淀区示例路1号", 3);
    flow(s, &strong, "乙方（供货方）：" CONTRACT_SELLER, 1);
    flow(s, &line, "统一社会信用代码：91310115MA1K4WXY57　　地址：上海市浦东新区远山路88号", 6);
    flow(s, &body,
        "根据《中华人民共和国民法典》及有关法律法规，甲乙双方在平等、自愿的基础上，就甲方向乙方采购下列货物事宜协商一致"
        "，订立本合同。",
        5);
    flow(s, &strong, "第一条　采购货物", 3);
    goods_table(s);
}

/* The labels of one party; `room` marks where a seal of 40 mm goes. */
static void party(const struct sheet *s, double top_um, const char *side, const char *name) {
    char words[128];
    double y = top_um * MM / 1000;
    const struct text line = { BODY, LEFT, TEXT_WIDTH, 0, PANGO_ALIGN_LEFT, 0 };
    const struct text hint = { "Noto Serif CJK SC 8", SEAL_X * MM / 1000, 40 * MM, 0, PANGO_ALIGN_CENTER, 0.72 };
    snprintf(words, sizeof words, "%s（盖章）：%s", side, name);
    draw_at(s, y - 9 * MM, &line, words);
    snprintf(words, sizeof words, "%s盖章处", side);
    draw_at(s, y + 18.5 * MM, &hint, words);
    draw_at(s, y + 45 * MM, &line, "授权代表（签字）：");
    rule(s, LEFT + 32 * MM, y + 51 * MM, LEFT + 78 * MM, y + 51 * MM);
    draw_at(s, y + 45 * MM, &(struct text){ BODY, LEFT + 84 * MM, 76 * MM, 0, PANGO_ALIGN_LEFT, 0 },
        "日期：　　　　年　　　月　　　日");
}

static void last_page(struct sheet *s, int number) {
    next_page(s);
    for (const struct contract_clause *c = contract_closing; c->head; c++)
        flow_clause(s, c, number++);
    const struct text note = { BODY, LEFT, TEXT_WIDTH, 0, PANGO_ALIGN_CENTER, 0.35 };
    draw_at(s, SEAL_Y * MM / 1000 - 19 * MM, &note, "（以下无正文，为签署页）");
    party(s, SEAL_Y, "甲方", CONTRACT_BUYER);
    party(s, SEAL_Y + 76000, "乙方", CONTRACT_SELLER);
}

/* All clauses over the pages before the last; with two pages only as many as one page holds. */
static void draw_contract(struct sheet *s) {
    int number = 2;
    first_page(s);
    for (const struct contract_clause *c = contract_clauses; c->head; c++) {
        if (s->page == s->pages - 1 && s->y + clause_height(s, c, number) > BOTTOM) break;
        flow_clause(s, c, number++);
    }
    for (int annex = 1; s->page < s->pages - 1; annex++)
        annex_page(s, annex);
    last_page(s, number);
    cairo_show_page(s->cr);
}

static chop_err write_pdf(const char *path, struct sheet *s) {
    cairo_surface_t *pdf = cairo_pdf_surface_create(path, PAPER_WIDTH, PAPER_HEIGHT);
    cairo_pdf_surface_set_metadata(pdf, CAIRO_PDF_METADATA_TITLE, CONTRACT_TITLE);
    cairo_pdf_surface_set_metadata(pdf, CAIRO_PDF_METADATA_CREATE_DATE, CONTRACT_DATE "T09:00:00+08:00");
    s->cr = cairo_create(pdf);
    draw_contract(s);
    cairo_destroy(s->cr);
    cairo_surface_finish(pdf);
    cairo_status_t status = cairo_surface_status(pdf);
    cairo_surface_destroy(pdf);
    return status ? CHOP_FAIL(EINVAL, "--out", "%s", cairo_status_to_string(status)) : NULL;
}

static json_t *place(int page, int x_um, int y_um) {
    return json_pack("{s:i, s:i, s:i}", "page", page, "x_um", x_um, "y_um", y_um);
}

static chop_err print_facts(const struct sheet *s) {
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o}", "title", CONTRACT_TITLE, "number",
        CONTRACT_NUMBER, "counterparty", CONTRACT_SELLER, "amount", "CNY 584000.00", "date", CONTRACT_DATE, "pages",
        s->page, "copies", CONTRACT_COPIES, "seal_place", place(s->page, SEAL_X, SEAL_Y), "marks_place",
        place(s->page, MARKS_X, MARKS_Y), "signature_place", place(s->page, SIGN_X, SIGN_Y));
    int failed = o ? json_dumpf(o, stdout, JSON_COMPACT) : -1;
    json_decref(o);
    putchar('\n');
    return failed ? CHOP_FAIL(EINTERNAL, NULL, "the facts cannot be written") : NULL;
}

chop_err command_contract(const struct args *a) {
    TRY(args_check(a, "--out --pages", "", 0));
    const char *path = args_text(a, "--out", NULL);
    if (!path) return CHOP_FAIL(EINVAL, "--out", "wants a file name");
    long pages;
    TRY(args_int(a, "--pages", 3, 2, 20, &pages));
    int64_t sum = 0;
    for (size_t i = 0; i < contract_goods_len; i++)
        sum += contract_goods[i].count * contract_goods[i].price;
    if (sum != CONTRACT_TOTAL) return CHOP_FAIL(EINTERNAL, NULL, "the goods do not add up");
    struct sheet s = { .pages = (int)pages };
    TRY(write_pdf(path, &s));
    if (s.page != s.pages) return CHOP_FAIL(EINTERNAL, NULL, "the text took %d pages", s.page);
    return print_facts(&s);
}
