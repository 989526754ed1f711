package main

import "github.com/tinykv/tinykv/bench/internal/draw"

// Names of distributions.
const (
	distUniform = "uniform"
	distZipf    = "zipf"
	distLatest  = "latest"
)

func distributions() []string { return []string{distUniform, distZipf, distLatest} }

// numbers returns what draws numbers as -distribution says.
func (c *config) numbers(s *session) draw.Numbers {
	switch c.distribution {
	case distZipf:
		return zipfian(s)
	case distLatest:
		return draw.NewLatest(s.inserts, c.zipfExponent)
	default:
		return draw.Uniform(c.num)
	}
}

// zipfian is -distribution=zipf, whatever that flag says.
func zipfian(s *session) draw.Numbers {
	return draw.NewScrambled(uint64(s.config.num), s.config.zipfExponent)
}

// hot draws numbers among one in a hundred, the lowest, as LevelDB's readhot does.
func hot(s *session) draw.Numbers { return draw.Uniform((s.config.num + 99) / 100) }
