package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/tinykv/tinykv"
)

const (
	// localURL is where a server is that is reached through a socket: its name means nothing, but must be one that the server knows.
	localURL = "http://localhost"

	// maxAnswer bounds an answer that is held in memory: a page of a range, the numbers of a store.
	maxAnswer = 64 << 20

	// maxRequest bounds a request that this process answers itself.
	maxRequest = 1 << 30
)

// remoteSite is the store of a running server.
type remoteSite struct {
	ctx   context.Context
	http  *http.Client
	base  string // without a slash at its end
	token string
}

// dialURL returns the server of --server.
func dialURL(e *environment) (*remoteSite, error) {
	u, err := url.Parse(e.server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usageError{fmt.Sprintf("--server %s is no address; write http://127.0.0.1:8080", e.server)}
	}
	return newRemote(e, &http.Client{Transport: &http.Transport{}}, strings.TrimSuffix(e.server, "/")), nil
}

func newRemote(e *environment, c *http.Client, base string) *remoteSite {
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a token is for one server
	return &remoteSite{ctx: e.ctx, http: c, base: base, token: os.Getenv("TINYKV_TOKEN")}
}

// dialSocket returns the server that has the store of --db open, or nil.
func dialSocket(e *environment) *remoteSite {
	path, err := socketPath(e.db)
	if err != nil || !hasSocket(path) {
		return nil
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	c, err := dial(e.ctx, "", "")
	if err != nil {
		return nil // left behind by one that is gone
	}
	_ = c.Close()
	return newRemote(e, &http.Client{Transport: &http.Transport{DialContext: dial}}, localURL)
}

// answeredError is one that a server answered with. It matches what the engine's own error for it would be.
type answeredError struct {
	code, message string
}

func (e answeredError) Error() string { return e.message }

func (e answeredError) Unwrap() error {
	return map[string]error{
		"not_found": tinykv.ErrNotFound, "conflict": tinykv.ErrConflict, "corrupt": tinykv.ErrCorrupt, "failed": tinykv.ErrFailed,
		"read_only": tinykv.ErrReadOnly, "closed": tinykv.ErrClosed, "bad_request": errBadRequest, "too_large": errBadRequest,
	}[e.code]
}

// errBadRequest is what a server says of a request that is wrong, as far as it is the user's mistake.
var errBadRequest = errors.New("bad request")

// answerError returns the error that an answer stands for, or nil.
func answerError(status int, body []byte) error {
	if status < 300 {
		return nil
	}
	var a struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Error.Message == "" {
		return fmt.Errorf("the server answered with status %d %s; is it a tinykv server?", status, http.StatusText(status))
	}
	if a.Error.Code == "unauthorized" {
		a.Error.Message += "; TINYKV_TOKEN holds the token"
	}
	return answeredError{a.Error.Code, a.Error.Message}
}

func newRequest(ctx context.Context, method, to string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err == nil && method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, err
}

// send sends a request and returns the answer, whose body is still to be read. A status that tells of a failure is an error.
func (s *remoteSite) send(method, path string, q url.Values, body []byte) (*http.Response, error) {
	to := s.base + path
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	r, err := newRequest(s.ctx, method, to, body)
	if err != nil {
		return nil, err
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	a, err := s.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("no answer from the server: %w", errors.Unwrap(err)) // its address is known, and may be long
	}
	if a.StatusCode < 300 {
		return a, nil
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return nil, answerError(a.StatusCode, text)
}

// call sends a request and reads its answer.
func (s *remoteSite) call(method, path string, q url.Values, body []byte) ([]byte, error) {
	a, err := s.send(method, path, q, body)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	return io.ReadAll(a.Body)
}

// ask sends a request for JSON.
func (s *remoteSite) ask(path string, q url.Values, to any) error {
	a, err := s.send(http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if err := json.NewDecoder(io.LimitReader(a.Body, maxAnswer)).Decode(to); err != nil {
		return fmt.Errorf("the answer of the server cannot be read: %w", err)
	}
	return nil
}

// durably are the parameters of a request that writes to a bucket, and waits for stable storage.
func durably(bucket string) url.Values {
	q := url.Values{"sync": {"true"}}
	if bucket != "" {
		q.Set("bucket", bucket)
	}
	return q
}

func (s *remoteSite) post(path, bucket string, body []byte) ([]byte, error) {
	return s.call(http.MethodPost, path, durably(bucket), body)
}

func (s *remoteSite) metrics() (*tinykv.Metrics, error) {
	m := &tinykv.Metrics{}
	return m, s.ask("/v1/stats", nil, m)
}

func (s *remoteSite) bucketNames() (names []string, err error) {
	var a struct {
		Buckets []struct {
			Name    *string `json:"name"`
			NameHex *string `json:"name_hex"`
		}
	}
	if err := s.ask("/v1/buckets", nil, &a); err != nil {
		return nil, err
	}
	for _, b := range a.Buckets {
		name, err := unJSON(b.Name, b.NameHex)
		if err != nil {
			return nil, err
		}
		names = append(names, string(name))
	}
	return names, nil
}

func (s *remoteSite) dropBucket(name string) error {
	_, err := s.call(http.MethodDelete, "/v1/buckets/"+hex.EncodeToString([]byte(name)), hexed(), nil)
	return err
}

// hexed are the parameters of a request that gives all keys as hexadecimal digits.
func hexed() url.Values { return url.Values{"encoding": {"hex"}} }

// unJSON returns bytes that were told as text or as digits.
func unJSON(text, digits *string) ([]byte, error) {
	switch {
	case text != nil:
		return []byte(*text), nil
	case digits != nil:
		return hex.DecodeString(*digits)
	default:
		return nil, nil
	}
}
