package server

import (
	"encoding/hex"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

// layout is the layout of a store with keys as they stand everywhere in JSON: text, or hexadecimal digits.
type layout struct {
	*tinykv.Layout
	Levels []levelLayout `json:"levels"`
	Jobs   []jobLayout   `json:"jobs"`
}

type levelLayout struct {
	tinykv.LevelLayout
	Tables []tableLayout `json:"tables"`
}

type tableLayout struct {
	tinykv.TableLayout
	Smallest    *string `json:"smallest,omitempty"`
	SmallestHex *string `json:"smallest_hex,omitempty"`
	Largest     *string `json:"largest,omitempty"`
	LargestHex  *string `json:"largest_hex,omitempty"`
}

type jobLayout struct {
	tinykv.JobLayout
	From  int   `json:"from"`
	To    int   `json:"to"`
	Since int64 `json:"since"` // Unix milliseconds
}

func (s *Server) layout(w http.ResponseWriter, _ *http.Request) error {
	l, err := s.db.Layout()
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, layoutJSON(l))
	return nil
}

// layoutTables is the most tables of a level that are told, and layoutKey the most bytes of a key: a picture needs no more.
const (
	layoutTables = 2000
	layoutKey    = 64
)

func layoutJSON(l *tinykv.Layout) *layout {
	out := &layout{Layout: l, Levels: make([]levelLayout, 0, len(l.Levels)), Jobs: make([]jobLayout, 0, len(l.Jobs))}
	for _, level := range l.Levels {
		tables := make([]tableLayout, 0, min(len(level.Tables), layoutTables))
		for i := range level.Tables[:cap(tables)] {
			t := tableLayout{TableLayout: level.Tables[i]}
			t.Smallest, t.SmallestHex = textOrHex(cut(level.Tables[i].Smallest))
			t.Largest, t.LargestHex = textOrHex(cut(level.Tables[i].Largest))
			tables = append(tables, t)
		}
		out.Levels = append(out.Levels, levelLayout{LevelLayout: level, Tables: tables})
	}
	for _, j := range l.Jobs {
		out.Jobs = append(out.Jobs, jobLayout{JobLayout: j, From: j.FromLevel, To: j.ToLevel, Since: j.Since.UnixMilli()})
	}
	return out
}

// cut shortens a key, between letters where it is text.
func cut(k []byte) []byte {
	if len(k) <= layoutKey {
		return k
	}
	end := layoutKey
	for end > layoutKey-utf8.UTFMax && !utf8.RuneStart(k[end]) {
		end--
	}
	return k[:end]
}

// textOrHex returns bytes as text if they are UTF-8, as hexadecimal digits if not.
func textOrHex(b []byte) (text, digits *string) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	s := hex.EncodeToString(b)
	return nil, &s
}

// setMotion sets how long flushes and compactions pause, in slow_ms; not at all without it.
func (s *Server) setMotion(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "slow_ms")
	if err != nil {
		return err
	}
	ms, err := q.number("slow_ms", 0, int(maxMotion.Milliseconds()))
	if err != nil {
		return err
	}
	s.opts.Events.SetMotion(time.Duration(ms) * time.Millisecond)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
