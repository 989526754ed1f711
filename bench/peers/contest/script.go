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

// command returns a child that is about to run a script.
func command(ctx context.Context, s *child.Script) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	script, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, ChildCommand)
	cmd.Stdin = bytes.NewReader(script)
	return cmd, nil
}

// runScript runs a child to its end and returns what it reported, also when it fails.
func runScript(ctx context.Context, s *child.Script) ([]record.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, childTime)
	defer cancel()
	cmd, err := command(ctx, s)
	if err != nil {
		return nil, err
	}
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	failure := cmd.Run()
	if ctx.Err() == context.DeadlineExceeded {
		failure = fmt.Errorf("not done after %v", childTime)
	}
	rows, err := decode(&out)
	return rows, errors.Join(explain(failure, messages.String()), err)
}

func decode(r io.Reader) (rows []record.Row, err error) {
	for d := json.NewDecoder(r); ; {
		var line record.Line
		switch err := d.Decode(&line); {
		case err == io.EOF:
			return rows, nil
		case err != nil: // a child that was killed ends in the middle of a line
			return rows, fmt.Errorf("what the child reported: %w", err)
		case line.Row != nil:
			rows = append(rows, *line.Row)
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

// A child is killed once it has written half of the keys, or after a while.
const (
	killPoll  = 2 * time.Millisecond
	killAfter = 4 * time.Second
)

// killWhileWriting starts a child that writes, and kills it in the middle.
func (c *Contest) killWhileWriting(ctx context.Context, s *child.Script) error {
	cmd, err := command(ctx, s)
	if err != nil {
		return err
	}
	var messages bytes.Buffer
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := waitForAcks(ctx, s.Dir, uint64(c.Entries/2), ended); err != nil {
		return explain(err, messages.String())
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	<-ended
	return nil
}

// waitForAcks returns once a child has had so many writes acknowledged, or has written for a while.
func waitForAcks(ctx context.Context, dir string, n uint64, ended <-chan error) error {
	poll := time.NewTicker(killPoll)
	defer poll.Stop()
	for begun := time.Now(); ; {
		acked, err := child.ReadAcks(dir)
		if err != nil || acked >= n || acked > 0 && time.Since(begun) > killAfter {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return errors.Join(errors.New("the child ended before it was killed"), err)
		case <-poll.C:
		}
	}
}
