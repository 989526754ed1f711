package main

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// inputBuffer is how much is read at a time: pipes hold 64 KiB, files give more.
const inputBuffer = 256 << 10

// input returns standard input, of which a read ends when the command is interrupted.
func (e *environment) input() io.Reader { return patient(e.ctx, e.in) }

// patient returns a reader whose reads end with the context: a pipe into which nobody writes would otherwise be waited for.
func patient(ctx context.Context, r io.Reader) io.Reader {
	p := &patientReader{ctx: ctx, pieces: make(chan piece), free: make(chan []byte, 1)}
	p.free <- make([]byte, inputBuffer)
	go p.pump(r)
	return p
}

// patientReader passes on what another goroutine reads.
type patientReader struct {
	ctx    context.Context
	pieces chan piece
	free   chan []byte // the buffer, while nobody fills or empties it
	rest   []byte      // of the piece at hand
	buffer []byte      // that it lies in
	err    error       // behind it
}

// piece is what one read gave.
type piece struct {
	bytes, buffer []byte
	err           error
}

// pump reads until the end, or until nobody wants more. A read that never returns keeps it until the process ends.
func (p *patientReader) pump(r io.Reader) {
	for {
		select {
		case buffer := <-p.free:
			n, err := r.Read(buffer)
			select {
			case p.pieces <- piece{buffer[:n], buffer, err}:
			case <-p.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		case <-p.ctx.Done():
			return
		}
	}
}

// Read returns what there is, or the cause of the context.
func (p *patientReader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		if p.buffer != nil {
			p.free <- p.buffer
			p.buffer = nil
		}
		select {
		case next := <-p.pieces:
			p.rest, p.buffer, p.err = next.bytes, next.buffer, next.err
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// errTooMuch reports input that is longer than may be.
var errTooMuch = errors.New("too much input")

// readBounded reads to the end, or until there is more than most. It needs memory for twice what it returns at the end, and until then for
// what there is.
func readBounded(r io.Reader, most int) ([]byte, error) {
	var pieces [][]byte
	size := 0
	for {
		piece := make([]byte, min(max(inputBuffer, size/4), most+1-size))
		n, err := io.ReadFull(r, piece)
		pieces, size = append(pieces, piece[:n]), size+n
		switch {
		case size > most:
			return nil, errTooMuch
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return bytes.Join(pieces, nil), nil
		case err != nil:
			return nil, err
		}
	}
}
