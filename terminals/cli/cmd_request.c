#include "cli.h"
#include "field.h"
#include "out.h"

#include "authorization.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (192 * 1024)
#define FILE_MAX ((uint64_t)32 << 20)

/* ---- upload: start, chunks, finish ---- */

static chop_err put_chunk(struct cli *c, const char *file_id, uint32_t index, struct chop_bytes part) {
    Pb__PutChunkRequest in = PB__PUT_CHUNK_REQUEST__INIT;
    in.file_id = PB_STR(file_id);
    in.index = index;
    in.data = PB_BIN(part);
    return api_call(c, "PUT", "/v1/files/{file_id}/chunks/{index}", &in, &pb__file_reply__descriptor, NULL);
}

static chop_err put_chunks(struct cli *c, const char *file_id, const char *path) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *part = arena_alloc(c->mem, CHUNK);
    if (fd < 0) return CHOP_FAIL(EINVAL, NULL, "%s cannot be read", path);
    if (!part) return CHOP_ERR(EMEMORY);
    for (uint32_t index = 0;; index++) {
        size_t n = 0;
        ssize_t got = 0;
        while (n < CHUNK && (got = read(fd, part + n, CHUNK - n)) > 0) n += (size_t)got;
        if (got < 0) return CHOP_FAIL(EINVAL, NULL, "%s cannot be read", path);
        if (n == 0) return NULL;
        TRY(put_chunk(c, file_id, index, CHOP_BYTES(part, n)));
    }
}

static chop_err upload(struct cli *c, const char *path, const char *name, const char *sha256, const char **ret_id) {
    Pb__StartFileRequest start = PB__START_FILE_REQUEST__INIT;
    Pb__FinishFileRequest finish = PB__FINISH_FILE_REQUEST__INIT;
    Pb__FileReply *file;
    uint8_t digest[32];
    TRY(local_sha256(path, digest, &start.size));
    if (start.size > FILE_MAX) return CHOP_FAIL(ELIMIT, NULL, "%s is above 32 MiB", path);
    start.name = PB_STR(name);
    start.sha256 = PB_STR(sha256);
    TRY(api_call(c, "POST", "/v1/files", &start, &pb__file_reply__descriptor, &file));
    TRY(put_chunks(c, file->file_id, path));
    finish.file_id = file->file_id;
    TRY(api_call(c, "POST", "/v1/files/{file_id}/finish", &finish, &pb__file_reply__descriptor, NULL));
    *ret_id = file->file_id;
    return NULL;
}

/* ---- request ---- */

chop_err cmd_request(struct cli *c, void *in_) {
    Pb__RequestUse *in = in_;
    const char *path = cli_option(c, "document"), *id;
    if (!path) return CHOP_FAIL(EINVAL, NULL, "--document FILE is wanted");
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!in->document->title[0]) in->document->title = PB_STR(name);
    if (!in->document->facts) in->document->facts = PB_NEW(c->mem, Pb__KeyFacts, pb__key_facts);
    if (in->copies == 0) in->copies = 1;
    if (!cli_flag(c, "upload")) return NULL;
    TRY(upload(c, path, name, in->document->sha256, &id));
    in->document->file_id = PB_STR(id);
    return NULL;
}

chop_err cmd_approve(struct cli *c, void *in_) {
    Pb__Decide *in = in_;
    if (cli_flag(c, "sign")) in->signature_of = PB_STR(c->profile.member_id);
    return NULL;
}

/* ---- show: by the id's prefix ---- */

static const struct {
    const char *prefix, *path, *field;
    const ProtobufCMessageDescriptor *in, *out;
} shown[] = {
    { "req_", "/v1/requests/{request_id}", "request_id", &pb__get_request_request__descriptor, &pb__request__descriptor },
    { "grant_", "/v1/grants/{grant_id}", "grant_id", &pb__get_grant_request__descriptor, &pb__grant__descriptor },
    { "seal_", "/v1/seals/{seal_id}", "seal_id", &pb__get_seal_request__descriptor, &pb__seal__descriptor },
    { "prn_", "/v1/printers/{printer_id}", "printer_id", &pb__get_printer_request__descriptor, &pb__printer__descriptor },
    { "job_", "/v1/prints/{job_id}", "job_id", &pb__get_job_request__descriptor, &pb__job__descriptor },
};

chop_err cmd_show(struct cli *c) {
    const char *id = c->args[0];
    for (size_t i = 0; i < CHOP_COUNT(shown); i++) {
        if (strncmp(id, shown[i].prefix, strlen(shown[i].prefix)) != 0) continue;
        void *in = pb_new(shown[i].in, c->mem), *out;
        if (!in) return CHOP_ERR(EMEMORY);
        TRY(field_put(in, shown[i].field, id, c->mem));
        TRY(api_call(c, "GET", shown[i].path, in, shown[i].out, &out));
        if (c->json)
            printf("%.*s\n", (int)c->reply.n, (const char *)c->reply.p);
        else
            out_message(stdout, out, 0, c->mem);
        return NULL;
    }
    return CHOP_FAIL(EINVAL, NULL, "%s: ids begin with req_, grant_, seal_, prn_ or job_", id);
}
