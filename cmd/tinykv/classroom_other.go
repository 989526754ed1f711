//go:build !unix

package main

import "os/exec"

// separate keeps signals of the terminal from a process, where there are such.
func separate(*exec.Cmd) {}
