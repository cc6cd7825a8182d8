/* Requests to Gemini's generateContent and streamGenerateContent: read and checked. */
#ifndef STANDS_MODEL_GEMINI_REQUEST_H
#define STANDS_MODEL_GEMINI_REQUEST_H

#include "stands/model/chat.h"

struct cJSON;

/* Whether the path is `/v1beta/models/{model}:{one of the two methods}`. */
bool gemini_request_path(const char *path);

/* The read function of the format's table (wire.h). */
void gemini_request_read(struct chat *chat, const struct stand_exchange *x,
                         const struct cJSON *root);

#endif
