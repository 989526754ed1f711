// Package server serves a store over HTTP: REST under /v1, a WebSocket at /v1/ws, numbers for Prometheus at /metrics, and the page at /.
//
//	s, err := server.New(db, &server.Options{Address: "127.0.0.1:8080"})
//	...
//	err = s.Serve(ctx) // until ctx ends, then drains
//
// Every peer is untrusted until it has shown a token; docs/API.md describes all requests, and openapi.json, which the server serves, says it to machines.
//
// Where to find what:
//
//	server.go   what answers where         route.go    how it comes to answer
//	options.go  what can be chosen         errors.go   what can go wrong
//	keys.go     one key                    range.go    many
//	condition.go  when to write it         item.go     keys and values as JSON
//	space.go    store, bucket, transaction imports.go  how far imports are
//	batch.go    operations at once         json.go     the JSON of requests
//	transactions.go, transaction.go  over several requests
//	where.go, where_value.go, pattern.go  filters
//	watch.go    following the changes      upkeep.go   work on the whole store
//	transfer.go import and export          stream.go   answers that go on
//	serve.go    running, and ending        listen.go   where
//	guard.go    pages of strangers         token.go    who is let in
//	conns.go    how many connections       memory.go   how much at once
//	pace.go     how slow a peer may be     certificate.go  TLS
//	query.go    parameters                 numbers.go  what there is to know
//	ws.go       WebSocket                  ws_*.go     what is told and done there
//	events.go   what the engine does       layout.go   what it consists of
//	requests.go how long they take         grant.go    who may do what
//	page.go     the page                   classroom.go  a process whose plug may be pulled
package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server/web"
)

// Server is an HTTP handler over a store. It may be used concurrently.
type Server struct {
	db   *tinykv.DB
	opts Options
	mux  *http.ServeMux

	started        time.Time
	times          *requestTimes
	transactions   *transactions
	imports        imports
	watchers, jobs slots
	exports        slots // of jobs
	tokens         *tokens
	certificate    *certificate // nil: no TLS
	crossOrigin    *http.CrossOriginProtection
	hosts          []string // names that the server goes by
	memory         memory
	conns          *conns
	running        inFlight

	stopping context.Context // ends when streams are to end
	stop     context.CancelFunc

	requests, errors atomic.Uint64
}

// New returns a server of a store, which stays the caller's to close after the server. Error: tinykv.ErrInvalidOption.
func New(db *tinykv.DB, opts *Options) (*Server, error) {
	o, err := opts.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{
		db: db, opts: o, mux: http.NewServeMux(), started: time.Now(), times: newRequestTimes(),
		watchers: make(slots, o.MaxWatches), jobs: make(slots, o.MaxJobs),
		exports: make(slots, max(1, o.MaxJobs-1)),
	}
	s.transactions = newTransactions(&o, &s.memory)
	s.memory.most, s.conns, s.hosts = o.MaxMemory, newConns(o.MaxConnections), hostsOf(&o)
	if err := s.protect(); err != nil {
		return nil, err
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.mux.Handle("/", page(web.Files))
	s.mux.HandleFunc("GET /v1/ws", s.webSocket)
	s.mux.HandleFunc("/v1/ws", s.refuse("GET"))
	if o.Classroom != nil {
		s.mux.HandleFunc("/classroom/", func(w http.ResponseWriter, r *http.Request) { s.run(w, r, route{scope: write, handle: s.askChild}) })
	}
	s.register(slices.Concat(s.routes(), s.classroomRoutes(), s.profileRoutes()))
	return s, nil
}

// protect prepares what is needed to tell peers apart.
func (s *Server) protect() (err error) {
	if s.tokens, err = newTokens(s.opts.Tokens); err != nil {
		return err
	}
	if s.opts.CertFile != "" {
		if s.certificate, err = newCertificate(&s.opts); err != nil {
			return err
		}
	}
	s.crossOrigin = http.NewCrossOriginProtection()
	for _, origin := range s.opts.AllowOrigins {
		if err := s.crossOrigin.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("server: %w: an origin is such as https://admin.example.com", tinykv.ErrInvalidOption)
		}
	}
	return nil
}

// routes is the table of contents: what answers where, and what its peer must be allowed to.
func (s *Server) routes() []route {
	return []route{
		{"GET", "/healthz", open, s.health},
		{"GET", "/openapi.json", open, s.openAPI},
		{"GET", "/metrics", read, s.metrics},

		{"GET", "/v1/keys/{key...}", read, s.getKey},
		{"PUT", "/v1/keys/{key...}", write, s.putKey},
		{"DELETE", "/v1/keys/{key...}", write, s.deleteKey},
		{"GET", "/v1/range", read, s.getRange},
		{"DELETE", "/v1/range", write, s.deleteRange},
		{"GET", "/v1/count", read, s.count},
		{"GET", "/v1/size", read, s.size},

		{"POST", "/v1/batch", write, s.batch},
		{"POST", "/v1/txn", write, s.txn},
		{"POST", "/v1/transactions", read, s.beginTransaction}, // and write, for one that writes
		{"GET", "/v1/transactions/{id}/keys/{key...}", read, s.getKeyInTransaction},
		{"PUT", "/v1/transactions/{id}/keys/{key...}", write, s.putKeyInTransaction},
		{"DELETE", "/v1/transactions/{id}/keys/{key...}", write, s.deleteKeyInTransaction},
		{"GET", "/v1/transactions/{id}/range", read, s.getRangeInTransaction},
		{"POST", "/v1/transactions/{id}/commit", read, s.commit},
		{"DELETE", "/v1/transactions/{id}", read, s.rollback},

		{"GET", "/v1/watch", read, s.watch},

		{"GET", "/v1/export", read, s.export},
		{"POST", "/v1/import", admin, s.load},
		{"GET", "/v1/imports", admin, s.getImports},

		{"POST", "/v1/verify", admin, s.verify},
		{"POST", "/v1/compact", admin, s.compact},
		{"POST", "/v1/flush", admin, s.flush},
		{"POST", "/v1/sync", write, s.sync},
		{"POST", "/v1/resume", admin, s.resume},
		{"POST", "/v1/clear", admin, s.clear},

		{"GET", "/v1/stats", read, s.stats},
		{"GET", "/v1/levels", read, s.levels},
		{"GET", "/v1/layout", read, s.layout},
		{"GET", "/v1/explain/{key...}", read, s.explain},
		{"GET", "/v1/buckets", read, s.buckets},
		{"DELETE", "/v1/buckets/{key...}", admin, s.dropBucket},
		{"GET", "/v1/info", read, s.info},
	}
}

// Close ends what peers have open: streams, which are told so, and transactions. It is to be called before the store is closed.
func (s *Server) Close() error {
	s.stop()
	s.transactions.close()
	return nil
}
