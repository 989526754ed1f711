package interchange

import (
	"fmt"
	"strings"
)

// Format is how items stand in a stream.
type Format int

// The formats. The zero Format is none.
const (
	CSV       Format = iota + 1 // records under a header, RFC 4180
	JSON                        // one array of objects
	JSONLines                   // an object on each line
)

var formatNames = [...]string{CSV: "csv", JSON: "json", JSONLines: "jsonl"}

// String returns the name of the format: csv, json or jsonl.
func (f Format) String() string {
	if f < CSV || f > JSONLines {
		return fmt.Sprintf("Format(%d)", int(f))
	}
	return formatNames[f]
}

// ParseFormat returns the format of a name; ndjson stands for jsonl too.
func ParseFormat(name string) (Format, error) {
	switch strings.ToLower(name) {
	case "csv":
		return CSV, nil
	case "json":
		return JSON, nil
	case "jsonl", "ndjson":
		return JSONLines, nil
	default:
		return 0, fmt.Errorf("%s is no format; there are csv, json and jsonl", quoted([]byte(name)))
	}
}

// FormatOf returns the format that the end of a file's name tells, and whether the file is compressed by gzip. The format is 0 where the
// name tells none.
func FormatOf(name string) (f Format, isGzip bool) {
	name, isGzip = strings.CutSuffix(strings.ToLower(name), ".gz")
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		f, _ = ParseFormat(name[i+1:])
	}
	return f, isGzip
}
