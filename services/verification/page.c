/* The page behind the QR: HTML without script, Chinese first, English below, for any phone's browser. */
#include "verification.h"

#include <string.h>

#include "text.h"
#include "words.h"

#define PAGE_MAX 28000 /* below the 30 kB that design 7 allows */
#define LIST_MAX 16

#define STYLE                                                                                                          \
    "*{box-sizing:border-box}body{margin:0;background:#eef0f3;color:#1b1f24;font:16px/1.55 system-ui,-apple-system,"   \
    "'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif}main{max-width:560px;margin:0 auto;padding-bottom:" \
    "24px}header{padding:26px 20px 22px;color:#fff;text-align:center}header svg{width:76px;height:76px;border:4px "    \
    "solid #fff;border-radius:50%;padding:10px}svg path{fill:none;stroke:#fff;stroke-width:2.4;stroke-linecap:round;"  \
    "stroke-linejoin:round}h1{margin:8px 0 0;font-size:34px;line-height:1.2;letter-spacing:.04em}h1 small{display:"    \
    "block;font-size:17px;font-weight:500;letter-spacing:0}header p{margin:10px auto "                                 \
    "0;max-width:30em}i{display:block;"                                                                                \
    "font-style:normal;font-size:13px;line-height:1.4;opacity:.86}header .k{display:inline-block;margin-top:14px;"     \
    "padding:3px 14px;border-radius:99px;background:rgba(255,255,255,.2);font-weight:600;font-size:14px}.g "           \
    "header{background:#0b7a43}"                                                                                       \
    ".u{font-size:18px;font-weight:600}.w header{background:#8f5f00}.d header{background:#b3450b}.b "                  \
    "header{background:#b3261e}.n header{background:"                                                                  \
    "#4b5563}section{margin:12px 12px 0;padding:14px 16px;background:#fff;border-radius:12px;overflow-wrap:anywhere}"  \
    "h2{margin:0 0 6px;font-size:17px}h2 small,dt small{font-weight:400;color:#57606a;font-size:13px;margin-left:6px}" \
    "dl{margin:0;display:grid;grid-template-columns:7.6em 1fr;gap:6px 10px}dt{color:#414a54}dt small{display:block;"   \
    "margin:-3px 0 "                                                                                                   \
    "0;font-size:12px;line-height:1.2}dd{margin:0;font-weight:600}ul{margin:0;padding:0;list-style:none}li+li{margin-" \
    "top:8px;"                                                                                                         \
    "padding-top:8px;border-top:1px solid #e4e7eb}.s{color:#57606a;font-size:14px;font-weight:400}.m{font-family:"     \
    "ui-monospace,Menlo,Consolas,monospace;letter-spacing:.03em}time{white-space:nowrap}.no{border:2px solid "         \
    "#b3261e}form{display:flex;gap:"                                                                                   \
    "8px;margin-top:8px}input{flex:1;min-width:0;font:20px ui-monospace,Menlo,monospace;letter-spacing:.15em;padding:" \
    "9px 12px;border:1px solid #8b949e;border-radius:8px}button{font:600 16px system-ui,sans-serif;padding:9px 18px;"  \
    "border:0;border-radius:8px;background:#1f4e8c;color:#fff}footer{padding:14px 24px "                               \
    "0;color:#57606a;font-size:13px;"                                                                                  \
    "text-align:center}"

/* ---- parts ---- */

static void put_time(struct text *t, int64_t ms) {
    TEXT(t, "<time>");
    text_time(t, ms);
    TEXT(t, "</time>");
}

static void put_words(struct text *t, const struct pair *words, const char *otherwise) {
    if (!words) {
        text_html(t, otherwise);
        return;
    }
    text_str(t, words->zh);
    TEXT(t, " <span class=s>");
    text_str(t, words->en);
    TEXT(t, "</span>");
}

#define ROW(t, zh, en) TEXT(t, "<dt>" zh "<small>" en "</small></dt><dd>")

/* A row with one value, left out where it is empty. */
#define ROW_TEXT(t, zh, en, value)                                                                                     \
    do {                                                                                                               \
        const char *value_ = (value);                                                                                  \
        if (!*value_) break;                                                                                           \
        ROW(t, zh, en);                                                                                                \
        text_html(t, value_);                                                                                          \
        TEXT(t, "</dd>");                                                                                              \
    } while (0)

static void put_number_row(struct text *t, bool pages, uint32_t n) {
    if (n == 0) return;
    if (pages)
        ROW(t, "页数", "Pages");
    else
        ROW(t, "份数", "Copies");
    text_uint(t, n);
    TEXT(t, "</dd>");
}

/* Who the paper says it is from, at once; and which of how many. A replacement's number lies above what was approved.
 */
static void put_whose(struct text *t, const Pb__Verdict *v) {
    TEXT(t, "<p class=u>");
    text_html(t, v->organization);
    TEXT(t, "<br>");
    text_html(t, v->seal_name);
    TEXT(t, "</p><span class=k>第 ");
    text_uint(t, v->number);
    if (v->number > v->copies)
        TEXT(t, " 次（补印）");
    else
        TEXT(t, " 次");
    TEXT(t, " / 共 ");
    text_uint(t, v->copies);
    TEXT(t, " 次 · Impression ");
    text_uint(t, v->number);
    if (v->number > v->copies) TEXT(t, " (replacement)");
    TEXT(t, " of ");
    text_uint(t, v->copies);
    TEXT(t, "</span>");
}

static void put_header(struct text *t, const Pb__Verdict *v, const struct verdict_words *w) {
    TEXT(t, "<header><svg viewBox=\"0 0 24 24\" aria-hidden=true><path d=\"");
    text_str(t, w->icon);
    TEXT(t, "\"/></svg><h1>");
    text_str(t, w->zh);
    TEXT(t, "<small lang=en>");
    text_str(t, w->en);
    TEXT(t, "</small></h1><p>");
    text_str(t, w->zh_more);
    TEXT(t, "<i lang=en>");
    text_str(t, w->en_more);
    TEXT(t, "</i></p>");
    if (v->number) put_whose(t, v);
    TEXT(t, "</header>");
}

static void put_mismatches(struct text *t, const Pb__Verdict *v) {
    if (v->n_mismatches == 0) return;
    TEXT(t, "<section class=no><h2>不相符的内容<small>What differs</small></h2><ul>");
    for (size_t i = 0; i < v->n_mismatches && i < LIST_MAX; i++) {
        TEXT(t, "<li>");
        put_words(t, mismatch_words(v->mismatches[i]), v->mismatches[i]);
        TEXT(t, "</li>");
    }
    TEXT(t, "</ul></section>");
}

static void put_reason(struct text *t, const Pb__Verdict *v) {
    const struct pair *reason = reason_words(v->reason);
    if (!reason && !v->replaced_by && !v->sample) return;
    TEXT(t, "<section class=no>");
    if (reason) {
        TEXT(t, "<b>");
        put_words(t, reason, "");
        TEXT(t, "</b>");
    }
    if (v->replaced_by) {
        TEXT(t, "<div>由第 ");
        text_uint(t, v->replaced_by);
        TEXT(t, " 次盖印代替 <span class=s>replaced by impression ");
        text_uint(t, v->replaced_by);
        TEXT(t, "</span></div>");
    }
    if (v->sample)
        TEXT(t, "<div><b>样章</b> 印章尚未备案 <span class=s>SAMPLE: the seal is not filed yet</span></div>");
    TEXT(t, "</section>");
}

static void put_compare(struct text *t, const Pb__Verdict *v) {
    const Pb__KeyFacts *f = v->facts;
    TEXT(t, "<section><h2>请与纸面核对<small>Compare with the paper</small></h2><dl>");
    ROW_TEXT(t, "文件", "Document", v->document_title);
    if (f) {
        ROW_TEXT(t, "编号", "Number", f->number);
        ROW_TEXT(t, "相对方", "Counterparty", f->counterparty);
        ROW_TEXT(t, "金额", "Amount", f->amount);
        ROW_TEXT(t, "日期", "Date", f->date);
        put_number_row(t, true, f->pages);
        put_number_row(t, false, f->copies);
    }
    if (strlen(v->serial) == MARKS_SERIAL_LEN) {
        ROW(t, "印迹序号", "Serial");
        TEXT(t, "<span class=m>");
        for (size_t i = 0; i < MARKS_SERIAL_LEN; i += 4) {
            if (i) TEXT(t, " ");
            text_put(t, v->serial + i, 4);
        }
        TEXT(t, "</span></dd>");
    }
    if (*v->document_sha256) {
        TEXT(t, "<dt>文件摘要<small>SHA-256</small></dt><dd class=\"m s\">");
        text_html(t, v->document_sha256);
        TEXT(t, "</dd>");
    }
    TEXT(t, "</dl></section>");
}

static void put_seal(struct text *t, const Pb__Verdict *v) {
    TEXT(t, "<section><h2>印章<small>Seal, as printed</small></h2><dl>");
    ROW_TEXT(t, "单位", "Unit", v->organization);
    ROW_TEXT(t, "印章", "Seal", v->seal_name);
    ROW_TEXT(t, "印章编码", "Seal code", v->seal_code);
    if (*v->seal_state_now) {
        ROW(t, "印章现状", "Seal today");
        put_words(t, seal_state_words(v->seal_state_now), v->seal_state_now);
        TEXT(t, "</dd>");
    }
    if (v->printed_at) {
        ROW(t, "打印时间", "Printed");
        put_time(t, v->printed_at);
        TEXT(t, "</dd>");
    }
    ROW_TEXT(t, "印章机", "Printer", v->printer);
    ROW_TEXT(t, "电子签名", "Signature of", v->signature_name);
    TEXT(t, "</dl></section>");
}

static void put_approval(struct text *t, const Pb__Approval *a) {
    TEXT(t, "<li><b>");
    text_html(t, a->member_name);
    TEXT(t, "</b> ");
    text_html(t, a->post);
    TEXT(t, "<div class=s>");
    put_time(t, a->at);
    TEXT(t, " · 认证 proven by ");
    for (size_t i = 0; i < a->n_factors && i < LIST_MAX; i++) {
        const struct pair *w = factor_words(a->factors[i]);
        if (i) TEXT(t, ", ");
        text_html(t, w ? w->zh : a->factors[i]);
        if (w) TEXT(t, " ");
        if (w) text_str(t, w->en);
    }
    TEXT(t, "</div></li>");
}

static void put_approvals(struct text *t, const Pb__Verdict *v) {
    TEXT(t, "<section><h2>谁批准<small>Approved by</small></h2><ul>");
    for (size_t i = 0; i < v->n_approvals && i < LIST_MAX; i++)
        put_approval(t, v->approvals[i]);
    TEXT(t, "<li><div class=s>用印人 requested by <b>");
    text_html(t, v->requester);
    TEXT(t, "</b><br>授权时间 authorized ");
    put_time(t, v->granted_at);
    TEXT(t, "</div></li></ul></section>");
}

static void put_filing(struct text *t, const Pb__FilingState *f) {
    bool filed = strcmp(f->state, "filed") == 0;
    TEXT(t, "<div class=s>");
    if (filed)
        TEXT(t, "✓ ");
    else
        TEXT(t, "… ");
    put_words(t, fact_words(f->fact), f->fact);
    if (filed) {
        TEXT(t, " <span class=m>");
        text_html(t, f->number);
        TEXT(t, "</span> ");
        put_time(t, f->at);
    } else {
        TEXT(t, " 等待回执 waiting for the receipt");
    }
    TEXT(t, "</div>");
}

/* Rows come sorted by registry. */
static void put_filings(struct text *t, const Pb__Verdict *v) {
    if (v->n_filings == 0) return;
    TEXT(t, "<section><h2>备案<small>Filed with</small></h2><ul>");
    for (size_t i = 0; i < v->n_filings && i < 2 * LIST_MAX; i++) {
        bool first = i == 0 || strcmp(v->filings[i]->registry, v->filings[i - 1]->registry) != 0;
        if (first) {
            if (i) TEXT(t, "</li>");
            TEXT(t, "<li><b>");
            put_words(t, registry_words(v->filings[i]->registry), v->filings[i]->registry);
            TEXT(t, "</b>");
        }
        put_filing(t, v->filings[i]);
    }
    TEXT(t, "</li></ul></section>");
}

static void put_notice(struct text *t, const char *notice) {
    if (!notice) return;
    if (strcmp(notice, "throttled") == 0)
        TEXT(t, "<p><b>密押错误次数过多，请稍后再试。</b><i lang=en>Too many wrong ciphers: please wait before the "
                "next.</i></p>");
    else if (strcmp(notice, "mistyped") == 0)
        TEXT(
            t, "<p><b>密押输入有误，请重新输入。</b><i lang=en>The cipher was mistyped; please type it again.</i></p>");
    else
        TEXT(t, "<p><b>暂时无法核对密押。</b><i lang=en>The cipher cannot be checked now.</i></p>");
}

static void put_form(struct text *t, const struct page_view *w) {
    if (strcmp(w->v->level, "full") == 0) return;
    TEXT(t, "<section><h2>密押核验<small>Check the cipher</small></h2>");
    put_notice(t, w->notice);
    TEXT(t, "<label for=c>输入纸面上的 8 位密押，可查看完整信息。<i lang=en>Type the 8-digit cipher from the paper to "
            "see everything."
            "</i></label><form method=get action=\"/V/");
    text_html(t, w->token);
    TEXT(t, "\"><input id=c name=c inputmode=numeric autocomplete=off maxlength=9 placeholder=\"1234 5678\" required>"
            "<button>核验 Check</button></form></section>");
}

static void put_advice(struct text *t, const Pb__Verdict *v) {
    TEXT(t, "<section "
            "class=s>任何人都能复印二维码：只有单位、文件、金额、日期与页数都与手中纸面一致，才说明盖的是这份文件。"
            "<i lang=en>Anyone can copy a QR. Only if unit, document, amount, date and pages agree with the paper in "
            "your hand "
            "was it stamped on this document.</i><p>本页只说明：");
    if (v->n_approvals)
        text_html(t, v->approvals[0]->member_name);
    else
        TEXT(t, "审批人");
    TEXT(t, " 依 ");
    text_html(t, v->organization);
    TEXT(t, " 的授权批准用印；不对合同效力作任何判断。<i lang=en>This page says: approved by ");
    if (v->n_approvals)
        text_html(t, v->approvals[0]->member_name);
    else
        TEXT(t, "the approver");
    TEXT(t, " under the authority of ");
    text_html(t, v->organization);
    TEXT(t, ". It does not judge whether the contract has effect.</i></p></section>");
}

static void put_footer(struct text *t, const struct page_view *w) {
    TEXT(t, "<footer>数据截至 as of ");
    put_time(t, w->v->as_of);
    TEXT(t, " (UTC+8)<br>请确认地址栏是 check that the address is <b>");
    text_html(t, w->host);
    TEXT(t, "</b><br>查看本页不被记录 viewing this page is not recorded</footer>");
}

/* ---- the page ---- */

static void put_details(struct text *t, const struct page_view *w) {
    put_mismatches(t, w->v);
    put_reason(t, w->v);
    put_compare(t, w->v);
    put_form(t, w);
    put_approvals(t, w->v);
    put_seal(t, w->v);
    put_filings(t, w->v);
    put_advice(t, w->v);
}

chop_err page_render(const struct page_view *w, struct arena *mem, struct chop_bytes *ret_html) {
    char buffer[PAGE_MAX];
    struct text t = { .p = buffer, .cap = sizeof buffer };
    const struct verdict_words *words = words_of(w->v->verdict);
    TEXT(&t, "<!doctype html><html lang=zh-CN><meta charset=utf-8><meta name=viewport content=\"width=device-width,"
             "initial-scale=1\"><meta name=robots content=noindex><meta name=format-detection "
             "content=\"telephone=no\"><title>");
    text_str(&t, words->zh);
    TEXT(&t, " · ");
    text_str(&t, words->en);
    TEXT(&t, "</title><style>" STYLE "</style><body class=");
    text_str(&t, words->tone);
    TEXT(&t, "><main>");
    put_header(&t, w->v, words);
    if (w->v->number) put_details(&t, w);
    put_footer(&t, w);
    TEXT(&t, "</main></body></html>\n");
    if (t.full) return CHOP_FAIL(ELIMIT, NULL, "the page is too long");
    *ret_html = arena_copy(mem, CHOP_BYTES(buffer, t.n));
    return ret_html->n ? NULL : CHOP_ERR(EMEMORY);
}
