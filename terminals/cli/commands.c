/* The commands, one row each. The longest name wins: "seal create" before "seal". */
#include "cli.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "filing.pb-c.h"
#include "identity.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"
#include "verification.pb-c.h"

#define OPTIONS(...) (const struct option_row[]){ __VA_ARGS__, { .name = NULL } }
#define ARGS(...) { __VA_ARGS__ }
#define IN(name) .in = &pb__##name##__descriptor
#define OUT(name) .out = &pb__##name##__descriptor
#define PAGE_OPTIONS \
    { "limit", OPT_TEXT, "limit", "at most so many" }, { "after", OPT_TEXT, "after", "go on after this id" }
#define REASON { "reason", OPT_TEXT, "reason", "why" }
#define FACT_OPTIONS(at) \
    { "number", OPT_TEXT, at "number", "the document's own number" }, \
    { "counterparty", OPT_TEXT, at "counterparty", "the other party" }, \
    { "amount", OPT_TEXT, at "amount", "amount of money, as printed" }, \
    { "date", OPT_TEXT, at "date", "date, as printed" }, \
    { "pages", OPT_TEXT, at "pages", "pages of the document (a request needs it)" }
#define PLACE_OPTIONS \
    { "page", OPT_TEXT, "placement.page", "page that the seal goes on" }, \
    { "x-um", OPT_TEXT, "placement.x_um", "left edge of the seal, micrometres from the page's left" }, \
    { "y-um", OPT_TEXT, "placement.y_um", "top edge of the seal, micrometres from the page's top" }
#define POLICY_OPTIONS(at) \
    { "request-factors", OPT_CLAUSES, at "request_clauses", "to prove when asking: password|key" }, \
    { "decide-factors", OPT_CLAUSES, at "decide_clauses", "to prove when deciding: key+password" }, \
    { "sign-factors", OPT_CLAUSES, at "sign_clauses", "to prove when signing" }, \
    { "print-factors", OPT_CLAUSES, at "print_clauses", "to prove when printing" }, \
    { "admin-factors", OPT_CLAUSES, at "admin_clauses", "to prove when changing the seal" }, \
    { "approver", OPT_LIST, at "approver_ids", "who may approve; any manager if not given" }, \
    { "approvals", OPT_TEXT, at "approvals_needed", "how many must approve" }, \
    { "ordered", OPT_TEXT, at "ordered", "true: approvers one after the other" }, \
    { "requester", OPT_LIST, at "requester_ids", "who may ask; any user if not given" }, \
    { "max-copies", OPT_TEXT, at "max_copies", "impressions per request at most" }, \
    { "window-hours", OPT_TEXT, at "window_hours", "how long a grant lives at most" }, \
    { "request-hours", OPT_TEXT, at "request_hours", "how long a request waits" }, \
    { "registry", OPT_LIST, at "registries", "registries to file with; all if not given" }, \
    { "gate", OPT_LIST, at "gate", "registries that must have receipted before printing" }, \
    { "offline", OPT_TEXT, at "offline", "true: a printer may be loaded for offline use" }, \
    { "offline-hours", OPT_TEXT, at "offline_hours", "how long offline" }, \
    { "spoil-allowance", OPT_TEXT, at "spoil_allowance", "replacements without a new decision" }

const struct command commands[] = {
    /* ---- oneself ---- */
    { "login", "sign in, with password or key", .run = cmd_login,
        .options = OPTIONS({ "organization", OPT_TEXT, NULL, "the organization's short name" },
            { "account", OPT_TEXT, NULL, "one's account in it" },
            { "with-key", OPT_FLAG, NULL, "with the key factor instead of the password" },
            { "ca", OPT_TEXT, NULL, "PEM file of the authority of the server's certificate" },
            { "root", OPT_TEXT, NULL, "SHA-256 of the deployment's root key, told by other means" }),
        .examples = "  chop login --server https://seal.example.cn --organization acme --account wang\n"
                    "  chop login --with-key" },
    { "logout", "end the session", .run = cmd_logout, .examples = "  chop logout" },
    { "whoami", "member, organization, terminal", .method = "GET", .path = "/v1/me", OUT(me), .examples = "  chop whoami" },
    { "password", "change one's password", .act = "password_change", .identity = true, IN(password_change),
        .before = cmd_new_password,
        .options = OPTIONS({ "new-password-file", OPT_TEXT, NULL, "file with the new password; else it is asked for" }),
        .examples = "  chop password" },

    /* ---- organization, members ---- */
    { "org create", "a new organization with its first admin (operator)", .method = "POST", .path = "/v1/organizations",
        IN(create_organization_request), OUT(create_organization_reply), .before = cmd_org_create,
        .options = OPTIONS({ "operator-token-file", OPT_TEXT, NULL, "file with the operator's token" },
            { "name", OPT_TEXT, "name", "its full name" }, { "slug", OPT_TEXT, "slug", "its short name at sign-in" },
            { "uscc", OPT_TEXT, "uscc", "unified social credit code" },
            { "admin-account", OPT_TEXT, "admin_account", "account of the first admin" },
            { "admin-name", OPT_TEXT, "admin_name", "name of the first admin" },
            { "admin-post", OPT_TEXT, "admin_post", "post of the first admin" },
            { "admin-password-file", OPT_TEXT, NULL, "file with its password; else it is asked for" }),
        .examples = "  chop org create --server http://127.0.0.1:8080 --operator-token-file operator.token \\\n"
                    "      --name 甲公司 --slug acme --admin-account admin --admin-name 张三" },
    { "member add", "a new member (admin)", .act = "member_add", .identity = true, IN(member_add), .before = cmd_new_password,
        .options = OPTIONS({ "account", OPT_TEXT, "account", "account at sign-in" }, { "name", OPT_TEXT, "name", "name" },
            { "post", OPT_TEXT, "post", "post" }, { "role", OPT_LIST, "roles", "user, manager, admin, auditor" },
            { "new-password-file", OPT_TEXT, NULL, "file with the first password; else it is asked for" }),
        .examples = "  chop member add --account li --name 李四 --post 法务 --role manager --role user" },
    { "member list", "members of the organization", .method = "GET", .path = "/v1/members", IN(list_members_request),
        OUT(list_members_reply), .list = "members", .columns = "member_id account name post roles state",
        .options = OPTIONS({ "role", OPT_TEXT, "role", "only with this role" }, PAGE_OPTIONS),
        .examples = "  chop member list --role manager" },
    { "member roles", "change a member's roles (admin)", .act = "member_roles", .identity = true, IN(member_roles),
        .args = ARGS({ "MEMBER", "member_id" }),
        .options = OPTIONS({ "role", OPT_LIST, "roles", "all roles from now on" }, { "post", OPT_TEXT, "post", "post" }),
        .examples = "  chop member roles mem_01h... --role user --role auditor" },

    /* ---- keys, terminals ---- */
    { "key new", "make a key factor on this machine", .run = cmd_key_new,
        .options = OPTIONS({ "algorithm", OPT_TEXT, NULL, "ES256 (default), Ed25519, SM2" },
            { "out", OPT_TEXT, NULL, "PEM file; else in the profile" }),
        .examples = "  chop key new\n  chop key new --algorithm SM2 --out ~/sm2.pem" },
    { "key add", "register the key as one's factor", .act = "key_add", .identity = true, IN(key_add), .before = cmd_key_add,
        .options = OPTIONS({ "name", OPT_TEXT, "name", "what to call it" }), .examples = "  chop key add --name laptop" },
    { "key list", "one's passwords and keys", .method = "GET", .path = "/v1/credentials", OUT(list_credentials_reply),
        .list = "credentials", .columns = "credential_id kind name algorithm state created_at last_used_at",
        .examples = "  chop key list" },
    { "key revoke", "give up a key or password", .act = "credential_revoke", .identity = true, IN(credential_revoke),
        .args = ARGS({ "CREDENTIAL", "credential_id" }), .examples = "  chop key revoke crd_01h..." },
    { "terminal register", "register this machine's device key", .run = cmd_terminal_register,
        .options = OPTIONS({ "name", OPT_TEXT, NULL, "what to call this terminal" }),
        .examples = "  chop terminal register --name laptop && chop login" },
    { "terminal list", "registered terminals", .method = "GET", .path = "/v1/terminals", IN(list_terminals_request),
        OUT(list_terminals_reply), .list = "terminals", .columns = "terminal_id name state member_id created_at",
        .options = OPTIONS({ "member", OPT_TEXT, "member_id", "another member's (admin)" }), .examples = "  chop terminal list" },
    { "terminal revoke", "give up a terminal", .act = "terminal_revoke", .identity = true, IN(terminal_revoke),
        .args = ARGS({ "TERMINAL", "terminal_id" }), .examples = "  chop terminal revoke ter_01h..." },

    /* ---- seals ---- */
    { "seal create", "a new seal (admin)", .act = "seal_create", IN(seal_create),
        .options = OPTIONS({ "name", OPT_TEXT, "name", "its name" },
            { "kind", OPT_TEXT, "kind", "official, contract, finance, invoice, legal_rep" },
            { "shape", OPT_TEXT, "shape", "round, ellipse, square; else the kind's" },
            { "width-um", OPT_TEXT, "width_um", "micrometres; else the kind's" },
            { "height-um", OPT_TEXT, "height_um", "micrometres; else the kind's" },
            { "code", OPT_TEXT, "code", "its 13 digits" }, { "ring-text", OPT_TEXT, "ring_text", "else the organization's name" },
            { "center-text", OPT_TEXT, "center_text", "text across the middle" },
            { "tax-number", OPT_TEXT, "tax_number", "of an invoice seal" },
            { "png", OPT_BYTES, "png", "a picture instead of a drawing" }, POLICY_OPTIONS("policy.")),
        .examples = "  chop seal create --name 合同专用章 --kind contract --code 1101080012345 --max-copies 5" },
    { "seal list", "seals of the organization", .method = "GET", .path = "/v1/seals", IN(list_seals_request),
        OUT(list_seals_reply), .list = "seals", .columns = "seal_id name kind code state filing_number",
        .options = OPTIONS(PAGE_OPTIONS), .examples = "  chop seal list" },
    { "seal show", "a seal and its policy", .method = "GET", .path = "/v1/seals/{seal_id}", IN(get_seal_request), OUT(seal),
        .args = ARGS({ "SEAL", "seal_id" }), .examples = "  chop seal show seal_01h..." },
    { "seal change", "register, activate, suspend, resume, report_lost, recover, revoke, destroy (admin)", .act = "seal_change",
        IN(seal_change), .args = ARGS({ "SEAL", "seal_id" }, { "ACTION", "action" }),
        .options = OPTIONS({ "filing-number", OPT_TEXT, "filing_number", "of register: the police's number" }, REASON),
        .examples = "  chop seal change seal_01h... register --filing-number 1101080012345\n"
                    "  chop seal change seal_01h... activate" },
    { "seal policy", "change a seal's policy; what is not named stays (admin)", .act = "policy_put", IN(policy_put),
        .args = ARGS({ "SEAL", "seal_id" }), .before = cmd_seal_policy, .options = OPTIONS(POLICY_OPTIONS("policy.")),
        .examples = "  chop seal policy seal_01h... --approvals 2 --decide-factors key --gate police" },

    /* ---- asking and deciding ---- */
    { "request", "ask to use a seal on a document", .act = "request", IN(request_use), .before = cmd_request,
        .options = OPTIONS({ "seal", OPT_TEXT, "seal_id", "which seal" },
            { "document", OPT_DIGEST, "document.sha256", "the file; its SHA-256 is what is asked for" },
            { "title", OPT_TEXT, "document.title", "else the file's name" }, FACT_OPTIONS("document.facts."),
            { "document-copies", OPT_TEXT, "document.facts.copies", "copies of the document" },
            { "copies", OPT_TEXT, "copies", "impressions asked for (default 1)" }, { "purpose", OPT_TEXT, "purpose", "what for" },
            { "printer", OPT_LIST, "printer_ids", "only on these printers" },
            { "upload", OPT_FLAG, NULL, "store the file too, so that approvers can read it" }, PLACE_OPTIONS),
        .examples = "  chop request --seal seal_01h... --document contract.pdf --pages 3 --counterparty 乙公司 \\\n"
                    "      --amount 120000 --copies 2 --purpose 签约 --upload" },
    { "inbox", "requests that wait for me", .method = "GET", .path = "/v1/requests", IN(list_requests_request),
        OUT(list_requests_reply), .preset = "view=inbox", .list = "requests",
        .columns = "request_id state seal_name requester_name document.title copies created_at", .options = OPTIONS(PAGE_OPTIONS),
        .examples = "  chop inbox" },
    { "requests", "my requests, or all (auditor, admin)", .method = "GET", .path = "/v1/requests", IN(list_requests_request),
        OUT(list_requests_reply), .preset = "view=mine", .list = "requests",
        .columns = "request_id state seal_name requester_name document.title copies created_at grant_id",
        .options = OPTIONS({ "view", OPT_TEXT, "view", "mine, inbox, all" }, { "state", OPT_TEXT, "state", "only in this state" },
            PAGE_OPTIONS),
        .examples = "  chop requests --state pending\n  chop requests --view all" },
    { "show", "a request, grant, seal, printer or print job by its id", .run = cmd_show, .args = ARGS({ "ID", NULL }),
        .examples = "  chop show req_01h..." },
    { "approve", "approve a request", .act = "decide", IN(decide), .preset = "verdict=approve", .before = cmd_approve,
        .args = ARGS({ "REQUEST", "request_id" }),
        .options = OPTIONS(REASON, { "copies", OPT_TEXT, "copies", "fewer impressions than asked" },
            { "not-before", OPT_TIME, "not_before", "+2h, 2026-12-01T08:00" },
            { "not-after", OPT_TIME, "not_after", "+2h, 2026-12-01T08:00; else the policy's window" },
            { "printer", OPT_LIST, "printer_ids", "only on these printers" },
            { "sign", OPT_FLAG, NULL, "my electronic signature is to be printed too" },
            { "signature-of", OPT_TEXT, "signature_of", "this member's is; he must sign" }),
        .examples = "  chop approve req_01h... --copies 1 --not-after +8h\n  chop approve req_01h... --sign" },
    { "reject", "reject a request", .act = "decide", IN(decide), .preset = "verdict=reject",
        .args = ARGS({ "REQUEST", "request_id" }), .options = OPTIONS(REASON),
        .examples = "  chop reject req_01h... --reason 金额有误" },
    { "withdraw", "take back one's own request", .act = "withdraw", IN(withdraw), .args = ARGS({ "REQUEST", "request_id" }),
        .options = OPTIONS(REASON), .examples = "  chop withdraw req_01h..." },
    { "sign", "authorize one's electronic signature for a request", .act = "sign", IN(sign_order),
        .args = ARGS({ "REQUEST", "request_id" }), .examples = "  chop sign req_01h..." },
    { "specimen", "leave one's electronic signature", .act = "specimen_put", IN(specimen_put),
        .options = OPTIONS({ "png", OPT_BYTES, "png", "a picture of it" }, { "outline", OPT_BYTES, "outline", "or its outlines" },
            { "width-um", OPT_TEXT, "width_um", "micrometres" }, { "height-um", OPT_TEXT, "height_um", "micrometres" }),
        .examples = "  chop specimen --png signature.png --width-um 40000" },

    /* ---- grants, printing ---- */
    { "grants", "what I may print, or all (auditor, admin)", .method = "GET", .path = "/v1/grants", IN(list_grants_request),
        OUT(list_grants_reply), .preset = "view=mine", .list = "grants",
        .columns = "grant_id state seal_name document_title remaining copies not_after",
        .options = OPTIONS({ "view", OPT_TEXT, "view", "mine, all" }, PAGE_OPTIONS), .examples = "  chop grants" },
    { "print", "print impressions of a grant; --local: of a job that a printer holds", .run = cmd_print,
        .args = ARGS({ "GRANT", "grant_id" }),
        .options = OPTIONS({ "printer", OPT_TEXT, "printer_id", "which printer" },
            { "count", OPT_TEXT, "count", "how many (default 1)" }, PLACE_OPTIONS,
            { "replaces", OPT_TEXT, "replaces", "number of the spoiled impression that this one replaces" },
            { "wait", OPT_TEXT, NULL, "seconds to wait for the outcome (default 90; 0: do not wait)" },
            { "load", OPT_FLAG, "load", "offline grants: the printer holds them for printing without a network" },
            { "local", OPT_TEXT, NULL, "the printer's socket: prints one impression of the held JOB, without a network" },
            { "number", OPT_TEXT, NULL, "of --local: which; else the lowest that is held" }),
        .examples = "  chop print grant_01h... --printer prn_01h...\n  chop print grant_01h... --printer prn_01h... --count 2 --yes\n"
                    "  chop print grant_01h... --printer prn_01h... --count 3 --load\n"
                    "  chop print --local /media/printer/local.sock job_01h..." },
    { "job", "a print job, its marks and outcomes", .method = "GET", .path = "/v1/prints/{job_id}", IN(get_job_request), OUT(job),
        .args = ARGS({ "JOB", "job_id" }), .after = cmd_job_shown, .examples = "  chop job job_01h..." },
    { "settle", "say what became of an interrupted impression", .act = "settle", IN(settle),
        .args = ARGS({ "GRANT", "grant_id" }, { "NUMBER", "number" }),
        .options = OPTIONS({ "outcome", OPT_TEXT, "outcome", "printed, spoiled" }, REASON,
            { "photo", OPT_DIGEST, "photo_sha256", "file of a photo of it" }),
        .examples = "  chop settle grant_01h... 2 --outcome spoiled --reason 断电 --photo page.jpg" },
    { "revoke", "revoke an impression that is on paper", .act = "revoke", IN(revoke),
        .args = ARGS({ "GRANT", "grant_id" }, { "NUMBER", "number" }), .options = OPTIONS(REASON),
        .examples = "  chop revoke grant_01h... 1 --reason 合同作废" },
    { "cancel", "cancel what a grant still permits", .act = "cancel", IN(cancel), .args = ARGS({ "GRANT", "grant_id" }),
        .options = OPTIONS(REASON), .examples = "  chop cancel grant_01h... --reason 不再需要" },
    { "printers", "printers of the organization", .method = "GET", .path = "/v1/printers", IN(list_printers_request),
        OUT(list_printers_reply), .list = "printers", .columns = "printer_id name state online last_seen_at agent_version",
        .options = OPTIONS({ "limit", OPT_TEXT, "limit", "at most so many" }), .examples = "  chop printers" },
    { "printer code", "a one-time code that enrols a printer (admin)", .act = "printer_code", .identity = true, IN(printer_code),
        .options = OPTIONS({ "name", OPT_TEXT, "name", "what to call the printer" }),
        .examples = "  chop printer code --name 前台" },
    { "printer held", "what a printer holds for printing without a network", .run = cmd_printer_held,
        .args = ARGS({ "SOCKET", NULL }), .examples = "  chop printer held /media/printer/local.sock" },
    { "printer close-out", "make a printer give back what it holds of a job", .run = cmd_printer_close_out,
        .args = ARGS({ "PRINTER", NULL }, { "JOB", NULL }), .optional_args = 1,
        .options = OPTIONS({ "local", OPT_TEXT, NULL, "its socket, instead of PRINTER" }),
        .examples = "  chop printer close-out prn_01h... job_01h...\n"
                    "  chop printer close-out --local /media/printer/local.sock job_01h..." },
    { "pair", "pair this terminal with a printer by the code it shows", .run = cmd_pair, .args = ARGS({ "PRINTER", NULL }),
        .options = OPTIONS({ "code-file", OPT_TEXT, NULL, "file with the code; else it is asked for" }),
        .examples = "  chop pair prn_01h..." },
    { "pairings", "terminals that a printer knows", .method = "GET", .path = "/v1/printers/{printer_id}/pairings",
        IN(list_pairings_request), OUT(list_pairings_reply), .args = ARGS({ "PRINTER", "printer_id" }), .list = "pairings",
        .columns = "printer_id terminal_id member_id paired_at", .examples = "  chop pairings prn_01h..." },

    /* ---- checking ---- */
    { "verify", "check a mark: QR content, string, digits or bar code", .run = cmd_verify, .args = ARGS({ "MARK", "mark" }),
        .optional_args = 1,
        .options = OPTIONS({ "cipher", OPT_TEXT, "cipher", "the eight digits: shows all" },
            { "offline", OPT_TEXT, NULL, "a signed QR's bytes, as a file or in Base64: checked with the pinned keys alone" },
            { "document", OPT_DIGEST, "document_sha256", "file to compare with what was approved" }, FACT_OPTIONS("facts.")),
        .examples = "  chop verify 7ZZZ-ZZZZ-ZZZZ-ZZZZ-Z --server https://seal.example.cn\n"
                    "  chop verify 1234567890123456 --cipher 12345678 --document contract.pdf" },
    { "facts", "filed facts of a seal or grant, their chain checked", .method = "GET", .path = "/v1/facts", IN(list_facts_request),
        OUT(list_facts_reply), .list = "facts", .after = cmd_facts_shown, .columns = "seal_seq kind at grant_id number fact_id",
        .options = OPTIONS({ "seal", OPT_TEXT, "seal_id", "of this seal" }, { "grant", OPT_TEXT, "grant_id", "of this grant" },
            { "after-seq", OPT_TEXT, "after_seq", "go on after this number" }, { "limit", OPT_TEXT, "limit", "at most so many" }),
        .examples = "  chop facts --seal seal_01h..." },
    { "filings", "filings, their attempts and receipts", .method = "GET", .path = "/v1/filings", IN(list_filings_request),
        OUT(list_filings_reply), .list = "filings",
        .columns = "filing_id registry fact_kind seal_seq state attempts number last_error",
        .options = OPTIONS({ "grant", OPT_TEXT, "grant_id", "of this grant" }, { "seal", OPT_TEXT, "seal_id", "of this seal" },
            { "registry", OPT_TEXT, "registry", "with this registry" }, { "state", OPT_TEXT, "state", "waiting, unknown, receipted, dead, skipped" },
            PAGE_OPTIONS),
        .examples = "  chop filings --grant grant_01h...\n  chop filings --state dead" },
    { "filings replay", "send a dead letter again (auditor, admin)", .method = "POST", .path = "/v1/filings/{filing_id}/replay",
        IN(replay_filing_request), OUT(filing), .args = ARGS({ "FILING", "filing_id" }), .options = OPTIONS(REASON),
        .examples = "  chop filings replay fil_01h... --reason 已与登记机关核实" },
    { "filings gap", "a registry goes without one fact: its lane goes on behind the signed notice (auditor, admin)", .act = "gap",
        IN(gap), .args = ARGS({ "SEAL", "seal_id" }, { "SEQ", "seal_seq" }),
        .options = OPTIONS({ "registry", OPT_TEXT, "registry", "which registry; its filing of that fact must be dead" }, REASON),
        .examples = "  chop filings gap seal_01h... 12 --registry police --reason 登记机关拒收" },
    { "registries", "registries and their lanes", .method = "GET", .path = "/v1/registries", OUT(list_registries_reply),
        .list = "registries", .columns = "name title waiting lanes_stopped url", .examples = "  chop registries" },
    { "keys", "the deployment's keys, checked against the pinned root", .run = cmd_keys,
        .options = OPTIONS({ "save", OPT_TEXT, NULL, "write root.spki and manifest.signed into this directory" }),
        .examples = "  chop keys\n  chop keys --save offline-keys" },
    { .name = NULL },
};
