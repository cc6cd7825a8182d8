/* The file of `deskctl call`: whom a scripted caller rings up and what he does. Its words are those
 * of the stand-in that plays him (tests/stands/README.md), of which it knows what a person does;
 * `deskctl help call` shows one. One thread. */
#ifndef DESKCTL_CALL_SCRIPT_H
#define DESKCTL_CALL_SCRIPT_H

#include "fields.h"

#define CALL_STEPS_MAX   200
#define CALL_WAIT_MAX_MS 600000 /* what one step may take or wait for */

struct call_script {
    const char *tenant, *from; /* its name, E.164; NULL: the file does not say */
    const char *steps;         /* JSON array, as the stand-in takes it */
};

/* Reads a file; what is wrong is in `problems`. Texts live in their arena. */
void call_script_read(struct problems *problems, const char *path, struct call_script *script);

#endif
