package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/tinykv/tinykv/server"
)

// readTokens reads the tokens that a server takes: from a file, if one is named, and from the environment. Tokens never stand on a command line, which
// everybody on the machine can read.
func readTokens(path string) (all []server.Token, err error) {
	if secret := os.Getenv("TINYKV_TOKEN"); secret != "" {
		all = append(all, server.Token{Secret: secret, Scope: server.ScopeAdmin})
	}
	if path == "" {
		return all, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, usageError{fmt.Sprintf("%s can be read by others; chmod 600 keeps it yours", path)}
	}
	more, err := parseTokens(f)
	if err != nil {
		return nil, usageError{fmt.Sprintf("%s: %v", path, err)}
	}
	return append(all, more...), nil
}

// parseTokens reads a token from each line, but for empty ones and those that begin with #. The errors hold nothing of a token.
func parseTokens(in io.Reader) (all []server.Token, err error) {
	scopes := map[string]server.Scope{"read": server.ScopeRead, "write": server.ScopeWrite, "admin": server.ScopeAdmin}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		t := server.Token{Secret: line, Scope: server.ScopeAdmin}
		if name, secret, ok := strings.Cut(line, ":"); ok {
			if t.Scope, ok = scopes[name]; !ok {
				return nil, fmt.Errorf("line %d begins with another word than read, write or admin", n)
			}
			t.Secret = strings.TrimSpace(secret)
		}
		all = append(all, t)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no token in it")
	}
	return all, nil
}
