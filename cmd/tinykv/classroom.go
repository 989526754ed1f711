package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
	"github.com/tinykv/tinykv/server/classroom"
)

// openClassroom starts a process with a store of tiny sizes in a directory of its own, which goes when the room is closed.
func openClassroom(ctx context.Context) (room *classroom.Room, closeRoom func() error, err error) {
	dir, err := classroomDir()
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	socket := filepath.Join(dir, "s")
	room, err = classroom.Open(ctx, classroom.Options{Socket: socket, Command: func() *exec.Cmd {
		cmd := exec.Command(self, "classroom", "--db", filepath.Join(dir, "db"), "--socket", socket, "--temporary", dir)
		cmd.Stderr = os.Stderr
		separate(cmd) // an interrupt is for the parent, which ends it
		return cmd
	}})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return room, func() error { return errors.Join(room.Close(), os.RemoveAll(dir)) }, nil
}

// classroomDir makes a directory for the user alone, whose path is short enough for that of a socket in it.
func classroomDir() (string, error) {
	const name = "tinykv-classroom-"
	top := os.TempDir()
	if len(top) > maxSocketPath-len(name)-20 {
		top = shortTemporary
	}
	return os.MkdirTemp(top, name)
}

// classroomCommand is the child of a classroom. It is not for people.
type classroomCommand struct {
	Socket    string `required:"" help:"Where to listen."`
	Temporary string `help:"A directory to be removed at the end: a parent that was killed leaves it behind."`
}

// Sizes so small that everything happens soon.
func classroomSizes(events *server.EventLog, found *classroom.Ready) *tinykv.Options {
	hooks := events.Events()
	opened := hooks.Opened
	hooks.Opened = func(i tinykv.OpenInfo) {
		*found = classroom.Ready{Records: i.Records, LogBytes: i.LogBytes}
		opened(i)
	}
	return &tinykv.Options{
		MemoryBudget: 2 << 20, MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, CacheSize: 256 << 10,
		MergeOperator: tinykv.MergeAddInt64, Events: hooks,
	}
}

// Run serves until standard input ends, as it does when the parent is gone, however it went.
func (c *classroomCommand) Run(e *environment) error {
	if c.Temporary != "" {
		defer os.RemoveAll(c.Temporary)
	}
	events := server.NewEventLog()
	var found classroom.Ready
	return e.with(classroomSizes(events, &found), func(db *tinykv.DB) error {
		defer events.Release()
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		s, err := server.New(db, &server.Options{Socket: c.Socket, Events: events, Motion: true, Ready: func(net.Addr) {
			_ = json.NewEncoder(e.out).Encode(found)
			_ = e.out.Flush() // a parent that does not take it is gone
		}})
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(io.Discard, e.in)
			cancel()
		}()
		return s.Serve(ctx)
	})
}
