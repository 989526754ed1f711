package server

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
)

// mediaTypes are those of the formats.
func mediaTypes() map[interchange.Format]string {
	return map[interchange.Format]string{
		interchange.CSV:       "text/csv",
		interchange.JSON:      "application/json",
		interchange.JSONLines: "application/x-ndjson",
	}
}

// export answers with all items of a range, as they are when it begins, as one stream. When it cannot be ended, the connection is cut.
func (s *Server) export(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "format", "prefix", "lower", "upper", "keys_only", "seq", "columns", "separator", "all_buckets")
	if err != nil {
		return err
	}
	bounds, _, err := q.bounds()
	if err != nil {
		return err
	}
	o, err := exportOptions(&q)
	if err != nil {
		return err
	}
	all, err := q.flag("all_buckets")
	if err != nil {
		return err
	}
	if all && q.Has("bucket") {
		return badRequest("bucket names one, all_buckets means all; send one of them")
	}
	typ := mediaTypes()[o.Format]
	if o.Format == interchange.CSV {
		typ += "; charset=utf-8"
	}
	if r.Method == http.MethodHead {
		return headOnly(w, typ)
	}
	releaseExport, ok := s.exports.take()
	if !ok {
		return tooMany("%d exports are under way; wait for one to end", cap(s.exports))
	}
	defer releaseExport()
	release, ok := s.jobs.take()
	if !ok {
		return s.tooManyJobs()
	}
	defer release()
	ctx, cancel := s.untilStop(r)
	defer cancel()
	var scan []tinykv.ScanOption
	if o.KeysOnly {
		scan = []tinykv.ScanOption{tinykv.KeysOnly}
	}
	out := &download{w: s.pace(w), typ: typ, name: "tinykv." + o.Format.String()}
	if all {
		_, err = interchange.ExportAll(ctx, out, s.db, bounds, o)
	} else {
		_, err = interchange.Export(ctx, out, s.space(&q).Scan(bounds, scan...), o)
	}
	if err != nil && out.begun {
		s.logUnknown(r, err)
		return errBroken
	}
	return aboutOptions(err)
}

func exportOptions(q *query) (o *interchange.ExportOptions, err error) {
	o = &interchange.ExportOptions{Format: interchange.JSONLines, Columns: q.list("columns")}
	if q.Has("format") {
		if o.Format, err = interchange.ParseFormat(q.Get("format")); err != nil {
			return nil, badRequest("format must be csv, json or jsonl")
		}
	}
	if o.KeysOnly, err = q.flag("keys_only"); err != nil {
		return nil, err
	}
	if o.Seq, err = q.flag("seq"); err != nil {
		return nil, err
	}
	o.Comma, err = q.separator()
	return o, err
}

// list reads names with commas between them.
func (q *query) list(name string) []string {
	if q.Get(name) == "" {
		return nil
	}
	return strings.Split(q.Get(name), ",")
}

// separator reads what stands between the fields of CSV; 0 leaves that open.
func (q *query) separator() (byte, error) {
	switch s := q.Get("separator"); {
	case s == "":
		return 0, nil
	case s == "tab":
		return '\t', nil
	case len(s) == 1:
		return s[0], nil
	default:
		return 0, badRequest("separator must be one character of ASCII, or tab")
	}
}

// aboutOptions tells a peer what is wrong with what it asked for.
func aboutOptions(err error) error {
	if errors.Is(err, interchange.ErrOption) {
		_, why, _ := strings.Cut(err.Error(), interchange.ErrOption.Error()+": ")
		return badRequest("%s", why)
	}
	return err
}

// download is an answer that begins with its first byte, so that an error before that can still be told.
type download struct {
	w         http.ResponseWriter
	typ, name string
	begun     bool
}

// Write writes to the peer.
func (d *download) Write(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", d.typ)
		d.w.Header().Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	}
	return d.w.Write(p)
}

// stoppedImport is the answer to an import that ended early.
type stoppedImport struct {
	Error *problem `json:"error"`
	*interchange.ImportReport
}

// load imports the body, as it comes in.
func (s *Server) load(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "format", "on_conflict", "dry_run", "key", "value", "columns", "separator", "numbers", "from_row", "max_errors", "all_buckets", "job")
	if err != nil {
		return err
	}
	if len(q.Get("job")) > maxJobName {
		return badRequest("the name of a job has at most %d bytes", maxJobName)
	}
	o, err := s.importOptions(&q, r)
	if err != nil {
		return err
	}
	if err := asItIs(w, r); err != nil {
		return err
	}
	release, ok := s.jobs.take()
	if !ok {
		return s.tooManyJobs()
	}
	defer release()
	ctx, cancel := s.untilStop(r)
	defer cancel()
	if err := grantOf(r).share.take(int(o.MaxRow)); err != nil {
		return err
	}
	in := &upload{
		ctx: ctx, r: http.MaxBytesReader(w, r.Body, s.opts.MaxImport), control: http.NewResponseController(w), left: allowance{timeout: s.opts.RequestTimeout},
	}
	w = s.pace(w) // it has taken its time by then
	defer context.AfterFunc(ctx, in.giveUp)()
	note, end := s.imports.begin(q.Get("job"))
	o.Progress = note
	report, err := interchange.Import(ctx, s.db, in, o)
	end()
	if report == nil {
		return aboutOptions(err)
	}
	if err == nil {
		answer(w, http.StatusOK, report)
		return nil
	}
	p := s.whyStopped(r, err, report)
	release()
	_, _ = io.Copy(io.Discard, in) // most clients read no answer before they have sent everything
	answer(w, p.status, stoppedImport{p, report})
	return nil
}

func (s *Server) importOptions(q *query, r *http.Request) (o *interchange.ImportOptions, err error) {
	o = &interchange.ImportOptions{Bucket: q.Get("bucket"), Value: q.Get("value"), Columns: q.list("columns"), MaxRow: 2*s.opts.MaxBody + 1<<20}
	if q.Has("bucket") && o.Bucket == "" {
		return nil, badRequest("the name of a bucket has 1 to 255 bytes")
	}
	if o.Format, err = formatOf(q, r); err != nil {
		return nil, err
	}
	if o.AllBuckets, err = q.flag("all_buckets"); err != nil {
		return nil, err
	}
	if o.DryRun, err = q.flag("dry_run"); err != nil {
		return nil, err
	}
	if o.Numbers, err = q.flag("numbers"); err != nil {
		return nil, err
	}
	if o.Comma, err = q.separator(); err != nil {
		return nil, err
	}
	if q.Has("on_conflict") {
		if o.OnConflict, err = interchange.ParseConflict(q.Get("on_conflict")); err != nil {
			return nil, badRequest("on_conflict must be overwrite, skip or fail")
		}
	}
	if q.Get("key") != "" {
		if o.Key, err = interchange.ParseTemplate(q.Get("key")); err != nil {
			return nil, badRequest("%v", err)
		}
	}
	if o.FromRow, err = q.row("from_row", 0); err != nil {
		return nil, err
	}
	tolerated := int64(0)
	if o.DryRun {
		tolerated = 100
	}
	if tolerated, err = q.row("max_errors", tolerated); err == nil && tolerated > maxToldErrors {
		err = badRequest("max_errors is at most %d, as the answer lists them", maxToldErrors)
	}
	o.MaxErrors = int(tolerated)
	return o, err
}

// maxToldErrors is how many rows that are wrong an import may pass over.
const maxToldErrors = 10_000

// row reads a number of rows.
func (q *query) row(name string, byDefault int64) (int64, error) {
	if !q.Has(name) {
		return byDefault, nil
	}
	n, err := strconv.ParseInt(q.Get(name), 10, 31)
	if err != nil || n < 0 {
		return 0, badRequest("%s must be a number from 0 on", name)
	}
	return n, nil
}

// formatOf reads in what format the body is: its type must be one of theirs, which a page of a stranger cannot send unasked.
func formatOf(q *query, r *http.Request) (interchange.Format, error) {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	for f, t := range mediaTypes() {
		if err != nil || t != typ {
			continue
		}
		if name := q.Get("format"); name != "" && name != f.String() {
			return 0, badRequest("format is %s, but the Content-Type that of %v; they must agree", name, f)
		}
		return f, nil
	}
	return 0, &problem{http.StatusUnsupportedMediaType, "unsupported_media_type", "send text/csv, application/json or application/x-ndjson, and say so in Content-Type"}
}

// whyStopped says why an import ended early, and how to go on.
func (s *Server) whyStopped(r *http.Request, err error, report *interchange.ImportReport) *problem {
	p := *problemOf(err)
	switch {
	case errors.Is(err, interchange.ErrKeyExists):
		p = problem{http.StatusConflict, "conflict", err.Error()}
	case errors.Is(err, interchange.ErrInput):
		p = problem{http.StatusBadRequest, "bad_request", err.Error()}
	case errors.Is(err, io.ErrUnexpectedEOF):
		p = problem{http.StatusBadRequest, "bad_request", "the body ends before its end"}
	default:
		s.logUnknown(r, err)
	}
	if report.Rows == 0 {
		p.Message += "; nothing was imported"
	} else {
		row := strconv.FormatInt(report.Rows, 10)
		next := strconv.FormatInt(report.Rows+1, 10)
		p.Message += "; everything up to row " + row + " was done, and nothing behind it: go on with from_row=" + next
	}
	return &p
}

// upload is a body of any length, which may take as long as it is long.
type upload struct {
	ctx     context.Context
	r       io.Reader
	control *http.ResponseController
	left    allowance
}

// Read reads what comes within some time.
func (u *upload) Read(p []byte) (int, error) {
	part, begun, until := u.left.begin(len(p))
	_ = u.control.SetReadDeadline(until)         // where there is no connection, there is nothing to wait for
	if err := context.Cause(u.ctx); err != nil { // giveUp may have come before the new deadline
		return 0, err
	}
	n, err := u.r.Read(p[:part])
	u.left.end(n, begun)
	if errors.Is(err, io.EOF) { // all is there: what is left to do may take its time
		_ = u.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// giveUp ends a Read.
func (u *upload) giveUp() { _ = u.control.SetReadDeadline(time.Now()) }

func (s *Server) tooManyJobs() error {
	return tooMany("%d imports, exports, verifications and compactions are under way; wait for one to end", cap(s.jobs))
}
