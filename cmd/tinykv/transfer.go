package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
)

// during runs do, and tells meanwhile how far it is.
func (m *meter) during(do func(), now func() step) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		m.update(now())
		select {
		case <-done:
			m.update(now())
			return
		case <-tick.C:
		}
	}
}

// load sends what is to be imported to the server.
func (s *remoteSite) load(in io.Reader, c *importCommand, o *interchange.ImportOptions) (*interchange.ImportReport, error) {
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.base+"/v1/import?"+c.query(o).Encode(), io.NopCloser(in))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", map[interchange.Format]string{
		interchange.CSV: "text/csv", interchange.JSON: "application/json", interchange.JSONLines: "application/x-ndjson",
	}[o.Format])
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	a, err := s.http.Do(r)
	if err != nil {
		return nil, s.unanswered(errors.Unwrap(err))
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	report := &interchange.ImportReport{}
	if err := json.Unmarshal(text, report); err != nil || a.StatusCode >= 300 && report.StoppedAt == nil {
		return nil, errors.Join(answerError(a.StatusCode, text), err)
	}
	return report, withoutAdvice(answerError(a.StatusCode, text))
}

// unanswered is the error of an import of which the server did not say how far it came.
func (s *remoteSite) unanswered(err error) error {
	const next = "how far it came the server did not say: import it again, with --on-conflict skip if what is there is to stay"
	if s.ctx.Err() != nil {
		return importError{err, "interrupted; " + next}
	}
	return importError{err, fmt.Sprintf("no answer from the server: %v; %s", err, next)}
}

// withoutAdvice leaves out of an error what the server says of how to go on: with parameters, where a command has flags.
func withoutAdvice(err error) error {
	var a answeredError
	if !errors.As(err, &a) {
		return err
	}
	for _, advice := range []string{"; everything up to row ", "; nothing was imported"} {
		a.message, _, _ = strings.Cut(a.message, advice)
	}
	return a
}

// query are the parameters of the request that imports.
func (c *importCommand) query(o *interchange.ImportOptions) url.Values {
	q := url.Values{"on_conflict": {c.OnConflict}, "max_errors": {strconv.Itoa(o.MaxErrors)}, "from_row": {strconv.FormatInt(c.FromRow, 10)}}
	setUnlessEmpty(q, map[string]string{
		"bucket": c.Bucket, "key": c.Key, "value": c.Value, "columns": strings.Join(c.Columns, ","), "separator": separatorText(o.Comma),
	})
	for name, on := range map[string]bool{"numbers": c.Numbers, "dry_run": c.DryRun, "all_buckets": c.AllBuckets} {
		if on {
			q.Set(name, "true")
		}
	}
	return q
}

// dump writes what the server exports.
func (s *remoteSite) dump(w io.Writer, c *exportCommand, r tinykv.Range, o *interchange.ExportOptions, done *exported) error {
	q := url.Values{"format": {o.Format.String()}, "encoding": {"hex"}}
	if r.Lower != nil {
		q.Set("lower", hex.EncodeToString(r.Lower))
	}
	if r.Upper != nil {
		q.Set("upper", hex.EncodeToString(r.Upper))
	}
	c.query(q, o)
	a, err := s.send(http.MethodGet, "/v1/export", q, nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	_, err = io.Copy(w, countReader{a.Body, &done.bytes})
	return err
}

// query adds the parameters of the request that exports, but for the range.
func (c *exportCommand) query(q url.Values, o *interchange.ExportOptions) {
	for name, on := range map[string]bool{"keys_only": c.KeysOnly, "seq": c.Seq, "all_buckets": c.AllBuckets} {
		if on {
			q.Set(name, "true")
		}
	}
	setUnlessEmpty(q, map[string]string{"bucket": c.Bucket, "columns": strings.Join(c.Columns, ","), "separator": separatorText(o.Comma)})
}

func setUnlessEmpty(q url.Values, values map[string]string) {
	for name, value := range values {
		if value != "" {
			q.Set(name, value)
		}
	}
}

func separatorText(c byte) string {
	switch c {
	case 0:
		return ""
	case '\t':
		return "tab"
	default:
		return string(rune(c))
	}
}
