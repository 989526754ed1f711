package shell

import (
	"fmt"
	"strings"
)

// How much a line shows.
const (
	MaxLines  = 1000
	MaxOutput = 1 << 20 // bytes

	// scanLimit is how many keys scan lists that is not told how many.
	scanLimit = 100

	// maxShown is how much of a value is shown among others; get alone shows it whole.
	maxShown = 4 << 10
)

// output is what a line shows, bounded.
type output struct {
	b     strings.Builder
	lines int
}

// room tells whether another line of n bytes may be added.
func (o *output) room(n int) bool { return o.lines < MaxLines && o.b.Len()+n <= MaxOutput }

// printf adds text that ends in an end of line. The caller bounds it by room where it may be long.
func (o *output) printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	o.lines += strings.Count(text, "\n")
	o.b.WriteString(text)
}

// page adds text of many lines, as far as there is room.
func (o *output) page(text string) {
	for line := range strings.Lines(text) {
		if !o.room(len(line)) {
			o.printf("... and more\n")
			return
		}
		o.printf("%s", line)
	}
}

func (o *output) String() string { return o.b.String() }

// cut returns a value as far as it is shown among others.
func cut(v []byte) string {
	if len(v) <= maxShown {
		return show(v)
	}
	return fmt.Sprintf("%s... (%d bytes; get shows all)", show(v[:maxShown]), len(v))
}

// Size returns a number of bytes with a unit, in at most nine columns.
func Size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size, units := float64(n)/1024, "KMGTPE"
	for size >= 999.95 {
		size, units = size/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", size, units[0])
}

// Counted returns a number and what it counts, in the plural where that is due.
func Counted[T int | uint64](n T, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
