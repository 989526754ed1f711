package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
)

type serveCommand struct {
	Listen    string `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Where to listen."`
	Classroom bool   `help:"Also serve a store of tiny sizes whose process may be killed."`
}

// Run serves the store until it is interrupted.
func (c *serveCommand) Run(e *environment) error {
	events := server.NewEventLog()
	return e.with(&tinykv.Options{Events: events.Events()}, func(db *tinykv.DB) error { return c.serve(e, db, events) })
}

// serve serves an open store until it is interrupted.
func (c *serveCommand) serve(e *environment, db *tinykv.DB, events *server.EventLog) error {
	o := &server.Options{Address: c.Listen, Events: events}
	if c.Classroom {
		room, closeRoom, err := openClassroom(e.ctx)
		if err != nil {
			return err
		}
		defer closeRoom()
		o.Classroom = room
	}
	s, err := server.New(db, o)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	h := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	if commands, err := listenSocket(e.db); err != nil {
		e.say("tinykv: commands will not find this server: %v", err)
	} else {
		go func() { _ = h.Serve(commands) }()
	}
	e.say("http://%s/", l.Addr())
	context.AfterFunc(e.ctx, func() { _ = h.Close() })
	if err := h.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}
