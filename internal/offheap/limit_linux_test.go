package offheap

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLimit_IsNoMoreThanTheMachineHas(t *testing.T) {
	if l, m := Limit(), machineBytes(); l <= 0 || m <= 0 || l > m {
		t.Errorf("limit %d of %d", l, m)
	}
}

func TestGroupBytes_IsTheLeastLimitOnTheWayUp(t *testing.T) {
	mount := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(mount, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a/memory.max", "1000\n")
	write("a/b/memory.max", "2000\n")
	write("c/memory.max", "max\n")
	write("memory/x/memory.limit_in_bytes", "500\n")
	write("memory/y/memory.limit_in_bytes", "9223372036854771712\n")
	for _, c := range []struct {
		membership string
		want       int64
	}{
		{"0::/a/b\n", 1000},
		{"0::/a\n", 1000},
		{"0::/c\n", 0},
		{"0::/\n", 0},
		{"0::/not/there\n", 0},
		{"5:cpu,memory:/x\n0::/a\n", 500},
		{"5:memory:/y\n", 0},
		{"5:cpu:/x\n", 0},
		{"nonsense\n", 0},
		{"", 0},
	} {
		write("membership", c.membership)
		if got := groupBytes(filepath.Join(mount, "membership"), mount); got != c.want {
			t.Errorf("%q: %d, want %d", c.membership, got, c.want)
		}
	}
	if got := groupBytes(filepath.Join(mount, "no such file"), mount); got != 0 {
		t.Errorf("no membership: %d", got)
	}
}
