package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program that was killed leaves neither the process of its classroom behind nor that one's directory.
func TestClassroom_GoesWithItsParentHoweverThatWent(t *testing.T) {
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	temp := shortDir(t)
	cmd := exec.Command(path, "demo", "--load", "0")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TINYKV_DB="+filepath.Join(temp, "db"), "XDG_RUNTIME_DIR="+temp)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "http://") {
		continue
	}
	rooms := func() []string {
		found, _ := filepath.Glob(filepath.Join(temp, "tinykv-classroom-*"))
		return found
	}
	if len(rooms()) != 1 {
		t.Errorf("%d classrooms while it serves", len(rooms()))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // the child holds the other end, too, until it is gone
		continue
	}
	_ = cmd.Wait()
	if left := rooms(); len(left) != 0 {
		t.Errorf("%v is still there", left)
	}
}
