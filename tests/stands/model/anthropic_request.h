/* Requests to Anthropic's Messages: read and checked. */
#ifndef STANDS_MODEL_ANTHROPIC_REQUEST_H
#define STANDS_MODEL_ANTHROPIC_REQUEST_H

#include "stands/model/chat.h"

struct cJSON;

/* The read function of the format's table (wire.h). */
void anthropic_request_read(struct chat *chat, const struct stand_exchange *x,
                            const struct cJSON *root);

#endif
