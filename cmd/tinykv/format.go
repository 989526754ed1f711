package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// formatFlag says how a list is written.
type formatFlag struct {
	Format string `short:"f" enum:",table,json,jsonl,csv,raw" default:"" placeholder:"FORM" help:"How to write it: table (long values are cut), json (an array), jsonl (an object on each line), csv, or raw (bytes as they are)."`
	JSON   bool   `name:"json" help:"As JSON: short for --format json or, of keys, jsonl."`
}

// form returns the format, given what --json stands for and what it is without any flag.
func (f formatFlag) form(json, other string) string {
	switch {
	case f.Format != "":
		return f.Format
	case f.JSON:
		return json
	default:
		return other
	}
}

// column is one of a list. A name that begins with > is of numbers, which stand at the right.
type column string

func (c column) name() string { return strings.TrimPrefix(string(c), ">") }
func (c column) right() bool  { return c[0] == '>' }

// tableRows is how many rows decide how wide the columns of a table are; longer lists are written as they come.
const tableRows = 1000

// list writes rows in one of the formats.
type list struct {
	e       *environment
	form    string
	columns []column
	rows    [][]string // of a table, until it is known how wide columns are
	widths  []int
	csv     *csv.Writer
	n       int
}

func newList(e *environment, form string, columns ...column) *list {
	l := &list{e: e, form: form, columns: columns}
	if form == "csv" {
		l.csv = csv.NewWriter(e.out)
		_ = l.csv.Write(l.names()) // shows at the end
	}
	return l
}

func (l *list) names() (all []string) {
	for _, c := range l.columns {
		all = append(all, c.name())
	}
	return all
}

// row writes a row: what it is as JSON, or its cells.
func (l *list) row(object any, cells ...string) error {
	l.n++
	switch l.form {
	case "json":
		return l.element(object)
	case "jsonl":
		return l.e.jsonLine(object)
	case "csv":
		return l.csv.Write(cells)
	case "table":
		return l.tableRow(cells)
	default:
		l.e.printf("%s\n", strings.Join(cells, "\t"))
		return nil
	}
}

// element writes an element of an array, each on a line.
func (l *list) element(object any) error {
	if l.n == 1 {
		l.e.printf("[\n  ")
	} else {
		l.e.printf(",\n  ")
	}
	text, err := marshal(object)
	l.e.printf("%s", text)
	return err
}

func (l *list) tableRow(cells []string) error {
	if l.widths != nil {
		l.printRow(cells)
		return nil
	}
	if l.rows = append(l.rows, cells); len(l.rows) == tableRows {
		l.flushTable()
	}
	return nil
}

// flushTable writes the rows so far, as wide as the widest.
func (l *list) flushTable() {
	l.widths = make([]int, len(l.columns))
	for _, row := range append([][]string{l.names()}, l.rows...) {
		for i, cell := range row {
			l.widths[i] = max(l.widths[i], utf8.RuneCountInString(cell))
		}
	}
	l.printRow(l.names())
	for _, row := range l.rows {
		l.printRow(row)
	}
	l.rows = nil
}

func (l *list) printRow(cells []string) {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", max(0, l.widths[i]-utf8.RuneCountInString(cell)))
		if l.columns[i].right() {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	l.e.printf("%s\n", strings.TrimRight(b.String(), " "))
}

// end writes what is left. It is called also when a row failed: what was written so far is then whole, but for JSON, which must not
// look as if it were.
func (l *list) end(err error) error {
	switch {
	case l.form == "table" && l.widths == nil:
		l.flushTable()
	case l.form == "csv":
		l.csv.Flush()
		err = errors.Join(err, l.csv.Error())
	case l.form == "json" && l.n == 0 && err == nil:
		l.e.printf("[]\n")
	case l.form == "json" && err == nil:
		l.e.printf("\n]\n")
	}
	return err
}

func marshal(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// jsonLine writes a value as JSON on one line.
func (e *environment) jsonLine(v any) error {
	text, err := marshal(v)
	e.printf("%s\n", text)
	return err
}
