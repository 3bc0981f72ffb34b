#include "words.h"

#include <string.h>

#include "base.h"

#define ICON_CHECK "M5 12.5l4.5 4.5L19 7.5"
#define ICON_CLOCK "M12 6.5V12l3.5 2.5M12 3a9 9 0 1 0 .01 0"
#define ICON_CROSS "M7 7l10 10M17 7L7 17"
#define ICON_BANG "M12 6v8M12 17.5v.5"
#define ICON_ASK "M9 9.5a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.8M12 17.5v.5"

static const struct verdict_words verdicts[] = {
    { "genuine", "g", ICON_CHECK, "真实", "Genuine",
        "该印迹经审批盖印，打印已由印章机签名确认。请核对下列内容与纸面一致。",
        "Approved, and its printing was confirmed by the printer. Compare the details below with the paper." },
    { "pending", "w", ICON_CLOCK, "待确认", "Not confirmed yet", "标记已签发，尚未收到打印确认，请稍后再验。",
        "Issued; the printer has not confirmed the printing yet. Check again shortly." },
    { "overdue", "w", ICON_CLOCK, "逾期未确认", "Confirmation overdue",
        "打印时限已过，仍未收到打印确认。在确认之前请勿采信。",
        "The time to print is over and no confirmation came. Do not rely on it until it does." },
    { "interrupted", "w", ICON_BANG, "打印中断", "Printing interrupted", "打印开始后中断，尚未由管理人认定结果。",
        "Printing started and was interrupted; a manager has yet to settle the outcome." },
    { "void", "b", ICON_CROSS, "作废", "Void", "该印迹已作废，不得采信。",
        "This impression is void. Do not accept it." },
    { "doubtful", "d", ICON_BANG, "存疑", "Doubtful", "该印迹存在疑点，请向盖章单位核实。",
        "There is reason to doubt it. Ask the unit itself." },
    { "revoked", "b", ICON_CROSS, "已撤销", "Revoked", "盖章单位已撤销该印迹。",
        "The unit has revoked this impression." },
    { "unknown", "b", ICON_ASK, "查无此印", "Unknown",
        "没有签发过这个标记。请检查输入；若来自纸面二维码，该印迹可能是伪造的。",
        "No such mark was ever issued. Check what was typed; a QR that leads here may be forged." },
    { "mismatch", "b", ICON_CROSS, "不相符", "Does not match", "标记存在，但所给内容与登记不符。",
        "The mark exists, but what was given differs from the record." },
    { "mistyped", "n", ICON_ASK, "输入有误", "Mistyped", "校验位不符，请重新输入。",
        "The check digit does not fit. Please type it again." },
    { "unavailable", "n", ICON_ASK, "暂时无法核验", "Cannot verify now",
        "目前得不到最新记录，未作任何判断，请稍后再试。",
        "The current record cannot be reached, so nothing is concluded. Please try again later." },
    { "elsewhere", "n", ICON_ASK, "非本平台", "Leads elsewhere", "这个二维码指向别处，本平台无法核验。",
        "This code leads to another place; it cannot be verified here." },
};

const struct verdict_words *words_of(const char *verdict) {
    const struct verdict_words *none = NULL;
    for (size_t i = 0; i < CHOP_COUNT(verdicts); i++) {
        if (strcmp(verdicts[i].verdict, verdict) == 0) return &verdicts[i];
        if (strcmp(verdicts[i].verdict, "unavailable") == 0) none = &verdicts[i];
    }
    return none;
}

static const struct pair reasons[] = {
    { "spoiled", "打印损坏", "it was spoiled in printing" },
    { "returned", "从未打印，编号已收回", "it was never printed; its number went back" },
    { "seal-lost", "印章已报失、撤销或销毁", "the seal was reported lost, revoked or destroyed" },
    { "after-loss", "印章报失、撤销或销毁之后打印",
        "it was printed after the seal was reported lost, revoked or destroyed" },
    { "grant-cancelled", "授权已取消", "the authorization was cancelled" },
    { "grant-suspended", "授权已暂停", "the authorization is suspended" },
};
static const struct pair seal_states[] = {
    { "draft", "草稿", "draft" },
    { "registered", "已登记", "registered" },
    { "active", "在用", "in use" },
    { "suspended", "停用", "suspended" },
    { "lost", "已报失", "reported lost" },
    { "revoked", "已撤销", "revoked" },
    { "destroyed", "已销毁", "destroyed" },
};
static const struct pair factors[] = {
    { "password", "口令", "password" },
    { "key", "密钥", "key" },
    { "fingerprint", "指纹", "fingerprint" },
    { "face", "人脸", "face" },
    { "realname", "实名", "real name" },
    { "alipay", "支付宝", "Alipay" },
    { "wechat", "微信", "WeChat" },
    { "oidc", "第三方", "third party" },
};
static const struct pair facts[] = {
    { "authorization-given", "授权", "authorization" },
    { "print-commanded", "打印指令", "print order" },
    { "impression-printed", "打印记录", "printing" },
    { "impression-spoiled", "损坏记录", "spoiling" },
    { "impression-settled", "认定", "settlement" },
    { "impression-revoked", "撤销", "revocation" },
};
static const struct pair mismatches[] = {
    { "cipher", "密押", "cipher" },
    { "number", "文件编号", "number" },
    { "counterparty", "相对方", "counterparty" },
    { "amount", "金额", "amount" },
    { "date", "日期", "date" },
    { "pages", "页数", "pages" },
    { "copies", "份数", "copies" },
    { "document_sha256", "文件摘要", "document digest" },
};

/* The customary names of registries; others are shown as they are called. */
static const struct pair registries[] = {
    { "police", "公安印章系统", "police" },
    { "third-party", "第三方印章系统", "third party" },
    { "internal", "本单位", "the unit's own" },
};

static const struct pair *find(const struct pair *rows, size_t n, const char *key) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].key, key) == 0) return &rows[i];
    return NULL;
}

const struct pair *reason_words(const char *reason) {
    return find(reasons, CHOP_COUNT(reasons), reason);
}
const struct pair *seal_state_words(const char *state) {
    return find(seal_states, CHOP_COUNT(seal_states), state);
}
const struct pair *factor_words(const char *factor) {
    return find(factors, CHOP_COUNT(factors), factor);
}
const struct pair *fact_words(const char *kind) {
    return find(facts, CHOP_COUNT(facts), kind);
}
const struct pair *mismatch_words(const char *name) {
    return find(mismatches, CHOP_COUNT(mismatches), name);
}
const struct pair *registry_words(const char *name) {
    return find(registries, CHOP_COUNT(registries), name);
}
