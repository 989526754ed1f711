package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server/classroom"
)

// Options say what is served, to whom, and how much of it. The zero value of every field means its default.
type Options struct {
	// Address is where to listen. Default: 127.0.0.1:0, a free port.
	Address string

	// Version is what the server says it is. Default: what the program was built from.
	Version string

	// ReadOnly refuses all requests that change anything.
	ReadOnly bool

	// MaxBody is the size of the largest body of a request that is not a stream, in bytes. Default: 8 MiB.
	MaxBody int64

	// MaxImport is the size of the largest import, in bytes. Default: 1 GiB.
	MaxImport int64

	// TransactionLease is how long a transaction of several requests stays open when nobody asks for it. Default: 30 s.
	TransactionLease time.Duration

	// MaxTransactions is how many of them a peer may have open: a token, or an address where no token is asked for. Default: 64.
	MaxTransactions int

	// Events is where the store tells what it does, for those who watch it over a WebSocket: see [NewEventLog]. Default: nowhere.
	Events *EventLog

	// Motion lets peers slow down flushes and compactions, so that people can watch them; it needs Events. Default: false.
	Motion bool

	// Classroom is a process with a store of its own, whose plug peers may pull. The caller closes it, after the server. Default: none.
	Classroom *classroom.Room

	// MaxWatches is how many watches there may be at once. Default: 256.
	MaxWatches int

	// MaxJobs is how many imports, exports, verifications and compactions there may be at once. Default: 4.
	MaxJobs int

	// Logger is told of failures; never of keys, values or tokens. Default: nobody.
	Logger *slog.Logger
}

// complete returns the options with their defaults.
func (o *Options) complete() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.MaxBody < 0 || c.MaxImport < 0 || c.TransactionLease < 0 || c.MaxTransactions < 0 || c.MaxWatches < 0 || c.MaxJobs < 0 {
		return c, fmt.Errorf("server: a limit is negative: %w", tinykv.ErrInvalidOption)
	}
	if c.Motion && c.Events == nil {
		return c, fmt.Errorf("%w: Motion needs Events", tinykv.ErrInvalidOption)
	}
	c.MaxBody = cmp.Or(c.MaxBody, 8<<20)
	c.MaxImport = cmp.Or(c.MaxImport, 1<<30)
	c.TransactionLease = cmp.Or(c.TransactionLease, 30*time.Second)
	c.MaxWatches = cmp.Or(c.MaxWatches, 256)
	c.MaxJobs = cmp.Or(c.MaxJobs, 4)
	c.MaxTransactions = cmp.Or(c.MaxTransactions, 64)
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if info, ok := debug.ReadBuildInfo(); ok && c.Version == "" {
		c.Version = info.Main.Version
	}
	return c, nil
}
