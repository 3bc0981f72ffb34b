/* Files: only if a member chooses. Chunks are encrypted at rest under a key of the file's own, which is wrapped by the
 * deployment's; each chunk is bound to its file and place. */
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "draw.h"

#define CHUNK_MAX ((size_t)256 << 10)
#define FILE_MAX ((int64_t)32 << 20)
#define OPEN_MAX 10
#define DAY_MS ((int64_t)24 * 3600 * 1000)

struct file {
    const char *file_id, *member_id, *name, *state;
    struct chop_bytes sha256, wrapped;
    int64_t size, received;
    uint32_t chunks;
};

static chop_err file_read(struct call *c, const char *query, const char *file_id, struct file *ret_file) {
    struct db_rows *r;
    TRY(rpc_check_id("file_id", file_id, "file"));
    TRY(DB_QUERY(c->db, &r, query, T_(file_id), T_(c->who->organization_id)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "file_id", "no such file");
    *ret_file = (struct file){ file_id, db_text(r, 0, 0), db_text(r, 0, 1), db_text(r, 0, 4), db_bytes(r, 0, 2),
        db_bytes(r, 0, 7), db_int(r, 0, 3), db_int(r, 0, 6), (uint32_t)db_int(r, 0, 5) };
    return NULL;
}

static chop_err own_file(struct call *c, const char *file_id, struct file *ret_file) {
    struct file f;
    TRY(file_read(c, "file_lock", file_id, &f));
    if (strcmp(f.member_id, c->who->member_id) != 0) return CHOP_FAIL(ENOTFOUND, "file_id", "no such file");
    *ret_file = f;
    return NULL;
}

static void answer_file(const struct file *f, Pb__FileReply *out) {
    out->file_id = PB_STR(f->file_id);
    out->state = PB_STR(f->state);
    out->chunks = f->chunks;
    out->size = (uint64_t)f->received;
}

static chop_err file_key(struct call *c, const struct file *f, uint8_t key[32]) {
    struct chop_bytes plain;
    if (!auth_of(c)->has_files) return CHOP_FAIL(ESTATE, NULL, "this deployment keeps no files");
    TRY(crypto_box_open(auth_of(c)->files_key, chop_str(f->file_id), f->wrapped, c->mem, &plain));
    if (plain.n != 32) return CHOP_FAIL(EINTERNAL, NULL, "a file's key is malformed");
    memcpy(key, plain.p, 32);
    return NULL;
}

static const char *chunk_place(struct arena *mem, const struct file *f, uint32_t index) {
    return arena_printf(mem, "%s/%u", f->file_id, index);
}

/* ---- start ---- */
static bool name_valid(const char *name) {
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == '/' || *p == '\\' || *p == 0x7f) return false;
    return true;
}

static chop_err check_start(struct call *c, const Pb__StartFileRequest *in, uint8_t digest[32]) {
    struct db_rows *r;
    if (!auth_of(c)->has_files) return CHOP_FAIL(ESTATE, NULL, "this deployment keeps no files");
    TRY(rpc_check_len("name", in->name, 1, 200));
    if (!name_valid(in->name)) return CHOP_FAIL(EINVAL, "name", "holds a character that no file name has");
    TRY(rpc_check_digest("sha256", in->sha256, digest));
    if (in->size > (uint64_t)FILE_MAX) return CHOP_FAIL(ELIMIT, "size", "a file has at most 32 MiB");
    TRY(rpc_check_int("size", (int64_t)in->size, 1, FILE_MAX));
    TRY(DB_ONE(c->db, &r, "file_count", T_(c->who->organization_id), T_(c->who->member_id), I_(c->now - DAY_MS)));
    if (db_int(r, 0, 0) >= OPEN_MAX) return CHOP_FAIL(ETHROTTLED, NULL, "finish the files that are open first");
    return NULL;
}

HANDLER(file_start, Pb__StartFileRequest, Pb__FileReply) {
    struct file f = { .state = "open" };
    uint8_t digest[32], key[32];
    TRY(check_start(c, in, digest));
    f.file_id = rpc_new_id(c, "file");
    chop_random(key, sizeof key);
    TRY(crypto_box_seal(auth_of(c)->files_key, chop_str(f.file_id), CHOP_BYTES(key, 32), c->mem, &f.wrapped));
    TRY(DB_DO(c->db, "file_add", T_(f.file_id), T_(c->who->organization_id), T_(c->who->member_id), T_(in->name),
        B_(CHOP_BYTES(digest, 32)), I_(in->size), B_(f.wrapped), I_(c->now)));
    answer_file(&f, out);
    return NULL;
}
chop_err file_start_call(struct call *c, const void *in, void *out) {
    return file_start(c, in, out);
}

/* ---- put ---- */
static chop_err check_chunk(const struct file *f, const Pb__PutChunkRequest *in) {
    if (strcmp(f->state, "open") != 0) return CHOP_FAIL(ESTATE, NULL, "the file is %s", f->state);
    if (in->data.len == 0 || in->data.len > CHUNK_MAX)
        return CHOP_FAIL(ELIMIT, "data", "a chunk has 1 byte to 256 KiB");
    if (in->index != f->chunks) return CHOP_FAIL(ESTATE, "index", "chunk %u is next", f->chunks);
    if (f->received + (int64_t)in->data.len > f->size) return CHOP_FAIL(ELIMIT, "data", "more than the file's size");
    return NULL;
}

HANDLER(file_put, Pb__PutChunkRequest, Pb__FileReply) {
    struct file f;
    struct chop_bytes box;
    uint8_t key[32];
    TRY(own_file(c, in->file_id, &f));
    answer_file(&f, out);
    if (f.chunks > 0 && in->index == f.chunks - 1) return NULL; /* sent again after a lost answer; the digest decides */
    TRY(check_chunk(&f, in));
    TRY(file_key(c, &f, key));
    TRY(crypto_box_seal(key, chop_str(chunk_place(c->mem, &f, in->index)), PB_BYTES(in->data), c->mem, &box));
    TRY(DB_DO(c->db, "file_put", T_(f.file_id), I_(in->index), B_(box), I_(in->data.len)));
    f.chunks++;
    f.received += (int64_t)in->data.len;
    answer_file(&f, out);
    return NULL;
}
chop_err file_put_call(struct call *c, const void *in, void *out) {
    return file_put(c, in, out);
}

/* ---- finish ---- */
static chop_err read_chunk(struct call *c, const struct file *f, const uint8_t key[32], uint32_t index,
    struct arena *mem, struct chop_bytes *ret_plain) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "file_chunk", T_(f->file_id), I_(index)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "index", "no such chunk");
    return crypto_box_open(key, chop_str(chunk_place(mem, f, index)), db_bytes(r, 0, 0), mem, ret_plain);
}

static void arena_free_p(struct arena **a) {
    arena_free(*a);
}

static chop_err read_all(struct call *c, const struct file *f, uint8_t *out) {
    uint8_t key[32];
    int64_t at = 0;
    TRY(file_key(c, f, key));
    CHOP_CLEANUP(arena_free_p) struct arena *mem = arena_new((size_t)1 << 20);
    if (!mem) return CHOP_ERR(EMEMORY);
    for (uint32_t i = 0; i < f->chunks; i++) {
        struct chop_bytes plain;
        TRY(read_chunk(c, f, key, i, mem, &plain));
        if ((int64_t)plain.n > f->size - at) return CHOP_FAIL(EINTERNAL, NULL, "a file grew");
        memcpy(out + at, plain.p, plain.n);
        at += (int64_t)plain.n;
        arena_reset(mem);
        db_results_free(c->db); /* nothing of the rows before is used any more */
    }
    return NULL;
}

static bool ends_with_pdf(const char *name) {
    size_t n = strlen(name);
    return n >= 4 && strcasecmp(name + n - 4, ".pdf") == 0;
}

static chop_err check_content(struct call *c, const struct file *f, struct chop_bytes data) {
    uint8_t digest[32];
    crypto_sha256(data, digest);
    if (f->sha256.n != 32 || memcmp(digest, f->sha256.p, 32) != 0)
        return CHOP_FAIL(EMISMATCH, "sha256", "the file's digest differs");
    if (!ends_with_pdf(f->name)) return NULL;
    if (data.n < 5 || memcmp(data.p, "%PDF-", 5) != 0) return CHOP_FAIL(EINVAL, "name", "this is not a PDF");
    return draw_check_pdf(auth_of(c)->draw, data, c->mem);
}

static chop_err copy_file(struct call *c, struct file *f) {
    f->name = arena_str(c->mem, f->name);
    f->member_id = arena_str(c->mem, f->member_id);
    f->state = arena_str(c->mem, f->state);
    f->sha256 = arena_copy(c->mem, f->sha256);
    f->wrapped = arena_copy(c->mem, f->wrapped);
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

HANDLER(file_finish, Pb__FinishFileRequest, Pb__FileReply) {
    struct file f;
    TRY(own_file(c, in->file_id, &f));
    TRY(copy_file(c, &f));
    if (strcmp(f.state, "open") == 0) {
        if (f.received != f.size)
            return CHOP_FAIL(ESTATE, "size", "%lld bytes are missing", (long long)(f.size - f.received));
        CHOP_FREE uint8_t *data = malloc((size_t)f.size);
        if (!data) return CHOP_ERR(EMEMORY);
        TRY(read_all(c, &f, data));
        TRY(check_content(c, &f, CHOP_BYTES(data, (size_t)f.size)));
        TRY(DB_DO(c->db, "file_finish", T_(f.file_id)));
        f.state = "complete";
    }
    answer_file(&f, out);
    return NULL;
}
chop_err file_finish_call(struct call *c, const void *in, void *out) {
    return file_finish(c, in, out);
}

/* ---- get ---- */
/* Whoever may see a request that carries the file. */
static chop_err file_visible(struct call *c, const struct file *f) {
    const struct actor who = actor_of_call(c);
    struct db_rows *r;
    if (strcmp(f->member_id, who.member_id) == 0 || actor_has_any(&who, "admin,auditor")) return NULL;
    TRY(DB_QUERY(c->db, &r, "file_requests", T_(f->file_id), T_(who.organization_id)));
    for (size_t i = 0; i < db_count(r); i++)
        if (request_visible(&who, db_text(r, i, 0), db_text(r, i, 1), db_text(r, i, 2))) return NULL;
    return CHOP_FAIL(ENOTFOUND, "file_id", "no such file");
}

HANDLER(file_get, Pb__GetChunkRequest, Pb__Chunk) {
    struct file f;
    struct chop_bytes plain;
    uint8_t key[32];
    TRY(file_read(c, "file_get", in->file_id, &f));
    TRY(file_visible(c, &f));
    if (strcmp(f.state, "complete") != 0) return CHOP_FAIL(ESTATE, NULL, "the file is not complete");
    if (in->index >= f.chunks) return CHOP_FAIL(ENOTFOUND, "index", "no such chunk");
    TRY(file_key(c, &f, key));
    TRY(read_chunk(c, &f, key, in->index, c->mem, &plain));
    out->data = PB_BIN(plain);
    out->chunks = f.chunks;
    out->name = PB_STR(f.name);
    return NULL;
}
chop_err file_get_call(struct call *c, const void *in, void *out) {
    return file_get(c, in, out);
}

chop_err file_check(struct call *c, const struct actor *who, const char *file_id, const char *sha256) {
    struct file f;
    TRY(file_read(c, "file_get", file_id, &f));
    if (strcmp(f.member_id, who->member_id) != 0)
        return CHOP_FAIL(ENOTFOUND, "request.document.file_id", "no such file");
    if (strcmp(f.state, "complete") != 0)
        return CHOP_FAIL(ESTATE, "request.document.file_id", "the file is not complete");
    if (strcmp(arena_hex(c->mem, f.sha256), sha256) == 0) return NULL;
    return CHOP_FAIL(EMISMATCH, "request.document.sha256", "the uploaded file has another digest");
}
