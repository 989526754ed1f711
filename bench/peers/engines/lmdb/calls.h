// Calls of LMDB gathered so that an operation of a session crosses from Go to C once. All of them return 0 or a code for
// mdb_strerror. Memory that Go passes is read during the call and never kept.

#ifndef TINYKV_PEERS_LMDB_CALLS_H
#define TINYKV_PEERS_LMDB_CALLS_H

#include <lmdb.h>
#include <stddef.h>

// How many entries an iterator fetches at once, at most, when it goes on from entry to entry.
#define AHEAD 64

typedef struct {
	MDB_env *env;
	MDB_dbi  dbi;
} store;

int store_open(store *s, const char *dir, size_t map_bytes, unsigned flags, unsigned readers);
int store_close(store *s);

// session keeps one read transaction for all its reads, renewed by each. It is live from a read until the next call, so
// that what the read returned may be looked at; until then LMDB reuses no page that it may see.
typedef struct {
	store   *store;
	MDB_txn *read;
	MDB_val *vals; // of multi_get
	char    *bytes; // keys of multi_get, keys and values of put_batch
	size_t   vals_cap, bytes_cap;
} session;

typedef struct {
	int    code;
	void  *data;
	size_t size;
} result;

int    session_open(session *s, store *st);
void   session_close(session *s);
int    session_reserve(session *s, size_t vals, size_t bytes);
result session_get(session *s, const char *key, size_t key_len);
int    session_put(session *s, const char *key, size_t key_len, const char *value, size_t value_len);
int    session_delete(session *s, const char *key, size_t key_len);

// Of n keys, one behind another in s->bytes, each size in s->vals before the call and its value there afterwards,
// with mv_data NULL where there is none.
int session_multi_get(session *s, size_t n);

// Of n entries in s->bytes: key, value, key, value; their sizes in the same order in s->vals.
int session_put_batch(session *s, size_t n);

// iterator is a read transaction with a cursor and the entries fetched ahead.
typedef struct {
	MDB_txn    *txn;
	MDB_cursor *cursor;
	MDB_val     keys[AHEAD], vals[AHEAD];
} iterator;

typedef struct {
	int code; // MDB_NOTFOUND with n 0 at an end
	int n;    // entries fetched
} fetched;

int     iterator_open(iterator *it, store *st);
int     iterator_renew(iterator *it);
void    iterator_reset(iterator *it);
void    iterator_close(iterator *it);
fetched iterator_move(iterator *it, MDB_cursor_op op, const char *key, size_t key_len);
fetched iterator_fetch(iterator *it, MDB_cursor_op op, int most);

#endif
