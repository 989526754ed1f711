//go:build linux

package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
	"github.com/tinykv/tinykv/server/classroom"
)

// The test program is also the child of the classroom.
func TestMain(m *testing.M) {
	dir := os.Getenv("CLASSROOM_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := beChild(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// beChild serves a store of tiny sizes until standard input ends.
func beChild(dir string) error {
	events := server.NewEventLog()
	hooks := events.Events()
	var found classroom.Ready
	opened := hooks.Opened
	hooks.Opened = func(i tinykv.OpenInfo) {
		found = classroom.Ready{Records: i.Records, LogBytes: i.LogBytes}
		opened(i)
	}
	db, err := tinykv.Open(filepath.Join(dir, "db"), &tinykv.Options{
		MemoryBudget: 2 << 20, MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, CacheSize: 256 << 10, Events: hooks,
	})
	if err != nil {
		return err
	}
	s, err := server.New(db, &server.Options{Events: events, Motion: true})
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, "s")); err != nil && !errors.Is(err, os.ErrNotExist) { // of one that was killed
		return err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		return err
	}
	h := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = h.Close()
	}()
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		return err
	}
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	events.Release()
	return db.Close()
}

// newClassroom starts a classroom in a process of its own.
func newClassroom(t *testing.T) *classroom.Room {
	t.Helper()
	dir, err := os.MkdirTemp("", "room-") // short: the path of a socket has at most some hundred bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	room, err := classroom.Open(t.Context(), classroom.Options{Socket: filepath.Join(dir, "s"), Command: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CLASSROOM_DIR="+dir)
		cmd.Stderr = os.Stderr
		return cmd
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Close() })
	return room
}
