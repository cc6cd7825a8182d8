/* "Did you mean": the known word that is nearest to a mistyped one. Any thread, no state. */
#ifndef DESK_BASE_SUGGEST_H
#define DESK_BASE_SUGGEST_H

/* The word of the NULL-terminated list `known` with the fewest insertions, deletions, replacements
 * and swaps of neighbours to `word` (Damerau-Levenshtein, optimal string alignment), or NULL if
 * none is near: at most one change per three letters begun. '-' and '_' count as the same, and so
 * do upper and lower case. The first of equals wins. Words over 64 bytes have no suggestion.
 * Borrowed from `known`. */
const char *suggest(const char *word, const char *const *known);

#endif
