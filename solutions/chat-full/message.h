/* message - the fields of a JSON object of the chat room. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* message_text - a field that is a string; "" if it is none. */
static inline const char *message_text(const json_t *message, const char *field)
{
    const char *text = json_string_value(json_object_get(message, field));
    return text != NULL ? text : "";
}

/* message_number - a field that is an integer; -1 if it is none. */
static inline json_int_t message_number(const json_t *message, const char *field)
{
    const json_t *number = json_object_get(message, field);
    return json_is_integer(number) ? json_integer_value(number) : -1;
}

/* message_is - true if a message is of that type; false for NULL. */
static inline bool message_is(const json_t *message, const char *type)
{
    return strcmp(message_text(message, "type"), type) == 0;
}

#endif
