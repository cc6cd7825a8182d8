/* Migration files: reading a folder, comparing with what is applied. No database. One thread. */
#ifndef DESKCTL_MIGRATIONS_H
#define DESKCTL_MIGRATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/schema.h"

#define MIGRATION_BYTES_MAX (4 * 1024 * 1024)

struct migration {
    int64_t number;
    const char *name; /* file name without the folder */
    const char *sql;
    const char *checksum; /* SHA-256 of the bytes, hexadecimal */
    bool no_transaction;  /* the first line says "-- no transaction" */
};

/* Reads all NNNN_name.sql of the folder in order. PERMANENT "migrations.folder", ".name" (a file
 * that is called otherwise), ".number" (one number twice, or a gap), ".text" (not UTF-8),
 * ".transaction" (a file that begins or ends transactions itself). */
int migrations_load(struct arena *arena, const char *dir, struct migration **items, size_t *count,
                    struct err *err);

/* Compares files with what is applied: *pending is the index of the first file to apply (== count:
 * none). PERMANENT "migrations.changed" (an applied file has other bytes or another name now),
 * "migrations.newer" (the database has more than the folder). */
int migrations_plan(const struct migration *items, size_t count,
                    const struct schema_applied *applied, size_t applied_count, size_t *pending,
                    struct err *err);

/* Splits a script at its top-level semicolons, minding quotes, dollar quotes and comments. Calls
 * `visit` with each statement that is not empty, until it returns false. The statement is
 * NUL-terminated and borrowed. */
void migrations_split(struct arena *arena, const char *sql,
                      bool (*visit)(void *arg, const char *statement), void *arg);

#endif
