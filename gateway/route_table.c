/* Every call that terminals may make. Those that the protos call internal (ResolveSession, identity's EnrolPrinter,
 * Fetch*, Find*, ReadEvents) have no row: nothing outside reaches them. The busiest rows come first. */
#include "hooks.h"

#include "authorization.pb-c.h"
#include "filing.pb-c.h"
#include "identity.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"
#include "verification.pb-c.h"

#define IDENTITY &pb__identity__descriptor, "identity"
#define AUTHORIZATION &pb__authorization__descriptor, "authorization"
#define ISSUANCE &pb__issuance__descriptor, "issuance"
#define PRINTERS &pb__printer_bridge__descriptor, "printer-bridge"
#define FILING &pb__filing_relay__descriptor, "filing-relay"
#define VERIFICATION &pb__verification__descriptor, "verification"

#define PAGE ROUTE_RAW | ROUTE_LENIENT | ROUTE_QUIET
#define GUESS 20 /* a password or code could be guessed here: 20 requests' worth of the caller's rate */

const struct route route_table[] = {
    { "GET", "/V/{token}", VERIFICATION, "Page", SCOPE_PUBLIC, PAGE, .fill = hook_page,
        .doc = "What a printed QR code leads to: a page without script, or JSON where Accept asks for it; c=<cipher> "
               "shows all" },
    { "GET", "/v/{token}", VERIFICATION, "Page", SCOPE_PUBLIC, PAGE, .fill = hook_page,
        .doc = "The same, as people type it" },
    { "POST", "/v1/verify", VERIFICATION, "Verify", SCOPE_PUBLIC, .doc = "Checks any mark, with key facts to compare" },

    { "POST", "/v1/sign-ins", IDENTITY, "StartSignIn", SCOPE_PUBLIC, .cost = 4,
        .doc = "A challenge to sign in with a key" },
    { "POST", "/v1/sessions", IDENTITY, "SignIn", SCOPE_PUBLIC, .cost = GUESS, .after = hook_signed_in,
        .doc = "Signs in; with X-Chop: 1 the token comes as an HttpOnly cookie instead of in the body" },
    { "DELETE", "/v1/sessions", IDENTITY, "SignOut", SCOPE_MEMBER, .after = hook_signed_out,
        .doc = "Ends the session" },
    { "GET", "/v1/me", IDENTITY, "GetMe", SCOPE_MEMBER, .doc = "Who am I" },
    { "GET", "/v1/keys", IDENTITY, "GetKeys", SCOPE_PUBLIC, .doc = "Root key and key manifest, for offline verifiers" },
    { "POST", "/v1/organizations", IDENTITY, "CreateOrganization", SCOPE_OPERATOR, .cost = GUESS,
        .doc = "A new organization with its first admin; the operator's token is in the message" },
    { "GET", "/v1/organizations/{organization_id}", IDENTITY, "GetOrganization", SCOPE_MEMBER,
        .doc = "An organization" },
    { "GET", "/v1/members", IDENTITY, "ListMembers", SCOPE_MEMBER, .doc = "Members of the organization" },
    { "GET", "/v1/credentials", IDENTITY, "ListCredentials", SCOPE_MEMBER, .doc = "Own passwords and keys" },
    { "GET", "/v1/terminals", IDENTITY, "ListTerminals", SCOPE_MEMBER, .doc = "Registered terminals" },
    { "POST", "/v1/terminals", IDENTITY, "RegisterTerminal", SCOPE_MEMBER,
        .doc = "Registers this terminal's device key" },

    { "POST", "/v1/identity/acts", IDENTITY, "PrepareAct", SCOPE_MEMBER,
        .doc = "Prepares an act of members, keys, terminals" },
    { "POST", "/v1/identity/acts/{act_id}/factors", IDENTITY, "ProveFactor", SCOPE_MEMBER, .cost = GUESS,
        .doc = "Proves one factor of it" },
    { "POST", "/v1/identity/acts/{act_id}/commit", IDENTITY, "CommitAct", SCOPE_MEMBER, .doc = "Commits it" },

    { "POST", "/v1/acts", AUTHORIZATION, "PrepareAct", SCOPE_MEMBER,
        .doc =
            "Prepares an act: request, decide, sign, print, seals, policies and all else that changes business state" },
    { "POST", "/v1/acts/{act_id}/factors", IDENTITY, "ProveFactor", SCOPE_MEMBER, .cost = GUESS,
        .doc = "Proves one factor against the act's ticket" },
    { "POST", "/v1/acts/{act_id}/commit", AUTHORIZATION, "CommitAct", SCOPE_MEMBER,
        .doc = "Commits the act with its proof" },

    { "GET", "/v1/seals", AUTHORIZATION, "ListSeals", SCOPE_MEMBER,
        .doc = "Seals of the organization, with their policies" },
    { "GET", "/v1/seals/{seal_id}", AUTHORIZATION, "GetSeal", SCOPE_MEMBER, .doc = "A seal" },
    { "POST", "/v1/artworks/preview", AUTHORIZATION, "PreviewArtwork", SCOPE_MEMBER, ROUTE_RAW, .cost = 4,
        .doc = "PNG of a seal that an admin is about to create" },
    { "GET", "/v1/artworks/{artwork_digest}", AUTHORIZATION, "GetArtwork", SCOPE_MEMBER,
        .doc = "A seal's registered outlines" },
    { "GET", "/v1/requests", AUTHORIZATION, "ListRequests", SCOPE_MEMBER, .doc = "Requests: view=mine, inbox or all" },
    { "GET", "/v1/requests/{request_id}", AUTHORIZATION, "GetRequest", SCOPE_MEMBER,
        .doc = "A request and its decisions" },
    { "GET", "/v1/grants", AUTHORIZATION, "ListGrants", SCOPE_MEMBER, .doc = "Grants: view=mine or all" },
    { "GET", "/v1/grants/{grant_id}", AUTHORIZATION, "GetGrant", SCOPE_MEMBER,
        .doc = "A grant and its impression numbers" },
    { "GET", "/v1/facts", AUTHORIZATION, "ListFacts", SCOPE_MEMBER, .doc = "Filed facts of a seal or grant" },

    { "POST", "/v1/files", AUTHORIZATION, "StartFile", SCOPE_MEMBER, .doc = "Begins to store a document" },
    { "PUT", "/v1/files/{file_id}/chunks/{index}", AUTHORIZATION, "PutChunk", SCOPE_MEMBER, .doc = "Stores one chunk" },
    { "GET", "/v1/files/{file_id}/chunks/{index}", AUTHORIZATION, "GetChunk", SCOPE_MEMBER,
        .doc = "Fetches one chunk" },
    { "POST", "/v1/files/{file_id}/finish", AUTHORIZATION, "FinishFile", SCOPE_MEMBER, .call_ms = 15000,
        .doc = "Checks the digest and closes the file" },

    { "POST", "/v1/prints", ISSUANCE, "SubmitOrder", SCOPE_MEMBER, .doc = "The terminal's signed print order" },
    { "GET", "/v1/prints/{job_id}", ISSUANCE, "GetJob", SCOPE_MEMBER, .doc = "A print job, its marks and outcomes" },
    { "GET", "/v1/prints/{job_id}/delivery", PRINTERS, "GetDelivery", SCOPE_MEMBER, .doc = "Where its envelope is" },

    { "POST", "/v1/printers/enrol", PRINTERS, "EnrolPrinter", SCOPE_PUBLIC, .cost = GUESS, .call_ms = 10000,
        .doc = "Enrols a printer; its one-time code is the authority" },
    { "GET", "/v1/printers", PRINTERS, "ListPrinters", SCOPE_MEMBER, .doc = "Printers of the organization" },
    { "GET", "/v1/printers/{printer_id}", PRINTERS, "GetPrinter", SCOPE_MEMBER, .doc = "A printer" },
    { "POST", "/v1/printers/{printer_id}/challenge", PRINTERS, "GetChallenge", SCOPE_MEMBER, .cost = 2,
        .doc = "A fresh challenge from the printer itself" },
    { "POST", "/v1/printers/{printer_id}/pairings", PRINTERS, "PairTerminal", SCOPE_MEMBER, .cost = GUESS,
        .call_ms = 10000, .doc = "Pairs this terminal with the code that the printer shows" },
    { "GET", "/v1/printers/{printer_id}/pairings", PRINTERS, "ListPairings", SCOPE_MEMBER,
        .doc = "Terminals it knows" },
    { "POST", "/v1/printers/{printer_id}/close-outs", PRINTERS, "CloseOut", SCOPE_MEMBER, .call_ms = 10000,
        .doc = "The printer gives back what it holds of a loaded job" },
    { "GET", "/v1/pairings", PRINTERS, "ListPairings", SCOPE_MEMBER, .doc = "Pairings of all printers" },

    { "GET", "/v1/registries", FILING, "ListRegistries", SCOPE_MEMBER,
        .doc = "Registries and the state of their lanes" },
    { "GET", "/v1/filings", FILING, "ListFilings", SCOPE_MEMBER, .doc = "Filings, their attempts and receipts" },
    { "POST", "/v1/filings/{filing_id}/replay", FILING, "ReplayFiling", SCOPE_MEMBER,
        .doc = "Sends a dead letter again" },
};
const size_t route_count = CHOP_COUNT(route_table);
