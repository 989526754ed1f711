package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// destination is where an export goes.
type destination struct {
	kind destinationKind
	name string      // as it was given
	path string      // of a file: its own, where the name is a link
	mode fs.FileMode // of a file that is replaced
}

type destinationKind int

const (
	toOutput destinationKind = iota // standard output
	toFile                          // a file, which appears when it is whole
	toStream                        // a device, or a pipe with a name: what is written there is gone, and nothing is replaced
)

// destinationOf looks at what a name stands for, before anything is read. A file that is there, which may be what somebody wants to import, is replaced only when
// that is said; what is no file is never replaced.
func destinationOf(name string, overwrite bool) (*destination, error) {
	d := &destination{kind: toOutput, name: name, path: name}
	if name == "-" {
		return d, nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.kind = toFile
		return d, d.isPlace()
	case err != nil:
		return nil, err
	case isOutput(info): // as /dev/stdout is
		return d, nil
	case info.IsDir():
		return nil, usageError{fmt.Sprintf("%s is a directory; name a file in it", name)}
	case !info.Mode().IsRegular():
		d.kind = toStream
		return d, nil
	case !overwrite:
		return nil, usageError{name + " is there already; say --overwrite to replace it, or choose another name"}
	}
	d.kind, d.mode = toFile, info.Mode().Perm()
	d.path, err = filepath.EvalSymlinks(name) // a link stays one
	return d, err
}

// isOutput tells whether a file is what standard output goes to.
func isOutput(info fs.FileInfo) bool {
	out, err := os.Stdout.Stat()
	return err == nil && os.SameFile(out, info)
}

// isPlace refuses a name that no file can be given.
func (d *destination) isPlace() error {
	if to, err := os.Readlink(d.name); err == nil {
		return usageError{fmt.Sprintf("%s is a link to %s, which is not there; name that, or remove the link", d.name, to)}
	}
	dir := filepath.Dir(d.name)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return usageError{fmt.Sprintf("there is no directory %s for %s", dir, filepath.Base(d.name))}
	}
	return nil
}

// write calls fn with where the export goes; a name that ends in .gz has it compressed.
func (d *destination) write(e *environment, fn func(w io.Writer) error) error {
	write := fn
	if strings.HasSuffix(strings.ToLower(d.name), ".gz") {
		write = func(w io.Writer) error {
			z := gzip.NewWriter(w)
			if err := fn(z); err != nil {
				return err
			}
			return z.Close()
		}
	}
	switch d.kind {
	case toOutput:
		return write(e.out)
	case toStream:
		return d.stream(e.ctx, write)
	default:
		return d.replace(e.ctx, write)
	}
}

// stream writes to a device or a pipe, for whose reader it waits until it is interrupted.
func (d *destination) stream(ctx context.Context, write func(w io.Writer) error) error {
	type opened struct {
		file *os.File
		err  error
	}
	found := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(d.name, os.O_WRONLY, 0)
		found <- opened{f, err}
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx) // the process ends, and with it the opening
	case o := <-found:
		if o.err != nil {
			return o.err
		}
		defer context.AfterFunc(ctx, func() { _ = o.file.SetWriteDeadline(time.Now()) })()
		err := buffered(ctx, o.file, write)
		if closeErr := o.file.Close(); err == nil {
			err = closeErr
		}
		return err
	}
}

// replace writes a file under another name, and gives it its own when it is whole and on stable storage. When that fails, what was there
// before is as it was. Errors tell of the name, not of the other one, which is gone by then.
func (d *destination) replace(ctx context.Context, write func(w io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(d.path), "."+filepath.Base(d.path)+".*")
	if err != nil {
		return d.errorOf(err, "")
	}
	if err := d.fill(ctx, f, write); err != nil {
		_ = os.Remove(f.Name())
		return d.errorOf(err, f.Name())
	}
	return nil
}

func (d *destination) fill(ctx context.Context, f *os.File, write func(w io.Writer) error) error {
	err := buffered(ctx, f, write)
	if err == nil && d.mode != 0 {
		err = f.Chmod(d.mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), d.path)
}

// buffered calls write, and returns the first error.
func buffered(ctx context.Context, to io.Writer, write func(w io.Writer) error) error {
	w := bufio.NewWriter(to)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// errorOf puts the name of the destination for that of the file that was to become it. Without a name it stands for any.
func (d *destination) errorOf(err error, temporary string) error {
	var file *fs.PathError
	var names *os.LinkError
	switch {
	case errors.As(err, &file) && (temporary == "" || file.Path == temporary):
		return &fs.PathError{Op: file.Op, Path: d.name, Err: file.Err}
	case errors.As(err, &names) && names.Old == temporary:
		return &fs.PathError{Op: "write", Path: d.name, Err: names.Err}
	default:
		return err
	}
}
