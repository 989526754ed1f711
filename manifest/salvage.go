package manifest

import (
	"cmp"
	"errors"
	"slices"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/onebit"
	"github.com/tinykv/tinykv/wal"
)

// Salvaged is what can be told of the books of a store that may be damaged.
type Salvaged struct {
	// Known is the state, when it is known to be the newest; else nil.
	Known *Loaded

	// Otherwise, what the edits say that can be read.
	Store   uint64 // 0 when nothing can be read
	LastSeq uint64
	Tables  map[FileNum]AddedTable // those that were added last, as far as is known
	Gone    map[FileNum]bool       // those that left
	Spaces  *Spaces

	MergeOperator string // empty: none, as far as is known
}

// Salvage reads the books of a store that may be damaged; nums are the numbers of its manifest files. It
// tells of all damage, and changes nothing. The state is known to be the newest where
//
//  1. CURRENT and the manifest that it names are as [Load] wants them;
//  2. or that manifest was sealed, and all edits up to the sealed length are intact, though unused
//     bytes between or behind them are not;
//  3. or CURRENT cannot be read, but every manifest file can, all are of one store, and one has
//     reached further than all others. (Whatever happens at a switch of CURRENT: the manifest that has all edits
//     is the one that counts, or one that says the same.)
//
// The error is one that is no damage: ErrTooNew.
func Salvage(opts Options, nums []FileNum, damage func(error)) (*Salvaged, error) {
	c, err := readCurrent(opts.FS, opts.Dir)
	switch {
	case errors.Is(err, corrupt.ErrTooNew):
		return nil, err
	case err != nil:
		damage(err)
	case c == nil:
		damage(corrupt.Errorf("store", "%s is missing", CurrentName).At(0).In(opts.path(CurrentName)))
	}
	var known *Loaded
	if c != nil {
		known, err = salvageNamed(opts, c, damage)
	} else {
		known, err = salvageUnnamed(opts, nums, damage)
	}
	if known != nil || err != nil {
		return &Salvaged{Known: known}, err
	}
	return salvageEdits(opts, c, nums)
}

// salvageNamed returns the state of the manifest that CURRENT names, if it is known.
func salvageNamed(opts Options, c *current, damage func(error)) (*Loaded, error) {
	loaded, err := loadNamed(opts, c)
	if err == nil || errors.Is(err, corrupt.ErrTooNew) {
		return loaded, err
	}
	damage(err)
	if c.seal == nil {
		return nil, nil
	}
	state, end, whole := State{Store: c.store, Version: &Version{}}, int64(wal.HeaderLen), true
	edits := 0
	err = inspect(opts, c.manifest, c.store, func(p wal.Part, e *Edit) {
		if !whole || p.Offset >= c.seal.Length {
			return
		}
		var err error
		if whole = e != nil; whole {
			if state, err = state.Apply(e); err != nil {
				whole = false
			}
		}
		end = p.End
		edits++
	})
	if !whole || end != c.seal.Length || errors.Is(err, corrupt.ErrTooNew) || state.NextFile == 0 || state.Log.First == 0 {
		return nil, nil
	}
	return &Loaded{State: state, Manifest: c.manifest, Edits: edits, Sealed: true}, nil
}

// salvageUnnamed returns the state of the manifest that CURRENT must have named, if that is known.
func salvageUnnamed(opts Options, nums []FileNum, damage func(error)) (*Loaded, error) {
	var all []*Loaded
	unsure := false
	for _, num := range nums {
		store, err := storeOf(opts, num)
		var loaded *Loaded
		if err == nil {
			loaded, err = loadNamed(opts, &current{store: store, manifest: num})
		}
		switch {
		case errors.Is(err, corrupt.ErrTooNew):
			return nil, err
		case err != nil:
			damage(err)
			unsure = true
		default:
			all = append(all, loaded)
		}
	}
	if len(all) == 0 || unsure {
		return nil, nil
	}
	slices.SortFunc(all, func(a, b *Loaded) int {
		return cmp.Or(cmp.Compare(a.LastSeq, b.LastSeq), cmp.Compare(a.NextFile, b.NextFile), cmp.Compare(a.Manifest, b.Manifest))
	})
	best := all[len(all)-1]
	for _, other := range all {
		if other.Store != best.Store || other.NextFile > best.NextFile || other.Log.First > best.Log.First {
			return nil, nil
		}
	}
	return best, nil
}

// salvageEdits gathers what all manifests say, oldest first, passing over damage.
func salvageEdits(opts Options, c *current, nums []FileNum) (*Salvaged, error) {
	s := &Salvaged{Tables: map[FileNum]AddedTable{}, Gone: map[FileNum]bool{}}
	if c != nil {
		s.Store = c.store
	}
	for _, num := range slices.Sorted(slices.Values(nums)) {
		store, err := storeOf(opts, num)
		if err != nil || s.Store != 0 && store != s.Store {
			continue
		}
		s.Store = store
		err = inspect(opts, num, store, func(p wal.Part, e *Edit) {
			if e != nil {
				s.follow(e, p.Offset == wal.HeaderLen)
			}
		})
		if errors.Is(err, corrupt.ErrTooNew) {
			return nil, err
		}
	}
	return s, nil
}

// follow notes what an edit says; the first of a manifest lists all tables.
func (s *Salvaged) follow(e *Edit, first bool) {
	s.LastSeq = max(s.LastSeq, uint64(e.LastSeq))
	if first {
		for num := range s.Tables {
			s.Gone[num] = true
		}
		clear(s.Tables)
		s.Spaces = nil
	}
	if e.MergeOperator != "" {
		s.MergeOperator = e.MergeOperator
	}
	if spaces, err := s.Spaces.apply(e); err == nil { // else edits before it are missing; what they named stays
		s.Spaces = spaces
	}
	for _, d := range e.Deleted {
		delete(s.Tables, d.Num)
		s.Gone[d.Num] = true
	}
	for _, a := range e.Added { // also those that were moved
		s.Tables[a.Table.Num] = a
		delete(s.Gone, a.Table.Num)
	}
}

// inspect calls part with each part of a manifest of a store, and the edit in it, which is nil where there is
// damage.
func inspect(opts Options, num FileNum, store uint64, part func(wal.Part, *Edit)) error {
	path := opts.path(Name(FileManifest, num))
	return wal.Inspect(opts.FS, path, func(i wal.SegmentInfo) error { return checkHeader(i, num, store, path) }, func(p wal.Part) error {
		if p.Damaged {
			part(p, nil)
			return nil
		}
		e, err := DecodeEdit(p.Payload)
		if errors.Is(err, corrupt.ErrTooNew) {
			return err
		}
		part(p, e)
		return nil
	})
}

func checkHeader(i wal.SegmentInfo, num FileNum, store uint64, path string) error {
	if i.NeverUsed || i.Purpose != wal.PurposeManifest || i.Number != wal.SegmentNum(num) || store != 0 && i.Store != store {
		return corrupt.Errorf("segment header", "is not that of manifest %d", num).At(0).In(path)
	}
	return nil
}

// errEnough ends an inspection.
var errEnough = errors.New("enough")

// storeOf returns the id of the store that a manifest file belongs to.
func storeOf(opts Options, num FileNum) (store uint64, err error) {
	path := opts.path(Name(FileManifest, num))
	err = wal.Inspect(opts.FS, path, func(i wal.SegmentInfo) error {
		store = i.Store
		return cmp.Or(checkHeader(i, num, 0, path), errEnough)
	}, func(wal.Part) error { return nil })
	if errors.Is(err, errEnough) {
		err = nil
	}
	return store, err
}

// MendCurrent puts right the text of a CURRENT of which one bit was flipped, and tells whether it did.
func MendCurrent(text []byte) bool {
	if _, err := decodeCurrent(text); !errors.Is(err, corrupt.ErrCorrupt) || len(text) > maxCurrentLen {
		return false
	}
	for bit := range 8 * len(text) {
		onebit.Flip(text, bit)
		if _, err := decodeCurrent(text); err == nil {
			return true
		}
		onebit.Flip(text, bit)
	}
	return false
}
