package rocksdb

import "time"

// busy sees until when a process works after its first result. db_bench sleeps for five seconds before it asks whether there is work
// in the background, so this is seen from outside, as it is of the other engines.
type busy struct {
	began chan int // process
	took  time.Duration
}

// A process works that used this much processor since the last look, or wrote. It is at rest after so many looks without work.
const (
	lookEvery = 50 * time.Millisecond
	busyCPU   = 2 * tick
	restLooks = 8
)

// watch waits until begin, and calls atRest once the process is at rest. It returns what ends the watching; took is set then.
func (b *busy) watch(atRest func(pid int)) (end func()) {
	b.began = make(chan int, 1)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case pid := <-b.began:
			b.took = untilRest(pid, stop, atRest)
		case <-stop:
		}
	}()
	return func() { close(stop); <-done }
}

// begin begins to watch, unless it has begun before.
func (b *busy) begin(pid int) {
	select {
	case b.began <- pid:
	default:
	}
}

// untilRest returns how long after the call the last work was seen. The process may end before it is at rest.
func untilRest(pid int, stop <-chan struct{}, atRest func(pid int)) (took time.Duration) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	begun, last := time.Now(), readProcess(pid)
	for quiet := 0; quiet < restLooks; quiet++ {
		select {
		case <-stop:
			return took
		case <-ticker.C:
		}
		now := readProcess(pid)
		if now.cpu-last.cpu >= busyCPU || now.written > last.written {
			took, quiet = time.Since(begun), 0
		}
		last = now
	}
	atRest(pid)
	return took
}
