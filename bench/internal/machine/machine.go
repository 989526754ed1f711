// Package machine tells what a benchmark runs on, and what that can do at best.
package machine

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
)

// probe is one limit of the machine.
type probe struct {
	name    string
	measure func(dir string) (string, error)
}

// probes are what an engine does is made of, so no engine on this machine does better. All of them together
// take less than three seconds where memory is free, as each probe of a file ends after a time.
func probes() []probe {
	return slices.Concat(memoryProbes(), pageProbes(), hashProbes(), fileProbes())
}

// Measure measures the machine and reports what it finds. Files are made in dir, without a name
// where the system can do that, and removed. It ends early, without an error, when ctx does.
func Measure(ctx context.Context, dir string, found func(name, text string)) error {
	for _, p := range probes() {
		if ctx.Err() != nil {
			return nil
		}
		text, err := p.measure(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		found(p.name, text)
	}
	debug.FreeOSMemory() // so that later numbers of memory do not contain what was measured with
	return nil
}
