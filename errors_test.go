package tinykv_test

import (
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// An error of opening says what to do about it, to one who has never read its documentation.
func TestErrors_OfOpeningSayWhatToDoNext(t *testing.T) {
	fsys := vfs.NewMem()
	db := mustOpen(t, "/store", &tinykv.Options{FS: fsys, MergeOperator: tinykv.MergeAppend})
	open := func(dir string, change func(*tinykv.Options)) error {
		o := &tinykv.Options{FS: fsys}
		change(o)
		db, err := tinykv.Open(dir, o)
		if err == nil {
			must(t, db.Close())
		}
		return err
	}
	unchanged := func(*tinykv.Options) {}
	readOnly := func(o *tinykv.Options) { o.ReadOnly = true }
	ifMissing := func(o *tinykv.Options) { o.ErrorIfMissing = true }
	ifExists := func(o *tinykv.Options) { o.ErrorIfExists = true }
	second := func(_ any, err error) error { return err }

	wantError(t, open("/store", unchanged), tinykv.ErrLocked, "/store", "close that one", "LockTimeout")
	wantError(t, open("/store", readOnly), tinykv.ErrLocked, "/store", "close that one", "LockTimeout")
	wantError(t, second(tinykv.Verify(t.Context(), "/store", &tinykv.VerifyOptions{FS: fsys})), tinykv.ErrLocked, "call its Verify")
	wantError(t, second(tinykv.Repair(t.Context(), "/store", "/copy", &tinykv.RepairOptions{FS: fsys})), tinykv.ErrLocked, "close that one")
	must(t, db.Close())

	wantError(t, open("/store", ifExists), tinykv.ErrExists, "/store", "without Options.ErrorIfExists")
	wantError(t, open("/none", ifMissing), tinykv.ErrMissing, "/none", "check the path", "without Options.ErrorIfMissing")
	wantError(t, open("/none", readOnly), tinykv.ErrMissing, "/none", "check the path", "Options.ReadOnly")
	wantError(t, open("", unchanged), tinykv.ErrInvalidOption, "no name")
	wantError(t, second(tinykv.Repair(t.Context(), "", "/copy", &tinykv.RepairOptions{FS: fsys})), tinykv.ErrInvalidOption, "no name")
	wantError(t, open("/store", func(o *tinykv.Options) { ifExists(o); ifMissing(o) }), tinykv.ErrInvalidOption, "ErrorIfExists and ErrorIfMissing exclude each other")
	wantError(t, open("/store", func(o *tinykv.Options) { ifExists(o); readOnly(o) }), tinykv.ErrInvalidOption, "ErrorIfExists and ReadOnly exclude each other")
	wantError(t, open("/store", func(o *tinykv.Options) { o.MergeOperator = tinykv.BuiltinMerge(9) }), tinykv.ErrInvalidOption, "BuiltinMerge(9)", "MergeAppend")
	wantError(t, open("/store", func(o *tinykv.Options) { o.MergeOperator = tinykv.MergeMax }), tinykv.ErrInvalidOption, "tinykv.max", "tinykv.append")
}

func TestErrors_OfAConflictSayWhatToDoNext(t *testing.T) {
	db := mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem()})
	k := []byte("k")
	disturbed := func(tx *tinykv.Tx) error {
		if _, err := tx.Has(k); err != nil {
			return err
		}
		must(t, tx.Put([]byte("other"), nil))
		return db.Put(k, nil)
	}
	wantError(t, db.Update(disturbed), tinykv.ErrConflict, "10 times", "shorter")
	tx, err := db.Begin(true)
	must(t, err)
	must(t, disturbed(tx))
	wantError(t, tx.Commit(), tinykv.ErrConflict, "try it again")
}
