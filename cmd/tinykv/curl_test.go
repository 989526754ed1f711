package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// curl is as much of that program as docs/API.md uses, so that its examples run where there is none: -s -N -i -m -X -H -d, --data-binary (also
// @FILE, and @- for standard input), and a URL.
func curl() {
	if err := request(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		os.Exit(1)
	}
}

func request(args []string, in io.Reader, out io.Writer) error {
	ctx := context.Background()
	method, address, header, body, withHeader := "", "", http.Header{}, io.Reader(nil), false
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if !strings.HasPrefix(arg, "-") {
			address = arg
			continue
		}
		if takesValue := slices.Contains([]string{"-X", "-H", "-d", "--data-binary", "-m"}, arg); takesValue && len(args) == 0 {
			return fmt.Errorf("%s wants a value", arg)
		}
		switch arg {
		case "-s", "-N", "-sN":
		case "-i", "-si":
			withHeader = true
		case "-m":
			d, err := time.ParseDuration(args[0] + "s")
			if err != nil {
				return err
			}
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(ctx, d)
			defer stop()
			args = args[1:]
		case "-X":
			method, args = args[0], args[1:]
		case "-H":
			name, value, _ := strings.Cut(args[0], ":")
			header.Add(name, strings.TrimSpace(value))
			args = args[1:]
		case "-d", "--data-binary":
			var err error
			if body, err = bodyOf(args[0], in); err != nil {
				return err
			}
			args = args[1:]
		default:
			return fmt.Errorf("%s is not known here", arg)
		}
	}
	if method == "" && body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	r.Header = header
	if body != nil && header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if withHeader {
		printHeader(out, a)
	}
	if _, err = io.Copy(out, a.Body); ctx.Err() != nil {
		return nil // that much was asked for
	}
	return err
}

// bodyOf returns what is sent: the text, or a file that it names.
func bodyOf(data string, in io.Reader) (io.Reader, error) {
	name, isFile := strings.CutPrefix(data, "@")
	switch {
	case !isFile:
		return strings.NewReader(data), nil
	case name == "-":
		return in, nil
	default:
		return os.Open(name)
	}
}

func printHeader(out io.Writer, a *http.Response) {
	fmt.Fprintf(out, "%s %s\n", a.Proto, a.Status)
	var lines []string
	for name, values := range a.Header {
		for _, v := range values {
			lines = append(lines, name+": "+v)
		}
	}
	slices.Sort(lines)
	fmt.Fprintln(out, strings.Join(lines, "\n")+"\n")
}
