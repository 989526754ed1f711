package server

import (
	"errors"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// Whoever asks whether all is well is told when the store has failed; it is mended over REST, too.
func TestHealth_OfAStoreThatHasFailedIsBad(t *testing.T) {
	files := simfs.New()
	db, err := tinykv.Open("db", &tinykv.Options{FS: files})
	if err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, db, nil)
	s.get("/healthz").want(200, "ok")
	files.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpSync), DropDirty: true})
	if err := db.Put([]byte("a"), nil, tinykv.Sync); !errors.Is(err, tinykv.ErrFailed) {
		t.Fatalf("the store has not failed: %v", err)
	}
	files.Clear()
	s.get("/healthz").wantError(503, "failed")
	s.send("PUT", "/v1/keys/a", "1").wantError(503, "failed")
	s.send("POST", "/v1/resume", "").want(204, "")
	s.get("/healthz").want(200, "ok")
	s.send("PUT", "/v1/keys/a", "1").want(204, "")
}
