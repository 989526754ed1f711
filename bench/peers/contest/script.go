package contest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/tinykv/tinykv/bench/peers/child"
	"github.com/tinykv/tinykv/bench/peers/record"
)

// ChildCommand is the argument that makes this program a child, which reads its script from standard input.
const ChildCommand = "child"

// childTime is how long a child may take; one that takes longer hangs.
const childTime = 30 * time.Minute

// running is a child at work.
type running struct {
	*exec.Cmd
	alive    io.Closer // its standard input, which stays open until it is to end
	messages bytes.Buffer
}

// start starts a child that does a script. Its standard output goes to out.
func start(ctx context.Context, s *child.Script, out io.Writer) (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &running{Cmd: exec.CommandContext(ctx, self, ChildCommand)}
	r.Stdout, r.Stderr = out, &r.messages
	in, err := r.StdinPipe()
	if err != nil {
		return nil, err
	}
	r.alive = in
	if err := r.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(in).Encode(s); err != nil {
		return nil, errors.Join(err, r.Process.Kill(), r.end())
	}
	return r, nil
}

// end waits for the child to end and returns why it failed.
func (r *running) end() error {
	err := r.Wait() // closes alive
	return explain(err, r.messages.String())
}

// runScript runs a child to its end. It passes on what the child reports as it comes.
func runScript(ctx context.Context, s *child.Script, report func(record.Row) error) error {
	ctx, cancel := context.WithTimeout(ctx, childTime)
	defer cancel()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	r, err := start(ctx, s, write)
	write.Close() // the child's end lives on in the child
	if err != nil {
		return err
	}
	reportErr := decode(read, report)
	err = r.end()
	if ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("not done after %v", childTime)
	}
	return errors.Join(err, reportErr)
}

// decode passes on the rows of a child. One that is killed ends in the middle of a line.
func decode(r io.Reader, report func(record.Row) error) error {
	for d := json.NewDecoder(r); ; {
		var line record.Line
		switch err := d.Decode(&line); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("what the child reported: %w", err)
		case line.Row == nil:
		default:
			if err := report(*line.Row); err != nil {
				return err
			}
		}
	}
}

const messageLines = 3

// explain adds the first lines of what a child that failed said: a panic begins with its reason.
func explain(failure error, messages string) error {
	lines := strings.Split(strings.TrimSpace(messages), "\n")
	if failure == nil || lines[0] == "" {
		return failure
	}
	return fmt.Errorf("%w: %s", failure, strings.Join(lines[:min(messageLines, len(lines))], " | "))
}

// All children are killed after the same number of writes, so that they have the same to recover; few enough for the slowest.
const (
	killPoll  = 2 * time.Millisecond
	killShare = 20 // one in so many of the keys is written before
	killTime  = 2 * time.Minute
)

// killWhileWriting starts a child that writes, and kills it in the middle.
func (c *Contest) killWhileWriting(ctx context.Context, s *child.Script) error {
	ctx, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	r, err := start(ctx, s, io.Discard)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- r.end() }()
	err = waitForAcks(ctx, s.Dir, uint64(c.Entries/killShare), ended)
	if errors.Is(err, errEnded) {
		return err
	}
	return errors.Join(err, r.Process.Kill(), ignoreKilled(<-ended))
}

// ignoreKilled forgets the failure of a child that was killed on purpose.
func ignoreKilled(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

var errEnded = errors.New("the child ended before it was killed")

// waitForAcks returns once a child has had so many writes acknowledged.
func waitForAcks(ctx context.Context, dir string, n uint64, ended <-chan error) error {
	poll := time.NewTicker(killPoll)
	defer poll.Stop()
	for {
		acked, err := child.ReadAcks(dir)
		if err != nil || acked >= n {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d writes: %w", acked, n, ctx.Err())
		case err := <-ended:
			return errors.Join(errEnded, err)
		case <-poll.C:
		}
	}
}
