package corrupt

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestError_SaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{Errorf("data block", "has %d bytes", 3), "corrupt data: data block: has 3 bytes"},
		{Errorf("data block", "has no bytes").At(0), "corrupt data at offset 0: data block: has no bytes"},
		{Errorf("data block", "gone").At(64).In("7.sst"), "corrupt data in 7.sst at offset 64: data block: gone"},
		{&Error{Offset: -1, What: "table", Detail: "short", Cause: io.EOF}, "corrupt data: table: short: EOF"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestError_MatchesErrCorruptAndItsCause(t *testing.T) {
	err := error(&Error{What: "table", Cause: io.EOF})
	if wrapped := fmt.Errorf("open: %w", err); !errors.Is(wrapped, ErrCorrupt) || !errors.Is(wrapped, io.EOF) || errors.Is(wrapped, ErrTooNew) {
		t.Errorf("%v matches the wrong errors", wrapped)
	}
}

func TestLocate_FillsInFileAndShiftsOffset(t *testing.T) {
	for _, c := range []struct{ off, base, want int64 }{
		{5, 100, 105},
		{0, 100, 100},
		{-1, 100, 100}, // not known: the least that is
	} {
		var e *Error
		if err := Locate(Errorf("batch", "x").At(c.off), "1.wal", c.base); !errors.As(err, &e) || e.Offset != c.want || e.File != "1.wal" {
			t.Errorf("offset %d in a structure at %d: %v", c.off, c.base, err)
		}
	}
}

func TestLocate_LeavesWhatHasAFile(t *testing.T) {
	err := error(Errorf("batch", "x").At(5).In("1.wal"))
	if got := Locate(err, "2.wal", 100); got != err {
		t.Errorf("got %v, want %v", got, err)
	}
}

func TestLocate_LeavesOtherErrors(t *testing.T) {
	for _, err := range []error{nil, io.EOF, ErrTooNew} {
		if got := Locate(err, "1.wal", 0); got != err {
			t.Errorf("got %v, want %v", got, err)
		}
	}
}

func TestLocate_DoesNotChangeTheErrorItIsGiven(t *testing.T) {
	err := Errorf("batch", "x").At(5)
	_ = Locate(err, "1.wal", 100)
	if err.File != "" || err.Offset != 5 {
		t.Errorf("became %v", err)
	}
}

func TestLocate_KeepsWhatIsJoined(t *testing.T) {
	err := Locate(errors.Join(Errorf("batch", "x").At(5), io.ErrClosedPipe), "1.wal", 100)
	var e *Error
	if !errors.As(err, &e) || e.File != "1.wal" || e.Offset != 105 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("became %v", err)
	}
}
