/* Readers of the fields that are numbers and times. fields.c calls them by its table. Any thread,
 * no state of their own. */
#ifndef DESKCTL_FIELD_NUMBER_H
#define DESKCTL_FIELD_NUMBER_H

#include "fields.h"

/* Each sets *target, an int64_t, in the unit of the field's kind, or adds a problem that says what
 * the value must be. The node is a scalar. */
void field_number_read_int(struct problems *problems, const struct yaml_node *node,
                           const struct field *field, void *target);
void field_number_read_ms(struct problems *problems, const struct yaml_node *node,
                          const struct field *field, void *target);
void field_number_read_minutes(struct problems *problems, const struct yaml_node *node,
                               const struct field *field, void *target);
void field_number_read_days(struct problems *problems, const struct yaml_node *node,
                            const struct field *field, void *target);
void field_number_read_decimal(struct problems *problems, const struct yaml_node *node,
                               const struct field *field, void *target);

#endif
