package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
)

// The exit codes.
const (
	exitDone = iota
	exitNotFound
	exitUsage
	exitDamaged
	exitLocked
	exitFailed
)

// commandLine is everything that may stand on it.
type commandLine struct {
	DB      string           `given:"" complete:"dir" short:"d" name:"db" placeholder:"DIR" help:"Directory of the store. Default: $TINYKV_DB."`
	Server  string           `given:"" placeholder:"URL" help:"Ask this server instead, whose token is in $TINYKV_TOKEN. Default: $TINYKV_SERVER."`
	Version kong.VersionFlag `help:"Print the version."`

	// Keys and values.
	Get     getCommand     `cmd:"" group:"keys" help:"Print the value of a key."`
	Put     putCommand     `cmd:"" group:"keys" help:"Give a key a value."`
	Del     delCommand     `cmd:"" group:"keys" help:"Delete keys, or a range of them."`
	Scan    scanCommand    `cmd:"" group:"keys" help:"Print keys and values in order."`
	Count   countCommand   `cmd:"" group:"keys" help:"Count keys."`
	Batch   batchCommand   `cmd:"" group:"keys" help:"Do many operations at once, or none."`
	Txn     txnCommand     `cmd:"" group:"keys" help:"Do operations at once if what they build on is still so."`
	TTL     ttlCommand     `cmd:"" group:"keys" name:"ttl" help:"Tell how long a value still lives."`
	Expire  expireCommand  `cmd:"" group:"keys" help:"Let a value expire."`
	Persist persistCommand `cmd:"" group:"keys" help:"Let a value stay that would have expired."`
	Clear   clearCommand   `cmd:"" group:"keys" help:"Delete every key, or every one of a bucket."`
	Watch   watchCommand   `cmd:"" group:"keys" help:"Tell the changes of a store that a server has open."`
	Shell   shellCommand   `cmd:"" group:"keys" help:"Type commands, one after the other."`

	// Files.
	Import importCommand `cmd:"" group:"move" help:"Read a file of CSV, JSON or JSON lines into the store."`
	Export exportCommand `cmd:"" group:"move" help:"Write a file of CSV, JSON or JSON lines."`

	// The store from outside.
	Buckets bucketsCommand `cmd:"" group:"look" help:"List the buckets, which hold keys of their own."`
	Info    infoCommand    `cmd:"" group:"look" help:"Tell what there is and how large it is."`
	Levels  levelsCommand  `cmd:"" group:"look" help:"Print a table of the levels of the tree."`
	Du      duCommand      `cmd:"" group:"look" help:"Count keys and their size under each prefix."`
	Explain explainCommand `cmd:"" group:"look" help:"Tell how a key is found."`
	Top     topCommand     `cmd:"" group:"look" help:"Show what a store does, again and again."`

	// Its files, without opening it.
	Sst      dumpTable    `cmd:"" group:"files" help:"Show what is in a table."`
	Wal      dumpLog      `cmd:"" group:"files" help:"Show what is in a segment of the log."`
	Manifest dumpManifest `cmd:"" group:"files" help:"Show what is in a manifest."`
	Dump     dumpCommands `cmd:"" hidden:""` // what the three were called before

	// Its upkeep.
	Verify  verifyCommand  `cmd:"" group:"care" help:"Check all that the store consists of."`
	Repair  repairCommand  `cmd:"" group:"care" help:"Copy what is good of a damaged store into a new one."`
	Compact compactCommand `cmd:"" group:"care" help:"Drop what was overwritten or deleted."`
	Doctor  doctorCommand  `cmd:"" group:"care" help:"Give advice from the numbers of a store."`

	// Servers, and the program itself.
	Serve     serveCommand     `cmd:"" group:"serve" help:"Serve the store over HTTP, with the page."`
	Demo      demoCommand      `cmd:"" group:"serve" help:"Serve a store of sample data, to look around in."`
	Classroom classroomCommand `cmd:"" hidden:""`

	Bench       benchCommand      `cmd:"" group:"self" help:"Measure how fast the store is here."`
	Completion  completionCommand `cmd:"" group:"self" help:"Print a script that completes commands in your shell."`
	VersionText versionCommand    `cmd:"" group:"self" name:"version" help:"Tell what this program is."`
}

// groups are the headings of help.
func groups() (all []kong.Group) {
	for _, g := range [][2]string{
		{"keys", "Keys and values:"},
		{"move", "Moving data:"},
		{"look", "Looking at the store:"},
		{"files", "Looking at files, without opening the store:"},
		{"care", "Upkeep:"},
		{"serve", "Servers:"},
		{"self", "This program:"},
	} {
		all = append(all, kong.Group{Key: g[0], Title: g[1]})
	}
	return all
}

// environment is what a command works with.
type environment struct {
	ctx    context.Context
	db     string
	server string // URL of one to ask instead
	in     io.Reader
	out    *bufio.Writer
	errors io.Writer
}

// run is main without what a process has only one of.
func run(args []string, in io.Reader, out, errOut io.Writer) (code int) {
	c := &commandLine{}
	exited := -1
	told := &toldWriter{Writer: out}
	parser, err := kong.New(
		c, kong.Name("tinykv"), kong.Writers(told, errOut),
		kong.Description("Look into a tinykv store, change it, check it, and show what is in its files."),
		kong.Vars{"version": version()}, kong.Exit(func(code int) { exited = code }),
		kong.ExplicitGroups(groups()),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80, NoExpandSubcommands: true}),
	)
	if err != nil {
		fmt.Fprintln(errOut, "tinykv:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if told.err != nil {
		fmt.Fprintln(errOut, "tinykv:", told.err)
		return exitFailed
	}
	if exited >= 0 { // help or version was printed
		return exited
	}
	if err != nil {
		fmt.Fprintln(errOut, "tinykv:", shortened(parseMistake(err, args)))
		return exitUsage
	}
	if err := errors.Join(emptyOption(command), c.where()); err != nil {
		fmt.Fprintln(errOut, "tinykv:", shortened(err.Error()))
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program
	e := &environment{ctx: ctx, db: c.DB, server: c.Server, in: in, out: bufio.NewWriter(out), errors: errOut}
	err = command.Run(e)
	if flushErr := e.out.Flush(); err == nil {
		err = flushErr
	}
	if err == nil {
		return exitDone
	}
	var quiet quietError
	if !errors.As(err, &quiet) {
		for _, line := range distinct(e.explain(err)) {
			fmt.Fprintln(errOut, "tinykv:", shortened(line))
		}
	}
	return exitCode(err)
}

// where settles which store is meant. What stands on the command line counts for more than the environment.
func (c *commandLine) where() error {
	if c.DB == "" && c.Server == "" {
		c.DB, c.Server = os.Getenv("TINYKV_DB"), os.Getenv("TINYKV_SERVER")
	}
	if c.DB != "" && c.Server != "" {
		return usageError{fmt.Sprintf("there are both a directory, %s, and a server, %s; name one by --db or --server", c.DB, c.Server)}
	}
	return nil
}

func version() string {
	v := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("tinykv %s, %s, %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// usageError is a mistake on the command line that its syntax does not show.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// quietError is one of which everything was said.
type quietError struct{ error }

func (e quietError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var usage usageError
	var mistake shell.Mistake
	switch {
	case errors.Is(err, tinykv.ErrCorrupt):
		return exitDamaged
	case errors.Is(err, tinykv.ErrNotFound):
		return exitNotFound
	case errors.Is(err, tinykv.ErrLocked):
		return exitLocked
	case errors.As(err, &usage), errors.As(err, &mistake), errors.Is(err, errBadRequest), errors.Is(err, tinykv.ErrInvalidRange), errors.Is(err, tinykv.ErrInvalidOption),
		errors.Is(err, tinykv.ErrKeyTooLarge), errors.Is(err, tinykv.ErrValueTooLarge):
		return exitUsage
	default:
		return exitFailed
	}
}

// explain says what went wrong and what to do next.
func (e *environment) explain(err error) string {
	var stopped stoppedError
	var half importError
	switch {
	case errors.As(err, &half):
		return half.text
	case errors.Is(err, tinykv.ErrMissing):
		return fmt.Sprintf("there is no store in %s; check --db, or make one with put --create", e.db)
	case errors.Is(err, tinykv.ErrLocked):
		return fmt.Sprintf("%v; end the program that has it open, and try again", err)
	case errors.Is(err, tinykv.ErrCorrupt):
		return fmt.Sprintf("%v; tinykv verify lists all damage, and tinykv repair copies the rest", err)
	case errors.As(err, &stopped):
		return stopped.Error()
	case errors.Is(err, context.Canceled):
		return "interrupted"
	default:
		text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "tinykv: "), ": tinykv: ", ": ")
		opening := "open " + e.db + ": "
		return strings.Replace(text, opening+opening, opening, 1)
	}
}

var errNoStore = usageError{"no store is named; say --db DIR or set TINYKV_DB"}

// open opens the store with the options, which may be nil.
func (e *environment) open(o *tinykv.Options) (*tinykv.DB, error) {
	if e.server != "" {
		return nil, usageError{"this command opens a store itself: it takes --db, not --server"}
	}
	if e.db == "" {
		return nil, errNoStore
	}
	return tinykv.Open(e.db, o)
}

// with opens the store and calls fn.
func (e *environment) with(o *tinykv.Options, fn func(db *tinykv.DB) error) error {
	db, err := e.open(o)
	if err != nil {
		return err
	}
	return errors.Join(fn(db), db.Close())
}

// printf writes to standard output; a failure shows at the end.
func (e *environment) printf(format string, args ...any) { fmt.Fprintf(e.out, format, args...) }

// say writes a line to standard error.
func (e *environment) say(format string, args ...any) { fmt.Fprintf(e.errors, format+"\n", args...) }

// json writes a value as indented JSON.
func (e *environment) json(v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
