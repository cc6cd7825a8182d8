/* The good answer to a request for one: as one object or as a stream, in the request's format. */
#ifndef STANDS_MODEL_ANSWER_H
#define STANDS_MODEL_ANSWER_H

#include "stands/model/model.h"

/* Answers `call`, whose parsed is a good struct chat, after the plan's delay. `options` is borrowed
 * for ever. Takes care of every fault that concerns the text or the middle of the answer. */
void answer_start(const struct model_options *options, struct stand_call *call);

/* Frees what answer_start left in call->user; NULL is fine. */
void answer_free(void *user);

#endif
