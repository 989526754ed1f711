package simfs

import "fmt"

// Crash tells how to make an image again. It is what a failing test prints:
//
//	seed 7, after 12 write 000003.wal off=128 n=57, policy Omissions, image 2: lost 11
//
// The same workload under the same seed stops at the same operation, and [FS.Replay] does the rest.
type Crash struct {
	Seed   uint64
	Op     Op // the newest operation before the crash
	Policy Policy
	Label  Label
}

// String returns the line shown above.
func (c Crash) String() string {
	return fmt.Sprintf("seed %d, after %v, policy %v, %v", c.Seed, c.Op, c.Policy, c.Label)
}

// Replay returns the image that a crash describes; of its label only the number counts. It fails when
// the policy knows no such image of this moment, which means that f took another way.
func (f *FS) Replay(crash Crash) (*FS, error) {
	fork := f.fork()
	c := newChoices(crash.Policy, fork.unsynced(), len(fork.trace))
	number := crash.Label.Number
	if number < 0 || number >= c.fixed && !c.random {
		return nil, fmt.Errorf("simfs: policy %v has no image %d after operation %d", crash.Policy, number, len(fork.trace))
	}
	image, _ := fork.crash(c, crash.Seed, number)
	return image, nil
}
