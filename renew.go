package tinykv

import (
	"errors"
	"path/filepath"

	"github.com/tinykv/tinykv/manifest"
)

// A manifest that has grown much longer than a fresh one would be is replaced, in the background: the
// store goes on adding edits to the old one meanwhile.
//
//  1. The fresh manifest is written from a state of the old one and synced, with its name. Edits that
//     are made meanwhile are noted.
//  2. The fresh one gets these too. From now on every edit is made durable in both before it counts.
//  3. CURRENT is switched. Whatever a crash leaves it at, the manifest that it names has every edit.
//  4. The old one gets no more edits, is closed and removed.
//
// Failing before the third step harms nothing. Failing in it leaves unknown which manifest is in
// force, and fails the store.

// renewal is a manifest being replaced. All fields are guarded by DB.manifestMu.
type renewal struct {
	noting bool
	noted  []notedEdit        // in the old manifest, not yet in the fresh one
	fresh  *manifest.Manifest // from the second step on
}

// close closes the manifest that a renewal left behind which failed in its switch.
func (r *renewal) close() error {
	if r.fresh == nil {
		return nil
	}
	return r.fresh.Close()
}

// notedEdit is an edit and the state that it led to.
type notedEdit struct {
	edit  *manifest.Edit
	state manifest.State
}

// maxCatchUps bounds how often the fresh manifest is brought nearer to the old one without holding up
// anybody.
const maxCatchUps = 8

// appendEdit makes an edit durable and part of the manifest's state. db.manifestMu is held. When it
// fails without failing the manifest, nothing has changed.
func (db *DB) appendEdit(e *manifest.Edit) error {
	r := &db.renewal
	next, err := db.manifest.State().Apply(e)
	if err != nil {
		return err
	}
	if r.fresh == nil {
		if err := db.manifest.Follow(e, next); err != nil {
			return err
		}
		if r.noting {
			r.noted = append(r.noted, notedEdit{e, next})
		}
		return nil
	}
	// Room first: for want of it neither must have what the other has not.
	if err := errors.Join(db.manifest.Reserve(e), r.fresh.Reserve(e)); err != nil {
		return err
	}
	followed := db.later(func() error { return r.fresh.Follow(e, next) })
	err = db.manifest.Follow(e, next)
	if err = errors.Join(err, followed()); err != nil {
		return db.latch(err)
	}
	return nil
}

// scheduleRenewal has the manifest replaced when it is due. db.manifestMu is held.
func (db *DB) scheduleRenewal() {
	if now, atFirst := db.manifest.Size(); db.renewal.fresh != nil || now < 2*atFirst+db.opts.internal.manifestGrowth {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.renewing && !db.closing && !db.resuming {
		db.renewing = true
		db.spawnLocked(db.renewManifest)
	}
}

// renewManifest replaces the manifest.
func (db *DB) renewManifest() {
	defer db.step("manifest")()
	fresh, err := db.freshManifest()
	if err == nil {
		db.step("manifest made")()
		err = db.catchUp(fresh)
	}
	if err != nil {
		db.abandonRenewal(fresh)
		db.report("renew manifest", err)
		return
	}
	old := db.inForce()
	db.step("manifest switch")()
	if err := fresh.Switch(); err != nil {
		_ = db.fail(err)
		db.endRenewal(renewal{fresh: fresh}, old) // both go on, as it is not known which one is in force
		return
	}
	db.step("manifest switched")()
	db.endRenewal(renewal{}, fresh)
	db.stats.manifests.Add(1)
	if err := old.Close(); err != nil {
		db.report("close manifest", err)
	}
	db.scheduleRemoval(filepath.Join(db.dir, manifest.Name(manifest.FileManifest, old.Num())), 0)
}

// inForce returns the manifest that edits go to. None but a renewal and Resume replace it.
func (db *DB) inForce() *manifest.Manifest {
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	return db.manifest
}

// renewsNow tells whether a renewal is under way. With db.manifestMu held it cannot end meanwhile.
func (db *DB) renewsNow() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.renewing
}

// endRenewal notes that the goroutine of a renewal ends, what is left of it, and which manifest is in force.
func (db *DB) endRenewal(left renewal, inForce *manifest.Manifest) {
	db.manifestMu.Lock()
	defer db.manifestMu.Unlock()
	db.manifest, db.renewal = inForce, left
	db.mu.Lock()
	defer db.mu.Unlock()
	db.renewing = false
	db.changed.Broadcast()
}

// freshManifest writes a manifest of the present state and begins to note what comes after.
func (db *DB) freshManifest() (*manifest.Manifest, error) {
	db.manifestMu.Lock()
	state := db.manifest.State()
	db.renewal.noting = true
	db.manifestMu.Unlock()
	num := db.newFileNum()
	state.NextFile = manifest.FileNum(db.nextFile.Load())
	return manifest.New(db.manifestOptions(), num, db.opts.internal.random(), state)
}

// catchUp gives the fresh manifest the edits that were noted until there are none, and has it take
// part in every edit from then on.
func (db *DB) catchUp(fresh *manifest.Manifest) error {
	for round := 0; ; round++ {
		db.manifestMu.Lock()
		noted := db.renewal.noted
		db.renewal.noted = nil
		if len(noted) == 0 || round == maxCatchUps {
			defer db.manifestMu.Unlock()
			if err := follow(fresh, noted); err != nil {
				return err
			}
			db.renewal.noting, db.renewal.fresh = false, fresh
			return nil
		}
		db.manifestMu.Unlock()
		if err := follow(fresh, noted); err != nil {
			return err
		}
	}
}

func follow(m *manifest.Manifest, noted []notedEdit) error {
	for _, n := range noted {
		if err := m.Follow(n.edit, n.state); err != nil {
			return err
		}
	}
	return nil
}

// abandonRenewal leaves the old manifest in force and removes the fresh one, if there is one.
func (db *DB) abandonRenewal(fresh *manifest.Manifest) {
	db.endRenewal(renewal{}, db.inForce())
	if fresh != nil {
		if err := fresh.Close(); err != nil {
			db.report("close manifest", err)
		}
		db.scheduleRemoval(filepath.Join(db.dir, manifest.Name(manifest.FileManifest, fresh.Num())), 0)
	}
}
