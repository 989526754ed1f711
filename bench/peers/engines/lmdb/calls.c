//go:build lmdb && cgo

#include "calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int open_db(store *s) {
	MDB_txn *txn;
	int      rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc) return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &s->dbi);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

int store_open(store *s, const char *dir, size_t map_bytes, unsigned flags, unsigned readers) {
	int rc = mdb_env_create(&s->env);
	if (rc) return rc;
	rc = mdb_env_set_mapsize(s->env, map_bytes);
	if (!rc) rc = mdb_env_set_maxreaders(s->env, readers);
	if (!rc) rc = mdb_env_open(s->env, dir, flags, 0644);
	if (!rc) rc = open_db(s);
	if (rc) mdb_env_close(s->env);
	return rc;
}

// Without MDB_NOSYNC this sync finds nothing to do; with it LMDB leaves the sync to the program.
int store_close(store *s) {
	int rc = mdb_env_sync(s->env, 1);
	mdb_env_close(s->env);
	return rc;
}

int session_open(session *s, store *st) {
	s->store = st;
	int rc = mdb_txn_begin(st->env, NULL, MDB_RDONLY, &s->read);
	if (!rc) mdb_txn_reset(s->read);
	return rc;
}

void session_close(session *s) {
	mdb_txn_abort(s->read);
	free(s->vals);
	free(s->bytes);
}

static size_t grown(size_t cap, size_t want) { return want > 2 * cap ? want : 2 * cap; }

int session_reserve(session *s, size_t vals, size_t bytes) {
	if (vals > s->vals_cap) {
		size_t   cap = grown(s->vals_cap, vals);
		MDB_val *v = realloc(s->vals, cap * sizeof(MDB_val));
		if (!v) return ENOMEM;
		s->vals = v, s->vals_cap = cap;
	}
	if (bytes > s->bytes_cap) {
		size_t cap = grown(s->bytes_cap, bytes);
		char  *b = realloc(s->bytes, cap);
		if (!b) return ENOMEM;
		s->bytes = b, s->bytes_cap = cap;
	}
	return 0;
}

// A reset of a transaction that is reset already does nothing.
static int refresh(session *s) {
	mdb_txn_reset(s->read);
	return mdb_txn_renew(s->read);
}

result session_get(session *s, const char *key, size_t key_len) {
	MDB_val k = {key_len, (void *)key}, v = {0, NULL};
	int     rc = refresh(s);
	if (!rc) rc = mdb_get(s->read, s->store->dbi, &k, &v);
	return (result){rc, v.mv_data, v.mv_size};
}

int session_multi_get(session *s, size_t n) {
	int   rc = refresh(s);
	char *at = s->bytes;
	for (size_t i = 0; i < n && !rc; i++) {
		MDB_val k = {s->vals[i].mv_size, at};
		at += k.mv_size;
		rc = mdb_get(s->read, s->store->dbi, &k, &s->vals[i]);
		if (rc == MDB_NOTFOUND) {
			s->vals[i].mv_data = NULL;
			rc = 0;
		}
	}
	return rc;
}

static int begin(session *s, MDB_txn **txn) {
	mdb_txn_reset(s->read);
	return mdb_txn_begin(s->store->env, NULL, 0, txn);
}

static int end(MDB_txn *txn, int rc) {
	if (!rc) return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

int session_put(session *s, const char *key, size_t key_len, const char *value, size_t value_len) {
	MDB_txn *txn;
	MDB_val  k = {key_len, (void *)key}, v = {value_len, (void *)value};
	int      rc = begin(s, &txn);
	if (rc) return rc;
	return end(txn, mdb_put(txn, s->store->dbi, &k, &v, 0));
}

int session_delete(session *s, const char *key, size_t key_len) {
	MDB_txn *txn;
	MDB_val  k = {key_len, (void *)key};
	int      rc = begin(s, &txn);
	if (rc) return rc;
	return end(txn, mdb_del(txn, s->store->dbi, &k, NULL));
}

int session_put_batch(session *s, size_t n) {
	MDB_txn *txn;
	char    *at = s->bytes;
	int      rc = begin(s, &txn);
	if (rc) return rc;
	for (size_t i = 0; i < n && !rc; i++) {
		MDB_val k = {s->vals[2 * i].mv_size, at};
		MDB_val v = {s->vals[2 * i + 1].mv_size, at + k.mv_size};
		at += k.mv_size + v.mv_size;
		rc = mdb_put(txn, s->store->dbi, &k, &v, 0);
	}
	return end(txn, rc);
}

int iterator_open(iterator *it, store *st) {
	int rc = mdb_txn_begin(st->env, NULL, MDB_RDONLY, &it->txn);
	if (rc) return rc;
	rc = mdb_cursor_open(it->txn, st->dbi, &it->cursor);
	if (rc) mdb_txn_abort(it->txn);
	return rc;
}

int iterator_renew(iterator *it) {
	int rc = mdb_txn_renew(it->txn);
	return rc ? rc : mdb_cursor_renew(it->txn, it->cursor);
}

void iterator_reset(iterator *it) { mdb_txn_reset(it->txn); }

void iterator_close(iterator *it) {
	mdb_cursor_close(it->cursor);
	mdb_txn_abort(it->txn);
}

fetched iterator_move(iterator *it, MDB_cursor_op op, const char *key, size_t key_len) {
	it->keys[0] = (MDB_val){key_len, (void *)key};
	int rc = mdb_cursor_get(it->cursor, &it->keys[0], &it->vals[0], op);
	return (fetched){rc, rc ? 0 : 1};
}

fetched iterator_fetch(iterator *it, MDB_cursor_op op, int most) {
	fetched f = {0, 0};
	while (f.n < most) {
		f.code = mdb_cursor_get(it->cursor, &it->keys[f.n], &it->vals[f.n], op);
		if (f.code) break;
		f.n++;
	}
	return f;
}
