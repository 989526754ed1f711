package machine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	arenaBytes = 256 << 20 // more than caches hold
	lineBytes  = 64        // of a cache
	jumps      = 1 << 19
)

func memoryProbes() []probe {
	return []probe{
		{"random memory access", accessMemory},
		{"memory copy", copyMemory},
	}
}

// line is a cache line of a chain.
type line struct {
	next uint32
	_    [lineBytes - 4]byte
}

// accessMemory follows a chain through all lines of an area in random order, so that no access can
// begin before the one before it has ended.
func accessMemory(string) (string, error) {
	lines := make([]line, arenaBytes/lineBytes)
	order := make([]uint32, len(lines))
	for i := range order {
		order[i] = uint32(i)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := len(order) - 1; i > 0; i-- { // Sattolo 1986: a single cycle
		j := rng.IntN(i)
		order[i], order[j] = order[j], order[i]
	}
	for i, next := range order {
		lines[i].next = next
	}
	at, start := uint32(0), time.Now()
	for range jumps {
		at = lines[at].next
	}
	took := time.Since(start)
	if at == 0 && len(lines) > jumps {
		return "", errors.New("the chain is too short") // cannot be; but at must be used
	}
	return fmt.Sprintf("%.1f ns, over %d MiB", float64(took.Nanoseconds())/jumps, arenaBytes>>20), nil
}

func copyMemory(string) (string, error) {
	from, to := make([]byte, arenaBytes/4), make([]byte, arenaBytes/4)
	copy(to, from) // the system gives memory only when it is touched
	const rounds = 4
	start := time.Now()
	for range rounds {
		copy(to, from)
	}
	took := time.Since(start)
	return fmt.Sprintf("%.1f GB/s", float64(rounds*len(from))/1e9/took.Seconds()), nil
}
