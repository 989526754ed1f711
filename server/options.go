package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server/classroom"
)

// Options say what is served, to whom, and how much of it. The zero value of every field means its default.
type Options struct {
	// Address is where to listen. Default: 127.0.0.1:0, a free port; nowhere, if there is a Socket.
	Address string

	// Socket is the path of a socket in the file system on which to listen, too, for the user of this process alone, who needs no token. Its directory
	// is made if need be, and must be private. Default: none.
	Socket string

	// Tokens let peers in. Default: none, so that everybody is let in who gets here; then Address must be one that other machines do not reach.
	Tokens []Token

	// CertFile and KeyFile are a certificate and its key in PEM, by which to speak TLS. They are read anew when they change. Default: none.
	CertFile, KeyFile string

	// AllowHosts are names by which requests may call this server, beside localhost, its addresses, and the name in Address.
	AllowHosts []string

	// AllowOrigins are the origins of other pages that may send requests, such as https://admin.example.com.
	AllowOrigins []string

	// Pprof serves /debug/pprof to those of ScopeAdmin. Default: false.
	Pprof bool

	// Ready is called by Serve when it listens, with the address. Default: nobody.
	Ready func(addr net.Addr)

	// Version is what the server says it is. Default: what the program was built from.
	Version string

	// ReadOnly refuses all requests that change anything.
	ReadOnly bool

	// MaxBody is the size of the largest body of a request that is not a stream, in bytes. Default: 8 MiB.
	MaxBody int64

	// MaxImport is the size of the largest import, in bytes. Default: 1 GiB.
	MaxImport int64

	// MaxMemory is how much memory requests may use together for bodies and answers, and for what transactions hold, in bytes; what goes beyond is
	// refused. Small requests are always answered. Default: 256 MiB.
	MaxMemory int64

	// MaxHeader is the size of the largest header of a request, address included, in bytes. Default: 16 KiB.
	MaxHeader int

	// MaxConnections is how many connections there may be. A new one takes the place of that whose peer is waited for longest: for a request, for the rest of
	// one, or to take an answer; and when none is waited for, that of the stream that has told nothing for longest. Default: 1024.
	MaxConnections int

	// HeaderTimeout is how long a request may take to say what it wants. Default: 5 s.
	HeaderTimeout time.Duration

	// IdleTimeout is how long a connection stays open between requests. Default: 120 s.
	IdleTimeout time.Duration

	// RequestTimeout is how long a request may take, its body and its answer, and each MiB of one that is a stream. Default: 30 s.
	RequestTimeout time.Duration

	// DrainTimeout is how long requests have when the server is to stop. Default: 10 s.
	DrainTimeout time.Duration

	// TransactionLease is how long a transaction of several requests stays open when nobody asks for it. Default: 30 s.
	TransactionLease time.Duration

	// MaxTransactions is how many of them a peer may have open: a token, or an address where no token is asked for. All together may have 16 times as
	// many. Default: 64.
	MaxTransactions int

	// Events is where the store tells what it does, for those who watch it over a WebSocket: see [NewEventLog]. Default: nowhere.
	Events *EventLog

	// Motion lets peers slow down flushes and compactions, so that people can watch them; it needs Events. Default: false.
	Motion bool

	// Classroom is a process with a store of its own, whose plug peers may pull. The caller closes it, after the server. Default: none.
	Classroom *classroom.Room

	// MaxWatches is how many watches there may be at once. Default: 256.
	MaxWatches int

	// MaxJobs is how many imports, exports, verifications and compactions there may be at once. Exports, which may take as long as a peer likes that may
	// only read, leave one of them to the others, if it is more than one. Default: 4.
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
	if least := min(
		c.MaxBody, c.MaxImport, c.MaxMemory, int64(c.MaxHeader), int64(c.MaxConnections), int64(c.MaxTransactions), int64(c.MaxWatches), int64(c.MaxJobs),
		int64(c.HeaderTimeout), int64(c.IdleTimeout), int64(c.RequestTimeout), int64(c.DrainTimeout), int64(c.TransactionLease),
	); least < 0 {
		return c, fmt.Errorf("server: a limit is negative: %w", tinykv.ErrInvalidOption)
	}
	if c.Classroom != nil && len(c.Tokens) > 0 {
		return c, fmt.Errorf("server: a classroom is for servers without tokens, as a browser cannot show one when it opens a WebSocket: %w", tinykv.ErrInvalidOption)
	}
	if c.Motion && c.Events == nil {
		return c, fmt.Errorf("%w: Motion needs Events", tinykv.ErrInvalidOption)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return c, fmt.Errorf("server: a certificate needs a key, and a key a certificate: %w", tinykv.ErrInvalidOption)
	}
	c.MaxMemory = cmp.Or(c.MaxMemory, 256<<20)
	c.MaxHeader = cmp.Or(c.MaxHeader, 16<<10)
	c.MaxConnections = cmp.Or(c.MaxConnections, 1024)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, 5*time.Second)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 120*time.Second)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 30*time.Second)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 10*time.Second)
	c.MaxBody = cmp.Or(c.MaxBody, 8<<20)
	c.MaxImport = cmp.Or(c.MaxImport, 1<<30)
	c.TransactionLease = cmp.Or(c.TransactionLease, 30*time.Second)
	c.MaxWatches = cmp.Or(c.MaxWatches, 256)
	c.MaxJobs = cmp.Or(c.MaxJobs, 4)
	c.MaxTransactions = cmp.Or(c.MaxTransactions, 64)
	if c.Address == "" && c.Socket == "" {
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
