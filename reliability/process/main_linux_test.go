package process_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tinykv/tinykv/reliability/load"
)

func TestMain(m *testing.M) {
	load.RunIfChild()
	runIfBig()
	os.Exit(m.Run())
}

// configIn returns a configuration for a store and a ledger in a directory of their own.
func configIn(t testing.TB, c load.Config) load.Config {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir()) // what traces show
	must(t, err)
	c.Dir, c.Ledger = filepath.Join(dir, "store"), filepath.Join(dir, "ledger")
	return c
}

// command returns the path of a program, and skips the test where there is none.
func command(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: %v", name, err)
	}
	return path
}

// spin waits for a moment too short for the timers of a busy machine.
func spin(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
}
