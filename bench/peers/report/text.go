package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is a Markdown table that can be read as text, too: columns are as wide as their widest cell.
type table struct {
	left  int // columns from the left that are set to the left; the others are numbers
	lines [][]string
}

// newTable starts a table with its head.
func newTable(left int, head ...string) *table {
	t := &table{left: left}
	t.add(head...)
	return t
}

// add appends a line.
func (t *table) add(cells ...string) {
	line := make([]string, len(cells))
	for i, c := range cells {
		line[i] = strings.ReplaceAll(oneLine(c), "|", `\|`)
	}
	t.lines = append(t.lines, line)
}

// writeTo prints the table and an empty line; without lines below the head it prints nothing.
func (t *table) writeTo(w io.Writer) {
	if len(t.lines) < 2 {
		return
	}
	widths := t.widths()
	for i, line := range t.lines {
		fmt.Fprintln(w, t.format(line, widths))
		if i == 0 {
			fmt.Fprintln(w, t.rule(widths))
		}
	}
	fmt.Fprintln(w)
}

// widths returns the width of each column.
func (t *table) widths() []int {
	widths := make([]int, len(t.lines[0]))
	for _, line := range t.lines {
		for i, c := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(c), 2)
		}
	}
	return widths
}

// format returns a line.
func (t *table) format(line []string, widths []int) string {
	var b strings.Builder
	for i, c := range line {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
		if i < t.left {
			b.WriteString("| " + c + pad + " ")
			continue
		}
		b.WriteString("| " + pad + c + " ")
	}
	return b.String() + "|"
}

// rule returns the line below the head.
func (t *table) rule(widths []int) string {
	var b strings.Builder
	for i, width := range widths {
		if i < t.left {
			b.WriteString("| " + strings.Repeat("-", width) + " ")
			continue
		}
		b.WriteString("| " + strings.Repeat("-", width-1) + ": ")
	}
	return b.String() + "|"
}

// oneLine returns a text without line breaks and doubled blanks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// wrap breaks a text into lines of at most 120 columns, those after the first indented.
func wrap(s, indent string) string {
	var b strings.Builder
	col := 0
	for i, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case col+1+n > 120:
			b.WriteString("\n" + indent)
			col = len(indent)
		default:
			b.WriteString(" ")
			col++
		}
		b.WriteString(word)
		col += n
	}
	return b.String()
}

// paragraph prints a text and an empty line.
func paragraph(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "%s\n\n", wrap(fmt.Sprintf(format, args...), ""))
}

// item prints a line of a list.
func item(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, wrap("- "+fmt.Sprintf(format, args...), "  "))
}

// digits returns a number with three digits that count: 0.0123, 1.23, 12.3, 12300.
func digits(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case x >= 0.9995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x >= 0.09995:
		return strconv.FormatFloat(x, 'f', 3, 64)
	case x >= 0.009995:
		return strconv.FormatFloat(x, 'f', 4, 64)
	}
	return strconv.FormatFloat(x, 'g', 2, 64)
}

// ratio returns a ratio: two places, or one digit that counts where that would be 0.00.
func ratio(x float64) string {
	switch {
	case x >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case x >= 0.0995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'g', 2, 64)
}

// rate returns a number of operations per second: 1.23M, 312k, 45.1.
func rate(x float64) string {
	switch {
	case x >= 999_500:
		return digits(x/1e6) + "M"
	case x >= 999.5:
		return digits(x/1e3) + "k"
	}
	return digits(x)
}

// size returns bytes in a unit that fits.
func size(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; bytes >= 1000 && i < len(units)-1; i++ {
		bytes /= 1024
	}
	return digits(bytes) + " " + units[i]
}

// percent returns a share: "3 %", below 1 with a place.
func percent(x float64) string {
	if x < 0.0095 && x > 0 {
		return fmt.Sprintf("%.1f %%", 100*x)
	}
	return fmt.Sprintf("%.0f %%", 100*x)
}

// thousands returns a count with its thousands apart.
func thousands[N int | uint64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
