/* (a) A million impressions stored: pages of random known tokens a second. (b) The latency of one page. Beside both:
 * nginx with a static body, under the same wrk flags, right before. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPRESSIONS 1000000
#define ROUNDS 3
#define SECONDS 5
#define BENCH E2E_ROOT "/bench"

struct figures {
    double rate, median_us, p99_us;
};

static struct figures wrk(int threads, int connections, const char *script, const char *url, const char *argument) {
    struct figures f;
    int bad, errors;
    const char *out = stack_output("wrk -t%d -c%d -d%ds -s " BENCH "/%s %s -- %s", threads, connections, SECONDS, script,
        url, argument), *at = strstr(out, "RESULT");
    if (!at || sscanf(at, "RESULT rate %lf median_us %lf p99_us %lf bad %d errors %d", &f.rate, &f.median_us, &f.p99_us,
                   &bad, &errors) != 5) {
        (void)fprintf(stderr, "wrk said:\n%s\n", out);
        exit(1);
    }
    if (bad || errors) {
        (void)fprintf(stderr, "%s: %d bad answers, %d errors\n", url, bad, errors);
        exit(1);
    }
    return f;
}

/* A real job whose row the others are made like: all facts filed, so that its page is as long as pages are. */
static void real_mark(struct world *w, char token[32], char serial[32]) {
    const struct use u = { .seal_id = w->seal_id, .title = "销售合同", .copies = 1 };
    char grant_id[CHOP_ID_MAX];
    Pb__Job *j;
    Pb__Verdict *v;
    must(grant_make(w->a, &w->user, &w->manager, &u, grant_id), "grant");
    must(print_start(w->a, &w->user, grant_id, w->printer.id, 1, &j), "print");
    (void)snprintf(token, 32, "%s", j->marks[0]->token);
    (void)snprintf(serial, 32, "%s", j->marks[0]->serial);
    must(job_wait(w->a, &w->user, j->job_id, 10000, 20, &j), "job");
    must(verify_until(w->a, token, NULL, "genuine", 5000, &v), "verdict");
    if (!world_filed(w, grant_id, 3, 10000)) must(CHOP_ERR(ETIMEOUT), "filings");
    nap_ms(1500); /* the receipts come round to verification */
    api_reset(w->a);
}

static const char *fill(struct world *w) {
    char token[32], serial[32];
    const char *file = stack_text("%s/tokens", stack_dir());
    real_mark(w, token, serial);
    (void)stack_output("psql -XqAt -h %s/pg -p %d -U chop -d chop -v token=%s -v serial=%s -v n=%d -f " BENCH "/fill.sql >%s",
        stack_dir(), stack_port("PG"), token, serial, IMPRESSIONS, file);
    return file;
}

static const char *nginx_start(void) {
    int port = atoi(stack_output("perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr=>\"127.0.0.1\","
                                 "Listen=>1)->sockport'"));
    const char *dir = stack_text("%s/nginx", stack_dir());
    (void)stack_output("mkdir -p %s && sed -e 's|@DIR@|%s|g; s|@PORT@|%d|' " BENCH "/nginx.conf.in >%s/nginx.conf && "
                       "nginx -c %s/nginx.conf -e %s/error.log", dir, dir, port, dir, dir, dir);
    return stack_text("http://127.0.0.1:%d/", port);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *values) {
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

/* Side by side, round by round: the median of each. */
static void compare(int threads, int connections, const char *tokens, const char *nginx, struct figures *ours,
    struct figures *theirs) {
    double rate[2][ROUNDS], median[2][ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct figures n = wrk(threads, connections, "static.lua", nginx, ""),
                       g = wrk(threads, connections, "tokens.lua", stack_url(), tokens);
        rate[0][i] = g.rate, rate[1][i] = n.rate;
        median[0][i] = g.median_us, median[1][i] = n.median_us;
    }
    *ours = (struct figures){ middle(rate[0]), middle(median[0]), 0 };
    *theirs = (struct figures){ middle(rate[1]), middle(median[1]), 0 };
}

void bench_verify(struct bench *b) {
    struct figures ours, theirs;
    const char *tokens = fill(bench_world(b)), *nginx = nginx_start();
    compare(2, 256, tokens, nginx, &ours, &theirs);
    bench_report(&(struct bench_result){ .name = "verify.rate", .value = ours.rate, .unit = "pages/s",
        .against = "nginx, static, requests/s", .reference = theirs.rate, .bound = 0.30 });
    compare(1, 1, tokens, nginx, &ours, &theirs);
    bench_report(&(struct bench_result){ .name = "verify.latency", .value = ours.median_us, .unit = "us, median",
        .against = "nginx, static, us", .reference = theirs.median_us, .bound = 8, .most = true });
    (void)stack_output("kill $(cat %s/nginx/pid)", stack_dir());
}

void bench_hold(struct bench *b) {
    const char *tokens = fill(bench_world(b)), *nginx = nginx_start();
    (void)printf("dir %s\nurl %s\nnginx %s\ntokens %s\n", stack_dir(), stack_url(), nginx, tokens);
    (void)fflush(stdout);
    (void)getchar();
}
