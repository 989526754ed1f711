package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tinykv/tinykv"
)

// signOfLife is how often a stream that has nothing to tell says that it is there.
const signOfLife = 15 * time.Second

// watch tells the changes of a range as lines of JSON, or as server-sent events to those who accept them. When the header is there, the
// watch has begun: what is written from then on is told.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "prefix", "lower", "upper", "since")
	if err != nil {
		return err
	}
	bounds, _, err := q.bounds()
	if err != nil {
		return err
	}
	since, err := sinceOf(r, &q)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		return headOnly(w, streamType(r))
	}
	release, ok := s.watchers.take()
	if !ok {
		return tooMany("%d watches are open; end some", cap(s.watchers))
	}
	defer release()
	defer streaming(r)()
	ctx, cancel := s.untilStop(r)
	defer cancel()
	changes := s.space(&q).Watch(ctx, bounds, since)
	st, share := s.newStream(w, r), grantOf(r).share
	defer every(signOfLife, st.sign)()
	for e, err := range changes {
		if err != nil {
			st.end(ctx, err)
			return nil
		}
		if err := tellChange(st, &e, share); err != nil {
			return nil
		}
		if e.Last && st.flush() != nil {
			return nil
		}
	}
	return nil
}

// changeFactor is how much memory a value takes at most while it is told: the text of it, and that as JSON, where each byte may need six.
const changeFactor = 8

// tellChange tells one change. A value for which there is no memory is told by its length: a peer may be slow to take it, and there may be many.
func tellChange(st *stream, e *tinykv.Event, share *share) error {
	most := maxRangeBytes
	if len(e.Value) > most || share.take(changeFactor*len(e.Value)) != nil {
		most = 0
	}
	defer share.release()
	return st.line(strconv.FormatUint(e.Seq, 10), changeOf(e, most))
}

// sinceOf reads the number to go on behind: a parameter, or what a browser sends when it comes back.
func sinceOf(r *http.Request, q *query) (uint64, error) {
	since, byDefault := q.Get("since"), r.Header.Get("Last-Event-ID")
	if !q.Has("since") {
		if since = byDefault; since == "" {
			return 0, nil
		}
	}
	n, err := strconv.ParseUint(since, 10, 64)
	if err != nil {
		return 0, badRequest("since must be the number of a change, as seq tells it, or 0 for changes from now on")
	}
	return n, nil
}
