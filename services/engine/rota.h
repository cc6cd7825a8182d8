/* Telling people of escalations: whichever engine finds a due timer takes the next step
 * (docs/PROTOCOL.md, escalations). */
#ifndef DESK_ENGINE_ROTA_H
#define DESK_ENGINE_ROTA_H

#include <stdbool.h>

#include "engine.h"

struct rota;

/* Starts looking for due timers. Returns owned; frees. */
struct rota *rota_new(struct engine *engine);
void rota_free(struct rota **rota);

/* No step is on its way. */
bool rota_idle(const struct rota *rota);

#endif
