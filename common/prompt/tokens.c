/* The estimate that the prompt's budget is kept by. prompt.c calls it. */
#include "prompt/tokens.h"

#define AROUND 4

int64_t tokens_of_text(const char *text)
{
    int64_t thirds = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x80)
            thirds += 1;
        else if (*p >= 0xf0)
            thirds += 9;
        else if (*p >= 0xe0)
            thirds += 6;
        else if (*p >= 0xc0)
            thirds += 3; /* the bytes that follow count nothing */
    return (thirds + 2) / 3;
}

int64_t tokens_of_bytes(size_t bytes)
{
    return ((int64_t)bytes + 2) / 3;
}

int64_t tokens_of_message(const struct llm_message *message)
{
    int64_t tokens = AROUND + tokens_of_text(message->text);
    for (size_t i = 0; i < message->call_count; i++)
        tokens += AROUND + tokens_of_text(message->calls[i].name) +
                  tokens_of_text(message->calls[i].arguments);
    return tokens;
}

int64_t tokens_of_tools(const struct llm_tool *tools, size_t count)
{
    int64_t tokens = 0;
    for (size_t i = 0; i < count; i++)
        tokens += AROUND + tokens_of_text(tools[i].name) +
                  (tools[i].description != NULL ? tokens_of_text(tools[i].description) : 0) +
                  (tools[i].parameters != NULL ? tokens_of_text(tools[i].parameters) : 0);
    return tokens;
}
