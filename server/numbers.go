package server

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/tinykv/tinykv"
)

// health answers that the server is there, and the store open.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	if _, err := s.db.Buckets(); err != nil {
		return err
	}
	if s.db.Metrics().Failed {
		return &problem{http.StatusServiceUnavailable, "failed", "the store has failed and takes no writes; mend the cause, then POST /v1/resume"}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
	return nil
}

// metrics answers with the store's numbers for Prometheus.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) error {
	var b bytes.Buffer
	if err := s.db.Metrics().WritePrometheus(&b); err != nil {
		return err
	}
	s.numbers().writePrometheus(&b)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
	return nil
}

// stats answers with the store's numbers, and the server's.
func (s *Server) stats(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		*tinykv.Metrics
		Server serverNumbers `json:"server"`
	}{s.db.Metrics(), s.numbers()})
	return nil
}

// serverNumbers describe the server. Connections are those that it listens for itself.
type serverNumbers struct {
	Requests     uint64 `json:"requests"` // that came in, this one included
	Errors       uint64 `json:"errors"`   // that were answered with an error
	Refused      uint64 `json:"refused"`  // connections, as all that there may be were in use
	Evicted      uint64 `json:"evicted"`  // connections that made room for others
	WrongTokens  uint64 `json:"wrong_tokens"`
	Connections  int    `json:"connections"`
	Answering    int    `json:"answering"` // requests
	Transactions int    `json:"transactions"`
	Watches      int    `json:"watches"`
	Jobs         int    `json:"jobs"`
	MemoryBytes  int64  `json:"memory_bytes"` // in use for large bodies and answers
}

func (s *Server) numbers() serverNumbers {
	n := serverNumbers{
		Requests: s.requests.Load(), Errors: s.errors.Load(), WrongTokens: s.tokens.failures.Load(), Answering: s.running.count(),
		Transactions: s.transactions.count(), Watches: len(s.watchers), Jobs: len(s.jobs), MemoryBytes: s.memory.used.Load(),
	}
	n.Connections, n.Evicted, n.Refused = s.conns.counts()
	return n
}

// writePrometheus adds the numbers of the server to those of the store.
func (n serverNumbers) writePrometheus(b *bytes.Buffer) {
	for _, m := range []struct {
		name, kind, help string
		value            uint64
	}{
		{"requests_total", "counter", "Requests that came in.", n.Requests},
		{"errors_total", "counter", "Requests that were answered with an error.", n.Errors},
		{"wrong_tokens_total", "counter", "Requests with a token that is not one.", n.WrongTokens},
		{"connections_refused_total", "counter", "Connections that were not let in, as all that there may be were in use.", n.Refused},
		{"connections_evicted_total", "counter", "Connections that made room for others.", n.Evicted},
		{"connections", "gauge", "Connections.", uint64(n.Connections)},
		{"answering", "gauge", "Requests that are being answered.", uint64(n.Answering)},
		{"transactions", "gauge", "Transactions over several requests.", uint64(n.Transactions)},
		{"watches", "gauge", "Watches of peers.", uint64(n.Watches)},
		{"jobs", "gauge", "Verifications, compactions, imports and exports.", uint64(n.Jobs)},
		{"memory_bytes", "gauge", "Memory for large bodies and answers.", uint64(n.MemoryBytes)},
	} {
		fmt.Fprintf(b, "# HELP tinykv_server_%[1]s %[3]s\n# TYPE tinykv_server_%[1]s %[2]s\ntinykv_server_%[1]s %[4]d\n", m.name, m.kind, m.help, m.value)
	}
}

// levels answers with the levels of the tree.
func (s *Server) levels(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	m := s.db.Metrics()
	answer(w, http.StatusOK, struct {
		BaseLevel int                   `json:"base_level"`
		Levels    []tinykv.LevelMetrics `json:"levels"`
	}{m.BaseLevel, m.Levels[:]})
	return nil
}

// explain answers with the way of one read.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r)
	if err != nil {
		return err
	}
	key, err := q.key(r)
	if err != nil {
		return err
	}
	e, err := s.space(&q).Explain(key)
	if err != nil {
		return err
	}
	type explanation tinykv.Explanation
	a := struct {
		Key    *string `json:"key,omitempty"`
		KeyHex *string `json:"key_hex,omitempty"`
		*explanation
	}{explanation: (*explanation)(e)}
	a.Key, a.KeyHex = text(e.Key)
	answer(w, http.StatusOK, a)
	return nil
}

// buckets answers with the names of the buckets.
func (s *Server) buckets(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	names, err := s.db.Buckets()
	if err != nil {
		return err
	}
	type bucket struct {
		Name    *string `json:"name,omitempty"`
		NameHex *string `json:"name_hex,omitempty"`
	}
	all := make([]bucket, len(names))
	for i, name := range names {
		all[i].Name, all[i].NameHex = text([]byte(name))
	}
	answer(w, http.StatusOK, struct {
		Buckets []bucket `json:"buckets"`
	}{all})
	return nil
}

// dropBucket removes a bucket with all that is in it.
func (s *Server) dropBucket(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r)
	if err != nil {
		return err
	}
	name, err := q.bytes("the name", r.PathValue("key"))
	if err != nil {
		return err
	}
	if err := s.db.DropBucket(r.Context(), string(name)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// limits are what requests are bounded by, as info tells them.
type limits struct {
	BodyBytes      int64 `json:"body_bytes"`
	ImportBytes    int64 `json:"import_bytes"`
	HeaderBytes    int   `json:"header_bytes"`
	MemoryBytes    int64 `json:"memory_bytes"` // of all requests together
	RangeKeys      int   `json:"range_keys"`
	RangeBytes     int   `json:"range_bytes"`
	Operations     int   `json:"operations"` // of a batch
	ResultBytes    int   `json:"result_bytes"`
	Connections    int   `json:"connections"`
	Transactions   int   `json:"transactions"` // of one peer
	Watches        int   `json:"watches"`
	Jobs           int   `json:"jobs"`
	HeaderTimeout  int64 `json:"header_timeout_ms"`
	IdleTimeout    int64 `json:"idle_timeout_ms"`
	RequestTimeout int64 `json:"request_timeout_ms"`
	Lease          int64 `json:"transaction_lease_ms"`
}

func (o *Options) limits() limits {
	return limits{
		BodyBytes: o.MaxBody, ImportBytes: o.MaxImport, HeaderBytes: o.MaxHeader, MemoryBytes: o.MaxMemory,
		RangeKeys: maxRangeKeys, RangeBytes: maxRangeBytes, Operations: maxOps, ResultBytes: maxResultBytes,
		Connections: o.MaxConnections, Transactions: o.MaxTransactions, Watches: o.MaxWatches, Jobs: o.MaxJobs,
		HeaderTimeout: o.HeaderTimeout.Milliseconds(), IdleTimeout: o.IdleTimeout.Milliseconds(),
		RequestTimeout: o.RequestTimeout.Milliseconds(), Lease: o.TransactionLease.Milliseconds(),
	}
}

// info answers with what this server is.
func (s *Server) info(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	answer(w, http.StatusOK, struct {
		Version   string `json:"version"`
		ReadOnly  bool   `json:"read_only"`
		Auth      bool   `json:"auth"` // a token is needed
		Classroom bool   `json:"classroom"`
		Limits    limits `json:"limits"`
	}{s.opts.Version, s.opts.ReadOnly, len(s.opts.Tokens) > 0, s.opts.Classroom != nil, s.opts.limits()})
	return nil
}
