package manifest

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/wal"
)

// Without CURRENT, a manifest counts only if it has reached further than all others in every respect: else nothing tells which
// is the newest.
func TestSalvage_WithoutCurrentTakesTheManifestThatLeadsInAllRespects(t *testing.T) {
	state := func(seq key.SeqNum, next FileNum, log wal.SegmentNum) State {
		s := empty()
		s.LastSeq, s.NextFile, s.Log.First = seq, next, log
		return s
	}
	other := state(5, 50, 5)
	other.Store++
	for _, c := range []struct {
		what  string
		rival State
		want  FileNum // 0: the state is not known
	}{
		{"behind in all respects", state(4, 40, 4), 2},
		{"the same", state(5, 50, 5), 3},
		{"ahead in all respects", state(6, 60, 6), 3},
		{"ahead in file numbers alone", state(4, 60, 5), 0},
		{"ahead in the log alone", state(4, 40, 6), 0},
		{"of another store", other, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newStore(t)
			for num, state := range map[FileNum]State{2: state(5, 50, 5), 3: c.rival} {
				m, err := New(options(s.sim), num, uint64(num), state)
				must(t, err)
				must(t, errors.Join(m.Switch(), m.Close()))
			}
			must(t, s.sim.Remove(filepath.Join(dir, CurrentName)))
			got, err := Salvage(options(s.sim), []FileNum{2, 3}, func(error) {})
			must(t, err)
			num := FileNum(0)
			if got.Known != nil {
				num = got.Known.Manifest
			}
			same(t, num, c.want)
		})
	}
}
