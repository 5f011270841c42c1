/* Where statements end in what is typed: quotes, dollar quotes, comments and brackets are read as PostgreSQL's scanner does
 * (manual, 4.1). */
#ifndef SYNOD_NODE_CLI_SPLIT_H
#define SYNOD_NODE_CLI_SPLIT_H

#include <stddef.h>

/* What is open at the end of a text. */
enum split_state {
    SPLIT_START = '=',  /* nothing but blanks */
    SPLIT_MIDDLE = '-', /* a statement without its ; */
    SPLIT_BRACKET = '(',
    SPLIT_QUOTE = '\'',
    SPLIT_NAME = '"',
    SPLIT_DOLLAR = '$',
    SPLIT_COMMENT = '*',
};

/* The length of the first statement in `text`, its ; included, when it is whole; else 0, and *state says what it waits for. */
size_t split_statement(const char *text, enum split_state *state);

#endif
