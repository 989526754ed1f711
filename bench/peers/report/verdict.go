package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// summary prints one line for each rival: the geometric mean of the ratios, and how many rows were won and lost.
func (r *results) summary(w io.Writer) {
	fmt.Fprint(w, "## Summary\n\n")
	t := newTable(1, "against", "geometric mean", "rows", "won", "lost", "within noise", "cut off", "no result")
	for _, rival := range r.rivals() {
		if line := r.summaryLine(rival); line != nil {
			t.add(line...)
		}
	}
	t.writeTo(w)
	paragraph(w, "Mean of the ratios below over the rows that both have a result for, each row counted once; above 1 tinykv is "+
		"faster. Cut off: rows of writes that the time limit ended for one of the two, which then did less work than the other; they "+
		"are in neither mean nor balance. No result: rows that the rival was asked for where it or tinykv has none. With a single repetition noise is "+
		"not known and every row is won or lost.")
}

// summaryLine returns the balance against a rival, nil if the two have no row in common.
func (r *results) summaryLine(rival string) []string {
	var rows, won, lost, cut, without int
	var logs float64
	for g := range groups() {
		for _, k := range r.inGroup(g) {
			v, ok := r.versus(k, rival, throughput)
			if !ok {
				if r.cell(k, rival) != nil {
					without++
				}
				continue
			}
			if r.cell(k, rival).cutOff() || r.cell(k, self).cutOff() {
				cut++
				continue
			}
			rows++
			logs += math.Log(v.ratio)
			if v.won() {
				won++
			}
			if v.lost() {
				lost++
			}
		}
	}
	if rows == 0 {
		return nil
	}
	counts := []string{strconv.Itoa(rows), strconv.Itoa(won), strconv.Itoa(lost), strconv.Itoa(rows - won - lost), strconv.Itoa(cut), strconv.Itoa(without)}
	return append([]string{rival, ratio(math.Exp(logs / float64(rows)))}, counts...)
}

// loss is a row in which a rival is faster beyond noise.
type loss struct {
	factor float64 // the rival's throughput over tinykv's
	text   string
}

// losses prints the rows that tinykv loses, the worst first.
func (r *results) losses(w io.Writer) {
	fmt.Fprint(w, "## Where tinykv loses\n\n")
	all := r.lossesBy(r.rows, throughput, "")
	all = append(all, r.lossesBy(r.settlingRows(), settledThroughput, ", with the settling")...)
	slices.SortStableFunc(all, func(a, b loss) int { return cmp.Compare(b.factor, a.factor) })
	for _, l := range all {
		item(w, "%s", l.text)
	}
	if len(all) == 0 {
		fmt.Fprintln(w, "In no row beyond noise.")
	}
	fmt.Fprintln(w)
}

// lossesBy returns the losses in some rows, by what f takes for speed.
func (r *results) lossesBy(rows []rowKey, f func(*record.Row) float64, suffix string) []loss {
	var all []loss
	for _, k := range rows {
		for _, rival := range r.rivals() {
			v, ok := r.versus(k, rival, f)
			if !ok || !v.lost() || !hasSpeed(k) {
				continue
			}
			own, other := r.cell(k, self).of(f), r.cell(k, rival).of(f)
			text := fmt.Sprintf("%s×: %s%s: %s %s/s%s, tinykv %s/s%s", ratio(1/v.ratio), k, suffix, rival,
				rate(other.median), beside(r.durability(k, rival)), rate(own.median), beside(r.durability(k, self)))
			all = append(all, loss{1 / v.ratio, text})
		}
	}
	return all
}

// beside returns a durability in brackets, if there is one.
func beside(letter string) string {
	if letter == "" {
		return ""
	}
	return " (" + letter + ")"
}
