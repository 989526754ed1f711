package tinykv

import (
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// A table that is made before its turn has the ids of buckets in it, also of those that are not there. These get the ids that they would
// be given now. When it is the table's turn the leader makes them, if nothing has come in between, as another
// new bucket; else the table is made anew. So a write that comes to nothing, by a conflict or its condition, leaves no bucket behind.

// spaceFinder knows the ids of names: those of the store, or those and some guessed.
type spaceFinder interface {
	Find(name string) (key.Space, bool)
}

// guessedSpaces are keyspaces with some that are yet to be made.
type guessedSpaces struct {
	now  *manifest.Spaces
	next []manifest.NamedSpace
}

// Find implements spaceFinder.
func (g *guessedSpaces) Find(name string) (key.Space, bool) {
	if id, ok := g.now.Find(name); ok {
		return id, true
	}
	for _, s := range g.next {
		if s.Name == name {
			return s.ID, true
		}
	}
	return 0, false
}

// guess returns what keyspaces there are once those among the names are made that are not there.
func guess(now *manifest.Spaces, names []string) (*guessedSpaces, error) {
	g := &guessedSpaces{now: now}
	last := now.Last()
	for _, name := range names {
		if _, ok := g.Find(name); ok {
			continue
		}
		if last == key.MaxSpace {
			return nil, errSpaces
		}
		last++
		g.next = append(g.next, manifest.NamedSpace{ID: last, Name: name})
	}
	return g, nil
}

// prepareBound writes the table of a batch that may have names of buckets, with the ids that they have or would get.
func (db *DB) prepareBound(b *Batch, level manifest.Level) (*largeWrite, error) {
	spaces, err := guess(db.spaces.Load(), b.names)
	if err != nil {
		return nil, err
	}
	return db.prepareLarge(b.bindTo(spaces), level)
}

// confirm makes the buckets that a table's batch has guessed ids of, or returns errDropped when they would get others. Only the leader
// calls it.
func (db *DB) confirm(b *Batch) error {
	if b.isBoundTo(db.spaces.Load()) {
		return nil
	}
	spaces, err := guess(db.spaces.Load(), b.named().names)
	if err != nil {
		return err
	}
	if !b.isBoundTo(spaces) {
		return errDropped
	}
	return db.makeBuckets(b.named().names...)
}

// bindByGuess is bind for a write with merges, by the ids that buckets have or would get. It returns the names, for whoever makes the
// buckets. Only the leader calls it, so that the guess is right.
func (db *DB) bindByGuess(w *write) (names []string, err error) {
	if w.spaces == nil {
		return nil, nil
	}
	names = w.buckets()
	spaces, err := guess(db.spaces.Load(), names)
	if err != nil {
		return nil, err
	}
	if w.batch != nil {
		w.batch = w.batch.named().bindTo(spaces)
	} else {
		w.space, _ = spaces.Find(w.bucket.name)
	}
	return names, nil
}
