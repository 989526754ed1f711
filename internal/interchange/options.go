package interchange

import (
	"fmt"
	"math"
	"time"

	"github.com/tinykv/tinykv"
)

// Conflict says what an import does with a key that is there already.
type Conflict int

// What to do.
const (
	Overwrite Conflict = iota // the row takes its place
	Skip                      // the row is passed
	Fail                      // the import ends before the row
)

// ParseConflict returns what overwrite, skip and fail stand for.
func ParseConflict(name string) (Conflict, error) {
	for i, n := range [...]string{"overwrite", "skip", "fail"} {
		if n == name {
			return Conflict(i), nil
		}
	}
	return 0, fmt.Errorf("%s is nothing to do on a conflict; there are overwrite, skip and fail", quoted([]byte(name)))
}

// ImportOptions say how rows become items of a store. Only Format must be set.
type ImportOptions struct {
	Format Format

	// Bucket is where items go; empty: outside of buckets.
	Bucket string

	// AllBuckets takes items as ExportAll writes them: each says in which bucket it is. Bucket and Key must then be empty.
	AllBuckets bool

	// Key makes keys of the fields of rows; nil: rows are items. Value is then the field that is the value; empty: the value is
	// the whole row as a JSON object, in JSON as it stands there, in CSV with the names of columns and strings.
	Key   *Template
	Value string

	// Columns are the names of the columns of CSV, where the first row does not tell them. An empty name leaves a column out.
	Columns []string

	// Comma separates the fields of CSV. Default: ','.
	Comma byte

	// Numbers makes numbers of fields of CSV, in values that are a whole row, where JSON would write them just so.
	Numbers bool

	// OnConflict says what happens with keys that are there.
	OnConflict Conflict

	// DryRun makes an import that reads and checks everything, looks which keys are there, and writes nothing.
	DryRun bool

	// FromRow passes the rows before that number, as [RowError] counts them.
	FromRow int64

	// MaxErrors is how many rows may be wrong, which are left out, before the import ends. Default: 0, the first one ends it; -1: any number.
	MaxErrors int

	// MaxRow is how many bytes a row may take, which is about what an import needs of memory. Default: 64 MiB.
	MaxRow int64

	// Progress is told how far it is, now and then, by one goroutine at a time. Default: nobody.
	Progress func(ImportReport)

	// Now is the time, by which values have expired. Default: time.Now.
	Now func() time.Time
}

// defaultMaxRow is how many bytes a row may take if nobody says.
const defaultMaxRow = 64 << 20

// complete returns a copy with defaults filled in.
func (o *ImportOptions) complete() (*ImportOptions, error) {
	c := ImportOptions{}
	if o != nil {
		c = *o
	}
	if c.Comma == 0 {
		c.Comma = ','
	}
	if c.MaxRow == 0 {
		c.MaxRow = defaultMaxRow
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case !canSeparate(c.Comma):
		return nil, fmt.Errorf("%w: fields cannot be separated by %q", ErrOption, c.Comma)
	case c.MaxRow < 0 || c.MaxRow > math.MaxInt/4:
		return nil, fmt.Errorf("%w: a row of at most %d bytes", ErrOption, c.MaxRow)
	case c.Key == nil && c.Value != "":
		return nil, fmt.Errorf("%w: which field is the value is asked only where a template makes the keys", ErrOption)
	case c.AllBuckets && (c.Bucket != "" || c.Key != nil):
		return nil, fmt.Errorf("%w: items tell their buckets, so that neither a bucket nor a template of keys is wanted", ErrOption)
	case c.AllBuckets && c.Format == CSV:
		return nil, fmt.Errorf("%w: CSV has no column for a bucket; json and jsonl tell it", ErrOption)
	case c.Format != CSV && (c.Columns != nil || c.Numbers):
		return nil, fmt.Errorf("%w: only CSV has columns", ErrOption)
	}
	if c.Bucket != "" { // a name that no bucket can have is not a mistake of each row
		if err := new(tinykv.Batch).Bucket(c.Bucket).Delete(nil); err != nil {
			return nil, err
		}
	}
	return &c, nil
}
