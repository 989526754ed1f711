package tinykv

import (
	"fmt"
	"strings"
	"time"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/sstable"
)

// Explanation is the way of one read: the places that were looked at, in order, and what was found.
type Explanation struct {
	Key    []byte `json:"key"`
	Bucket string `json:"bucket,omitempty"`
	Seq    uint64 `json:"seq"` // of the last write that the read could see

	Places []Place `json:"places"`

	// What decided the read: the newest entry of the key, which may be a tombstone. Kind is empty
	// when there is no entry at all; Found tells whether the key has a value.
	Found      bool   `json:"found"`
	Kind       string `json:"kind,omitempty"` // SET, SETEXP, MERGE, DEL or RANGEDEL
	EntrySeq   uint64 `json:"entry_seq,omitempty"`
	ValueBytes int    `json:"value_bytes"`

	// ExpiresAt is when the value expires, or has expired; the zero Time for one that stays.
	ExpiresAt time.Time `json:"expires_at,omitzero"`

	// TouchedBytes is about how much of the tables' files the read had to look at.
	TouchedBytes int64 `json:"touched_bytes"`
}

// Place is where a read looked: a memtable, a table, or a level none of whose tables covers the key.
type Place struct {
	Kind  string `json:"kind"` // memtable, sealed, table or level
	Level int    `json:"level"`
	Table uint64 `json:"table,omitempty"` // file number

	// Covers tells whether the key lies within the bounds of the table. The rest is for such tables.
	Covers bool `json:"covers"`

	// Filter is what the table's filter said: none, no (the key is not there, for certain) or maybe.
	// FalsePositive is a maybe with nothing behind it.
	Filter        string `json:"filter,omitempty"`
	FalsePositive bool   `json:"false_positive,omitempty"`

	// The data block that was looked into, if any, with its length in the file; Verified tells whether
	// it had been before, Compressed, whether it is, and Cached, whether it was in the cache then.
	BlockOffset int64 `json:"block_offset,omitempty"`
	BlockBytes  int64 `json:"block_bytes,omitempty"`
	Verified    bool  `json:"verified,omitempty"`
	Compressed  bool  `json:"compressed,omitempty"`
	Cached      bool  `json:"cached,omitempty"`

	Hit          bool  `json:"hit"` // the entry that decided the read was here
	TouchedBytes int64 `json:"touched_bytes,omitempty"`
}

// What a filter says of a key.
const (
	filterNone  = "none"
	filterNo    = "no"
	filterMaybe = "maybe"
)

// Explain tells how Get finds the value of a key: where it looks and what it meets there. It reads
// what Get reads. An absent key is no error. Errors are those of Get; for damage there is, beside the
// error, an explanation of how far it came.
func (db *DB) Explain(k []byte) (*Explanation, error) { return db.reader().explain(k) }

func (r reader) explain(k []byte) (*Explanation, error) {
	s, seq, err := r.open()
	if err != nil {
		return nil, err
	}
	defer s.unref()
	stored := key.AppendStored(nil, r.space, k)
	e := &explainer{
		stored: stored, hash: sstable.Hash(stored), at: key.SeekTrailer(seq),
		result: &Explanation{Key: append([]byte{}, k...), Seq: uint64(seq)},
	}
	err = s.guard(func() error {
		if err := e.run(s); err != nil {
			return err
		}
		return e.settle(r, s)
	})
	return e.result, err
}

// explainer goes the way of readState.get and takes notes.
type explainer struct {
	stored []byte
	hash   uint64
	at     key.Trailer
	value  []byte      // as it was found
	found  key.Trailer // 0 for nothing
	result *Explanation
}

func (e *explainer) run(s *readState) error {
	if e.mem(s.active, "memtable") {
		return nil
	}
	for _, m := range s.sealed {
		if e.mem(m, "sealed") {
			return nil
		}
	}
	for _, t := range s.tree.levels[0].tables {
		if done, err := e.table(t, 0); done || err != nil {
			return err
		}
	}
	for i, l := range s.tree.levels[1:] {
		if len(l.tables) == 0 {
			continue
		}
		t := l.find(e.stored)
		if t == nil {
			e.result.Places = append(e.result.Places, Place{Kind: "level", Level: i + 1})
			continue
		}
		if done, err := e.table(t, i+1); done || err != nil {
			return err
		}
	}
	return nil
}

func (e *explainer) mem(m *mem, kind string) (done bool) {
	v, found, ok := m.get(e.stored, e.hash, e.at)
	e.result.Places = append(e.result.Places, Place{Kind: kind, Covers: true, Hit: ok})
	if ok {
		e.decide(v, found)
	}
	return ok
}

func (e *explainer) table(t *table, level int) (done bool, err error) {
	e.result.Places = append(e.result.Places, Place{Kind: "table", Level: level, Table: uint64(t.meta.Num)})
	p := &e.result.Places[len(e.result.Places)-1]
	if p.Covers = t.meta.Covers(e.stored); !p.Covers {
		return false, nil
	}
	r, err := t.open()
	if err != nil {
		return false, err
	}
	trace, err := r.Trace(e.stored, e.hash, e.at)
	p.fill(&trace)
	e.result.TouchedBytes += trace.Touched
	if err != nil {
		return false, err
	}
	p.FalsePositive = trace.HasFilter && trace.Passed && !trace.OK
	v, found, ok := newer(trace.Value, trace.Found, trace.OK, r.RangeDeletes().Newest(e.stored, e.at.Seq()))
	if p.Hit = ok; ok {
		e.decide(v, found)
	}
	return ok, nil
}

func (p *Place) fill(t *sstable.Trace) {
	switch {
	case !t.HasFilter:
		p.Filter = filterNone
	case t.Passed:
		p.Filter = filterMaybe
	default:
		p.Filter = filterNo
	}
	p.BlockOffset, p.BlockBytes, p.Verified = t.Offset, t.Length, t.Verified
	p.Compressed, p.Cached = t.Compressed, t.Cached
	p.Hit, p.TouchedBytes = t.OK, t.Touched
}

// decide notes the entry that the search ends with.
func (e *explainer) decide(v []byte, found key.Trailer) {
	e.value, e.found = v, found
	e.result.Kind = found.Kind().String()
	e.result.EntrySeq = uint64(found.Seq())
}

// settle finds out what that entry amounts to. Of a merge operand the places are those of the newest one.
func (e *explainer) settle(r reader, s *readState) error {
	if e.found == 0 {
		return nil
	}
	v, err := r.resolve(s, e.stored, e.at, e.value, e.found)
	if err != nil && !isNotFound(err) {
		return err
	}
	e.result.Found, e.result.ValueBytes = err == nil, len(v)
	if e.found.Kind() == key.KindSetExpiring {
		expiry, _, _ := key.SplitExpiring(e.value)
		e.result.ExpiresAt = time.Unix(0, expiry)
	}
	return nil
}

// String tells the way line by line, at most 80 columns wide.
func (e *Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "key %s, as of #%d\n", keyText(e.Key), e.Seq)
	if e.Bucket != "" {
		fmt.Fprintf(&b, "  in bucket %s\n", keyText([]byte(e.Bucket)))
	}
	for i := range e.Places {
		fmt.Fprintf(&b, "  %-22s %s\n", e.Places[i].name(), e.Places[i].verdict())
	}
	switch {
	case e.Found:
		fmt.Fprintf(&b, "found #%d,%s with a value of %d bytes", e.EntrySeq, e.Kind, e.ValueBytes)
	case e.Kind == key.KindSetExpiring.String():
		fmt.Fprintf(&b, "absent: #%d,%s has expired", e.EntrySeq, e.Kind)
	case e.Kind != "":
		fmt.Fprintf(&b, "absent: deleted by #%d,%s", e.EntrySeq, e.Kind)
	default:
		b.WriteString("absent: no entry")
	}
	if e.TouchedBytes > 0 {
		fmt.Fprintf(&b, "; touched about %s of tables", sizeText(e.TouchedBytes))
	}
	b.WriteByte('\n')
	if !e.ExpiresAt.IsZero() {
		fmt.Fprintf(&b, "  expires at %s\n", e.ExpiresAt.UTC().Format(time.RFC3339Nano))
	}
	return b.String()
}

// keyText quotes a key, shortened to 48 columns.
func keyText(k []byte) string {
	const width = 48
	text := fmt.Sprintf("%+q", k)
	if len(text) <= width {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes)", text[:width-18], len(k))
}

func (p *Place) name() string {
	switch p.Kind {
	case "memtable":
		return "memtable"
	case "sealed":
		return "sealed memtable"
	case "level":
		return fmt.Sprintf("L%d", p.Level)
	default:
		return fmt.Sprintf("L%d table %06d", p.Level, p.Table)
	}
}

// verdict tells what was met, in at most 54 columns.
func (p *Place) verdict() string {
	switch {
	case p.Kind == "level":
		return "no table covers the key"
	case p.Kind != "table":
		return p.outcome()
	case !p.Covers:
		return "out of bounds"
	case p.Filter == filterNo && p.Hit:
		return "filter: no: a range tombstone"
	case p.Filter == filterNo:
		return "filter: no"
	}
	text := "filter: " + p.Filter
	if p.Filter == filterNone {
		text = "no filter"
	}
	if p.BlockBytes > 0 {
		text += fmt.Sprintf(", %d B at %d", p.BlockBytes, p.BlockOffset)
		switch {
		case p.Cached:
			text += " (cached)"
		case !p.Verified:
			text += " (new)"
		case p.Compressed:
			text += " (packed)"
		}
	}
	return text + ": " + p.outcome()
}

func (p *Place) outcome() string {
	switch {
	case p.Hit:
		return "found"
	case p.FalsePositive:
		return "false positive"
	default:
		return "nothing"
	}
}
