package main

import (
	"log/slog"
	"net"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
)

type serveCommand struct {
	Create      bool     `help:"Make the store if it is not there."`
	Listen      string   `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Where to listen. What other machines reach needs a token."`
	Classroom   bool     `help:"Also serve a store of tiny sizes whose process may be killed."`
	ReadOnly    bool     `help:"Refuse all that changes anything."`
	TokenFile   string   `given:"" placeholder:"FILE" help:"Let in whoever shows a token that is in the file, which must be for its owner alone: a line for each, read:, write: or admin: and a long random text. The environment variable TINYKV_TOKEN may hold one for everything."`
	TLSCert     string   `given:"" name:"tls-cert" placeholder:"FILE" help:"Certificate, in PEM, to speak TLS."`
	TLSKey      string   `given:"" name:"tls-key" placeholder:"FILE" help:"Key of the certificate."`
	AllowHost   []string `placeholder:"NAME" help:"A further name by which this server is called."`
	AllowOrigin []string `placeholder:"ORIGIN" help:"The origin of pages elsewhere that may use this server, as https://admin.example.com."`
	Pprof       bool     `help:"Serve profiles under /debug/pprof."`
}

// Run serves the store until it is interrupted.
func (c *serveCommand) Run(e *environment) error {
	events := server.NewEventLog()
	return e.with(&tinykv.Options{Events: events.Events(), ErrorIfMissing: !c.Create}, func(db *tinykv.DB) error { return c.serve(e, db, events) })
}

// serve serves an open store until it is interrupted.
func (c *serveCommand) serve(e *environment, db *tinykv.DB, events *server.EventLog) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Events = events
	o.Ready = func(at net.Addr) { e.say("%s://%s/", c.scheme(), at) }
	o.Logger = slog.New(slog.NewTextHandler(e.errors, nil))
	if socket, err := socketPath(e.db); err == nil {
		o.Socket = socket
	} else {
		e.say("tinykv: commands will not find this server: %v", err)
	}
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
	return s.Serve(e.ctx)
}

func (c *serveCommand) scheme() string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}

// options are those of the command line.
func (c *serveCommand) options() (*server.Options, error) {
	tokens, err := readTokens(c.TokenFile)
	if err != nil {
		return nil, err
	}
	return &server.Options{
		Address: c.Listen, Tokens: tokens, CertFile: c.TLSCert, KeyFile: c.TLSKey, ReadOnly: c.ReadOnly,
		AllowHosts: c.AllowHost, AllowOrigins: c.AllowOrigin, Pprof: c.Pprof, Version: version(),
	}, nil
}
