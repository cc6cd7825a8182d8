/* Twilio's webhook facts that both ingress and deskctl (quarantine release, reconcile) need:
 * signing and turning a form into our event. Any thread. */
#ifndef DESK_CONTRACT_TWILIO_H
#define DESK_CONTRACT_TWILIO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/form.h"
#include "base/secret.h"
#include "contract/event.h"

/* True for a base of webhook URLs as it must be configured at Twilio and here, because it is what
 * Twilio signs: http or https, a host, no slash at the end, no query, no credentials. */
bool twilio_is_public_url(const char *url);

/* True if `signature` (base64) fits the POST form at `url` (public base + raw target) under any of
 * the keys: HMAC-SHA1 over the URL and the parameters sorted by name, repeated names as their
 * distinct sorted values; the URL is tried as it is and with its port the other way round (taken
 * out, or the default one put in). Constant time per comparison. Source: Twilio's "Validating
 * requests" and its helper libraries. */
bool twilio_signature_fits(struct arena *arena, const char *url, const struct form *form,
                           const char *signature, const struct secret *const *keys, size_t count);

/* True if `signature` fits the handshake of a WebSocket at `url` (public base + raw target, in any
 * of the schemes http, https, ws, wss) under any of the keys. It has no form. Tried are wss and
 * https (of http: ws and http), each as it is and with a slash behind its path, and each of these
 * with its port the other way round: Twilio documents the first two, and does not say which of the
 * others it signs. */
bool twilio_handshake_fits(struct arena *arena, const char *url, const char *signature,
                           const struct secret *const *keys, size_t count);

/* Fills *out from a verified form: MessageSid (SM or MM and 32 hex, or a compatible carrier's
 * UUID), From, To, Body, AccountSid, media. Tenant, time and trace stay the caller's. PERMANENT
 * "webhook.<field>" with what is wrong. */
int twilio_sms_from_form(struct arena *arena, const struct form *form, struct sms_received *out,
                         struct err *err);

#endif
