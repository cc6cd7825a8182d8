/*
 * Reading TwiML: libxml2 parses, the tree is copied into elements of our own, the schema weighs
 * each. Called by fetch.c and, for TwiML given by REST, by calls_rest.c.
 */
#include "stands/twilio/twiml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/twilio/twiml_schema.h"

enum { DEPTH_MAX = 10, ELEMENTS_MAX = 2000 };

struct twiml {
    xmlDoc *doc; /* owns names and values */
    struct twiml_element root;
    size_t count;
};

static void free_element(struct twiml_element *element)
{
    for (size_t i = 0; i < element->child_count; i++)
        free_element(&element->children[i]);
    for (size_t i = 0; i < element->attribute_count; i++)
        xmlFree((xmlChar *)(uintptr_t)element->attributes[i].value);
    free(element->attributes);
    free(element->children);
    xmlFree((xmlChar *)(uintptr_t)element->text);
}

void twiml_free(struct twiml **twiml)
{
    if (!*twiml)
        return;
    free_element(&(*twiml)->root);
    xmlFreeDoc((*twiml)->doc);
    free(*twiml);
    *twiml = NULL;
}

static int complain(struct twiml_problem *problem, int code, const char *message)
{
    problem->code = code;
    snprintf(problem->message, sizeof problem->message, "%.190s", message);
    return -1;
}

static int copy_attributes(struct twiml_element *element, xmlNode *node,
                           struct twiml_problem *problem)
{
    size_t count = 0;
    for (const xmlAttr *at = node->properties; at; at = at->next)
        count++;
    if (count > TWIML_ATTRIBUTES_MAX)
        return complain(problem, 12200, "too many attributes");
    element->attributes = stand_alloc((count + 1) * sizeof *element->attributes);
    for (xmlAttr *at = node->properties; at; at = at->next) {
        if (at->ns && strcmp((const char *)at->name, "lang") != 0)
            return complain(problem, 12200, "an attribute with a namespace");
        xmlChar *value = xmlNodeListGetString(node->doc, at->children, 1);
        element->attributes[element->attribute_count++] = (struct twiml_attribute){
            .name = (const char *)at->name,
            .value = (const char *)(value ? value : xmlStrdup((const xmlChar *)""))};
    }
    return 0;
}

static int copy_element(struct twiml *twiml, struct twiml_element *element, xmlNode *node,
                        const char *parent, int depth, struct twiml_problem *problem)
{
    xmlChar *text = xmlNodeGetContent(node);
    element->name = (const char *)node->name;
    element->text = (const char *)(text ? text : xmlStrdup((const xmlChar *)""));
    if (depth > DEPTH_MAX || ++twiml->count > ELEMENTS_MAX)
        return complain(problem, 12200, "too many elements, or too deep");
    if (node->ns)
        return complain(problem, 12200, "an element with a namespace");
    if (copy_attributes(element, node, problem) != 0)
        return -1;
    size_t count = 0;
    for (const xmlNode *at = node->children; at; at = at->next)
        count += at->type == XML_ELEMENT_NODE;
    element->children = stand_alloc((count + 1) * sizeof *element->children);
    for (xmlNode *at = node->children; at; at = at->next) {
        if (at->type == XML_COMMENT_NODE || at->type == XML_TEXT_NODE)
            continue;
        if (at->type != XML_ELEMENT_NODE)
            return complain(problem, 12100, "an entity or a processing instruction");
        struct twiml_element *child = &element->children[element->child_count++];
        if (copy_element(twiml, child, at, element->name, depth + 1, problem) != 0)
            return -1;
    }
    return twiml_schema_check(element, parent, problem);
}

/* Text that stands beside the nouns of a verb means that somebody forgot a tag. */
static int check_loose_text(const xmlNode *node, struct twiml_problem *problem)
{
    for (const xmlNode *at = node->children; at; at = at->next) {
        const char *name = (const char *)at->name;
        if (at->type == XML_TEXT_NODE) {
            const char *text = (const char *)at->content;
            if (text[strspn(text, " \t\r\n")])
                return complain(problem, 12200, "text outside of the verbs");
        } else if (at->type == XML_ELEMENT_NODE && at->children &&
                   (strcmp(name, "Gather") == 0 || strcmp(name, "Connect") == 0) &&
                   check_loose_text(at, problem) != 0) {
            return -1;
        }
    }
    return 0;
}

struct twiml *twiml_parse(const char *text, size_t len, struct twiml_problem *problem)
{
    *problem = (struct twiml_problem){0};
    if (len > TWIML_BYTES_MAX) {
        complain(problem, 11750, "the document is larger than 64 kB");
        return NULL;
    }
    xmlDoc *doc = xmlReadMemory(text, (int)len, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                    XML_PARSE_NOCDATA);
    if (!doc) {
        const xmlError *error = xmlGetLastError();
        complain(problem, 12100, error && error->message ? error->message : "not XML");
        problem->message[strcspn(problem->message, "\n")] = '\0';
        return NULL;
    }
    struct twiml *twiml = stand_alloc(sizeof *twiml);
    twiml->doc = doc;
    xmlNode *root = xmlDocGetRootElement(doc);
    int result = -1;
    if (doc->intSubset)
        complain(problem, 12100, "a document type is not allowed");
    else if (!root)
        complain(problem, 12100, "an empty document");
    else
        result = copy_element(twiml, &twiml->root, root, "", 0, problem);
    if (result == 0)
        result = check_loose_text(root, problem);
    if (result != 0)
        twiml_free(&twiml);
    return twiml;
}

const struct twiml_element *twiml_root(const struct twiml *twiml)
{
    return &twiml->root;
}

const char *twiml_attribute(const struct twiml_element *element, const char *name)
{
    for (size_t i = 0; i < element->attribute_count; i++) {
        if (strcmp(element->attributes[i].name, name) == 0)
            return element->attributes[i].value;
    }
    return NULL;
}

long twiml_number(const struct twiml_element *element, const char *name, long fallback)
{
    const char *text = twiml_attribute(element, name);
    return text ? strtol(text, NULL, 10) : fallback;
}

bool twiml_flag(const struct twiml_element *element, const char *name, bool fallback)
{
    const char *text = twiml_attribute(element, name);
    return text ? strcmp(text, "true") == 0 : fallback;
}

const struct twiml_element *twiml_child(const struct twiml_element *element, const char *name)
{
    for (size_t i = 0; i < element->child_count; i++) {
        if (strcmp(element->children[i].name, name) == 0)
            return &element->children[i];
    }
    return NULL;
}
