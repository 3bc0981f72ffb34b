/* hooks: the few routes where the gateway itself has something to add. */
#pragma once
#include "routes.h"

/* Page: Accept, Accept-Language and the query parameter c (the cipher) into the message. */
chop_err hook_page(struct request *r, ProtobufCMessage *in);
/* SignIn: for a browser (X-Chop: 1) the token becomes an HttpOnly cookie and leaves the body. */
void hook_signed_in(struct request *r, ProtobufCMessage *out);
/* SignOut: forgets the session here and takes the cookie back. */
void hook_signed_out(struct request *r, ProtobufCMessage *out);
