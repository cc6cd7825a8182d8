/* Which verbs, nouns and attributes TwiML has, as a table. */
#ifndef STANDS_TWILIO_TWIML_SCHEMA_H
#define STANDS_TWILIO_TWIML_SCHEMA_H

#include "stands/twilio/twiml.h"

/* Checks one element below `parent` (its name, or "" for the root): nesting, attributes and their
 * values, text. Returns 0, or -1 with the problem (12200; 12100 for a wrong root). */
int twiml_schema_check(const struct twiml_element *element, const char *parent,
                       struct twiml_problem *problem);

#endif
