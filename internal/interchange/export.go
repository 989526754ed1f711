package interchange

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/tinykv/tinykv"
)

// ExportOptions say how items are written. Only Format must be set.
type ExportOptions struct {
	Format Format

	// KeysOnly leaves out values, and Seq adds the numbers of writes, for which CSV has no column.
	KeysOnly, Seq bool

	// Columns are those of CSV, of key, value, expires_at, key_hex and value_hex. Keys must have one, and values, too, unless they are left out. Bytes
	// that a text column cannot hold are an error where there is no column for their digits. Default: all of them, or key and key_hex where values are left out.
	Columns []string

	// Comma separates the fields of CSV. Default: ','.
	Comma byte

	// Progress is told how far it is, now and then. Default: nobody.
	Progress func(ExportReport)
}

// ExportReport tells what was written.
type ExportReport struct {
	Items int64 `json:"items"`
	Bytes int64 `json:"bytes"`
}

// writeSize is how much is written at once.
const writeSize = 256 << 10

// Export writes items, as DB.Scan yields them, to w. It needs memory for the longest of them.
//
// In CSV, bytes stand in the column of text where they are UTF-8 without carriage return and NUL, which other programs are known to change, and
// otherwise as hexadecimal digits in the column with _hex in its name; the other one is empty then. Both are empty for empty bytes. So all bytes come back.
//
// Errors: ErrOption, the cause of ctx, and those of items and of w. What was written before one is a part of the whole.
func Export(ctx context.Context, w io.Writer, items iter.Seq2[tinykv.Item, error], o *ExportOptions) (ExportReport, error) {
	e := newExporter(ctx, w)
	if err := e.prepare(o); err != nil {
		return e.report, err
	}
	return e.report, e.all(func() error { return e.items(items) })
}

func newExporter(ctx context.Context, w io.Writer) *exporter {
	return &exporter{w: w, ctx: ctx, buf: make([]byte, 0, writeSize+writeSize/4)}
}

// all writes what stands around items, and has them written.
func (e *exporter) all(items func() error) error {
	e.buf = append(e.buf, e.begin...)
	if err := items(); err != nil {
		return err
	}
	e.buf = append(e.buf, e.end...)
	return e.flush()
}

// items writes items. Those of further calls follow on them.
func (e *exporter) items(items iter.Seq2[tinykv.Item, error]) error {
	for item, err := range items {
		if err != nil {
			return err
		}
		if e.report.Items > 0 {
			e.buf = append(e.buf, e.between...)
		}
		if e.buf, err = e.append(e.buf, &item); err != nil {
			return err
		}
		e.buf = append(e.buf, e.after...)
		e.report.Items++
		if len(e.buf) >= writeSize {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// exporter writes items.
type exporter struct {
	ctx    context.Context
	w      io.Writer
	o      ExportOptions
	buf    []byte
	report ExportReport
	bucket string // in which items are, where that is told

	begin, between, after, end string
	append                     func(dst []byte, item *tinykv.Item) ([]byte, error)
}

func (e *exporter) flush() error {
	if err := context.Cause(e.ctx); err != nil {
		return err
	}
	n, err := e.w.Write(e.buf)
	e.report.Bytes += int64(n)
	if cap(e.buf) > 4*writeSize {
		e.buf = make([]byte, 0, writeSize)
	}
	e.buf = e.buf[:0]
	if err == nil && e.o.Progress != nil {
		e.o.Progress(e.report)
	}
	return err
}

// prepare sets what depends on the options.
func (e *exporter) prepare(o *ExportOptions) error {
	if o != nil {
		e.o = *o
	}
	switch e.o.Format {
	case CSV:
		return e.prepareCSV()
	case JSON:
		e.begin, e.between, e.end = "[\n", ",\n", "\n]\n"
	case JSONLines:
		e.after = "\n"
	default:
		return fmt.Errorf("%w: %v", ErrOption, e.o.Format)
	}
	if e.o.Columns != nil {
		return fmt.Errorf("%w: only CSV has columns", ErrOption)
	}
	fields := FieldExpiry
	if !e.o.KeysOnly {
		fields |= FieldValue
	}
	if e.o.Seq {
		fields |= FieldSeq
	}
	e.append = func(dst []byte, item *tinykv.Item) ([]byte, error) {
		if e.bucket == "" {
			return AppendItem(dst, item, fields), nil
		}
		dst = append(AppendBytes(append(dst, '{'), fieldBucket, []byte(e.bucket)), ',')
		at := len(dst)
		dst = AppendItem(dst, item, fields)
		return append(dst[:at], dst[at+1:]...), nil // without a second brace
	}
	return nil
}

func (e *exporter) prepareCSV() error {
	if e.o.Comma == 0 {
		e.o.Comma = ','
	}
	if e.o.Columns == nil && e.o.KeysOnly {
		e.o.Columns = []string{columnKey, columnKeyHex}
	} else if e.o.Columns == nil {
		e.o.Columns = []string{columnKey, columnValue, columnExpiresAt, columnKeyHex, columnValueHex}
	}
	c, err := newCSVWriter(e.o.Columns, e.o.Comma)
	if err != nil {
		return err
	}
	if e.o.KeysOnly && (c.value.text || c.value.digits) {
		return fmt.Errorf("%w: a column of values, where these are left out", ErrOption)
	}
	switch {
	case e.o.Seq:
		return fmt.Errorf("%w: CSV has no column for the number of a write; json and jsonl tell it", ErrOption)
	case !c.key.text && !c.key.digits:
		return fmt.Errorf("%w: no column would hold the keys; add key or key_hex", ErrOption)
	case !e.o.KeysOnly && !c.value.text && !c.value.digits:
		return fmt.Errorf("%w: no column would hold the values; add value or value_hex, or leave values out as a whole", ErrOption)
	}
	e.begin, e.append = string(c.header()), c.appendItem
	return nil
}
