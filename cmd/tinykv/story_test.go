package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each file of testdata is a story: what its user types, and what the program says.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("TINYKV_DB", e.WorkDir+"/db")
		return nil
	}})
}
