package contest

import (
	"fmt"
	"io"
	"time"
)

// progress tells which child is at work and how long all will take.
type progress struct {
	w           io.Writer
	begun       time.Time
	done, total int
}

func newProgress(w io.Writer, total int) *progress {
	return &progress{w: w, begun: time.Now(), total: total}
}

// begin tells that a contestant begins, and returns what tells that it has ended.
func (p *progress) begin(rep int, group, name string) (end func(error)) {
	begun := time.Now()
	fmt.Fprintf(p.w, "rep %d %-18s %-9s ", rep+1, group, name)
	return func(err error) {
		p.done++
		took := time.Since(p.begun)
		left := took / time.Duration(p.done) * time.Duration(p.total-p.done)
		fmt.Fprintf(p.w, "%6.1fs %3d%% %s left", time.Since(begun).Seconds(), 100*p.done/p.total, left.Round(time.Second))
		if err != nil {
			fmt.Fprintf(p.w, " %v", err)
		}
		fmt.Fprintln(p.w)
	}
}
