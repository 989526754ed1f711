package server

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv"
)

// progressEvery is how often work that takes long tells how far it is.
const progressEvery = 250 * time.Millisecond

// progress is how far work is. Total is an estimate, and may be 0 while it is not known.
type progress struct {
	Phase    string `json:"phase"`
	Done     int64  `json:"done"` // bytes
	Total    int64  `json:"total"`
	Problems *int   `json:"problems,omitempty"` // that a verification has found
}

type progressLine struct {
	Progress progress `json:"progress"`
}

type reportLine struct {
	Report any `json:"report"`
}

// work answers with the progress of something that takes long, and at its end with a report. It ends when the peer goes.
func (s *Server) work(w http.ResponseWriter, r *http.Request, do func(ctx context.Context) (report any, err error), now func() progress) error {
	release, ok := s.jobs.take()
	if !ok {
		return s.tooManyJobs()
	}
	defer release()
	ctx, cancel := s.untilStop(r)
	defer cancel()
	st := s.newStream(w, r)
	stop := every(progressEvery, func() error { return st.tell(progressLine{now()}) })
	defer stop()
	report, err := do(ctx)
	stop()
	if err != nil {
		s.logUnknown(r, err)
		st.end(ctx, err)
		return nil
	}
	_ = st.tell(progressLine{now()})
	_ = st.tell(reportLine{report})
	return nil
}

// verification is a report without what tells of the machine: directories.
type verification struct {
	Dir *string `json:"dir,omitempty"` // stays nil, and covers that of the report
	*tinykv.VerifyReport
	Problems []damage `json:"problems"`
}

// damage is a damaged place.
type damage struct {
	File   string `json:"file"` // its name in the directory of the store
	Offset int64  `json:"offset"`
	What   string `json:"what"`
	Detail string `json:"detail"`
}

// verify reads all tables and the manifest anew and checks them.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	var at atomic.Pointer[tinykv.VerifyProgress]
	at.Store(&tinykv.VerifyProgress{Phase: "manifest"})
	return s.work(w, r, func(ctx context.Context) (any, error) {
		report, err := s.db.Verify(ctx, &tinykv.VerifyOptions{Progress: func(p tinykv.VerifyProgress) { at.Store(&p) }})
		if err != nil {
			return nil, err
		}
		v := verification{VerifyReport: report, Problems: []damage{}}
		for _, p := range report.Problems {
			v.Problems = append(v.Problems, damage{filepath.Base(p.File), p.Offset, p.What, p.Detail})
		}
		return v, nil
	}, func() progress {
		p := at.Load()
		return progress{Phase: p.Phase, Done: p.Done, Total: p.Total, Problems: &p.Problems}
	})
}

// compact merges a range down to its deepest level.
func (s *Server) compact(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "prefix", "lower", "upper")
	if err != nil {
		return err
	}
	bounds, _, err := q.bounds()
	if err != nil {
		return err
	}
	total, err := s.space(&q).EstimateSize(bounds)
	if err != nil {
		return err
	}
	compact := s.db.Compact
	if q.Has("bucket") {
		compact = s.db.Bucket(q.Get("bucket")).Compact
	}
	before := s.db.Metrics()
	return s.work(w, r, func(ctx context.Context) (any, error) {
		err := compact(ctx, bounds)
		after := s.db.Metrics()
		return struct {
			BytesBefore  int64 `json:"bytes_before"` // of all tables
			BytesAfter   int64 `json:"bytes_after"`
			BytesRead    int64 `json:"bytes_read"`
			BytesWritten int64 `json:"bytes_written"`
		}{before.TableBytes, after.TableBytes, merged(after).read - merged(before).read, merged(after).written - merged(before).written}, err
	}, func() progress {
		return progress{Phase: "merging", Done: min(merged(s.db.Metrics()).read-merged(before).read, int64(total)), Total: int64(total)}
	})
}

// mergedBytes is what compactions have read and written.
type mergedBytes struct{ read, written int64 }

func merged(m *tinykv.Metrics) (b mergedBytes) {
	for i := range m.Levels {
		b.read += m.Levels[i].ReadBytes
		b.written += m.Levels[i].WrittenBytes
	}
	return b
}

// done answers for what has nothing to tell.
func done(w http.ResponseWriter, r *http.Request, do func() error) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// flush brings what is in memory to tables.
func (s *Server) flush(w http.ResponseWriter, r *http.Request) error {
	return done(w, r, func() error { return s.db.Flush(r.Context()) })
}

// sync brings what was acknowledged to stable storage.
func (s *Server) sync(w http.ResponseWriter, r *http.Request) error { return done(w, r, s.db.Sync) }

// resume makes a store that has failed take writes again.
func (s *Server) resume(w http.ResponseWriter, r *http.Request) error { return done(w, r, s.db.Resume) }

// clear removes all keys outside of buckets, or of the bucket that is named, or of the whole store: in one operation, and only when the word is said.
func (s *Server) clear(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "sync")
	if err != nil {
		return err
	}
	durable, err := q.durability()
	if err != nil {
		return err
	}
	var in struct {
		Confirm string `json:"confirm"`
		Buckets bool   `json:"buckets"`
	}
	if err := s.decode(w, r, &in); err != nil {
		return err
	}
	switch {
	case in.Confirm != "clear":
		return badRequest(`to delete every key, send {"confirm":"clear"}; with "buckets":true those in buckets go, too`)
	case in.Buckets && q.Has("bucket"):
		return badRequest(`bucket names one, "buckets" means all; send one of them`)
	case in.Buckets:
		err = s.clearAll(durable)
	default:
		err = s.space(&q).DeleteRange(nil, nil, durable...)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) clearAll(durable []tinykv.WriteOption) error {
	names, err := s.db.Buckets()
	if err != nil {
		return err
	}
	b := s.db.NewBatch()
	errs := []error{b.DeleteRange(nil, nil)}
	for _, name := range names {
		errs = append(errs, b.Bucket(name).DeleteRange(nil, nil))
	}
	return errors.Join(append(errs, s.db.Apply(b, durable...))...)
}
