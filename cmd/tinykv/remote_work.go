package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tinykv/tinykv"
)

// work has the server do what takes long, tells how far it is, and reads the report. An interruption ends it there, too.
func (s *remoteSite) work(path string, q url.Values, m *meter, report any) error {
	a, err := s.send(http.MethodPost, path, q, nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	defer m.end()
	lines := bufio.NewScanner(a.Body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		var l workLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		switch {
		case l.Error != nil:
			return answeredError{l.Error.Code, l.Error.Message}
		case l.Report != nil:
			return json.Unmarshal(l.Report, report)
		}
		note := ""
		if l.Progress.Problems != nil {
			note = countText(*l.Progress.Problems, "problem")
		}
		m.update(step{Phase: l.Progress.Phase, Done: l.Progress.Done, Total: l.Progress.Total, Note: note})
	}
	if err := context.Cause(s.ctx); err != nil {
		return m.stopped(err)
	}
	return errors.Join(errors.New("the server broke off; whether it came to an end is not known"), lines.Err())
}

// workLine is a line of such an answer.
type workLine struct {
	Progress struct {
		Phase       string
		Done, Total int64
		Problems    *int
	}
	Report json.RawMessage
	Error  *struct{ Code, Message string }
}

// verify has the server verify its store.
func (s *remoteSite) verify(m *meter) (*tinykv.VerifyReport, error) {
	var r struct {
		tinykv.VerifyReport
		Problems []jsonProblem `json:"problems"`
	}
	if err := s.work("/v1/verify", nil, m, &r); err != nil {
		return nil, err
	}
	for _, p := range r.Problems {
		r.VerifyReport.Problems = append(r.VerifyReport.Problems, &tinykv.CorruptionError{File: p.File, Offset: p.Offset, What: p.What, Detail: p.Detail})
	}
	return &r.VerifyReport, nil
}

// compact has the server compact a range, and returns how large its tables were and are.
func (s *remoteSite) compact(bucket string, r tinykv.Range, m *meter) (before, after int64, err error) {
	var a struct {
		Before int64 `json:"bytes_before"`
		After  int64 `json:"bytes_after"`
	}
	err = s.work("/v1/compact", remoteSpace{s, bucket}.bounded(r), m, &a)
	return a.Before, a.After, err
}
