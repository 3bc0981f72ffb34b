/* unit_gateway_world: a listening gateway with a double in the bus's place, and raw clients. */
#pragma once
#include "gateway.h"
#include "http.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOKEN "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"
#define HOST "Host: chop.test\r\n"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"
#define COOKIE "Cookie: a=b; chop_session=" TOKEN "; c=d\r\n"

#define VERIFY "POST /v1/verify HTTP/1.1\r\n"
#define JSON "Content-Type: application/json\r\n"
#define ME(headers) "GET /v1/me HTTP/1.1\r\n" HOST headers "\r\n"

/* ---- the bus's double ---- */
struct canned {
    const char *subject;
    chop_err err;
    const char *field, *detail;
    uint8_t reply[65536];
    size_t n;
    int delay_ms;
};
struct bus_double {
    pthread_mutex_t lock;
    struct canned canned[4];
    int calls, running;
    char subject[100], trace[64], principal[200];
    uint8_t request[4096];
    size_t request_n;
    int64_t deadline;
};
extern struct bus_double bus;

int bus_calls(void);
/* What the i-th place answers: this subject with this message, or error. */
struct canned *can(size_t i, const char *subject);
void can_message(size_t i, const char *subject, const void *message);
void can_error(size_t i, const char *subject, chop_err e, const char *field, const char *detail);
void can_session(void); /* place 0: identity knows every token */
void can_me(void);      /* place 1 */
void can_sign_in(void); /* place 1 */
void can_verdict(void); /* place 2 */

/* ---- the gateway ---- */
extern struct gateway gw;
extern struct gateway_conf conf;
int gateway_setup(void **state);
int gateway_teardown(void **state);
void gateway_up(void);
void restart(void);
int web_up(void **state);
int web_down(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, gateway_setup, gateway_teardown)

/* ---- clients ---- */
extern char got[262144]; /* the last reply */
extern size_t got_n;
int dial(void);
void give(int fd, const char *text, size_t n);
/* One reply into `got`; its status, 0 where the connection closed without one, -1 where nothing came in time. */
int take(int fd, bool head_only);
size_t announced(const char *head);
bool is_closed(int fd);
int ask(const char *text);
int ask_n(const char *text, size_t n);
int post(const char *path, const char *headers, const char *body);
const char *body_of(void);
void says(const char *part);
void problem(int status, int expected, const char *code);
