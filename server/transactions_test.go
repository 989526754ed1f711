package server

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// begin begins a transaction and returns its address.
func (s *site) begin(body string, headers ...string) string {
	s.t.Helper()
	var b struct {
		ID    string `json:"id"`
		Lease int    `json:"lease_ms"`
	}
	if err := json.Unmarshal([]byte(s.send("POST", "/v1/transactions", body, headers...).want(200, "").body), &b); err != nil || b.ID == "" || b.Lease == 0 {
		s.t.Fatalf("%+v, %v", b, err)
	}
	return "/v1/transactions/" + b.ID
}

func TestTransaction_SeesOneMomentAndItsOwnWrites(t *testing.T) {
	s := newSite(t, nil)
	s.send("PUT", "/v1/keys/a", "1").want(204, "")
	tx := s.begin(`{"writable":true}`)
	past := s.begin(`{"writable":false}`)
	s.send("PUT", tx+"/keys/b//c", "2").want(204, "")
	s.get(tx+"/keys/b//c").want(200, "2")
	s.get("/v1/keys/b//c").wantError(404, "not_found")
	s.get(tx+"/range").want(200, `{"items":[{"key":"a","value":"1","seq":1},{"key":"b//c","value":"2"}],"scanned":2}`)
	s.send("DELETE", tx+"/keys/a", "").want(204, "")
	s.get(tx+"/keys/a").wantError(404, "not_found")
	s.send("POST", tx+"/commit?sync=true", `{}`).want(200, `{"committed":true}`)
	s.get("/v1/keys/a").wantError(404, "not_found")
	s.get("/v1/keys/b//c").want(200, "2")
	s.get(past+"/keys/a").want(200, "1")
	s.get(past+"/keys/b//c").wantError(404, "not_found")
	s.get(tx+"/keys/a").wantError(404, "not_found")
	s.send("POST", tx+"/commit", ``).wantError(404, "not_found")
}

func TestTransaction_ThatConflictsIsRefused(t *testing.T) {
	s := newSite(t, nil)
	tx := s.begin(`{"writable":true}`)
	s.get(tx+"/keys/a").wantError(404, "not_found")
	s.send("PUT", tx+"/keys/b", "from within").want(204, "")
	s.send("PUT", "/v1/keys/a", "from without").want(204, "")
	s.send("POST", tx+"/commit", ``).wantError(409, "conflict")
	s.get("/v1/keys/b").wantError(404, "not_found")
}

func TestTransaction_RolledBackLeavesNothing(t *testing.T) {
	s := newSite(t, nil)
	tx := s.begin(`{"writable":true}`)
	s.send("PUT", tx+"/keys/b", "x").want(204, "")
	s.send("DELETE", tx, "").want(204, "")
	s.send("DELETE", tx, "").wantError(404, "not_found")
	s.get("/v1/keys/b").wantError(404, "not_found")
	s.send("PUT", s.begin(`{}`)+"/keys/b", "x").wantError(403, "read_only")
}

func TestTransaction_ThereIsABound(t *testing.T) {
	s := newSite(t, &Options{MaxTransactions: 3})
	first := s.begin(`{}`)
	s.begin(`{}`)
	s.begin(`{}`)
	s.send("POST", "/v1/transactions", `{}`).wantError(429, "too_many")
	s.send("DELETE", first, "").want(204, "")
	s.begin(`{}`)
}

// One machine may have any number of addresses.
func TestTransaction_ThereIsABoundForAllTogether(t *testing.T) {
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, db, &Options{MaxTransactions: 1})
	for i := range transactionOwners {
		if _, err := s.s.transactions.begin(db, fmt.Sprint("peer ", i), false); err != nil {
			t.Fatal(err)
		}
	}
	s.send("POST", "/v1/transactions", `{}`).wantError(429, "too_many")
	if n := db.Metrics().Snapshots; n != transactionOwners {
		t.Errorf("%d snapshots are open", n)
	}
}

func TestTransaction_TakesMemoryThatIsCounted(t *testing.T) {
	s := newSite(t, &Options{MaxMemory: 2 << 20})
	value := strings.Repeat("x", 400<<10)
	first, second := s.begin(`{"writable":true}`), s.begin(`{"writable":true}`)
	s.send("PUT", first+"/keys/a", value).want(204, "")
	s.send("PUT", second+"/keys/a", value).wantError(503, "too_many")
	s.send("PUT", second+"/keys/b", "small").want(204, "")
	s.send("DELETE", first, "").want(204, "")
	if n := s.s.memory.used.Load(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
	s.send("PUT", second+"/keys/a", value).want(204, "")
	s.send("POST", second+"/commit", "").want(200, "")
	if n := s.s.memory.used.Load(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
}

// Requests on one transaction are done one by one; a slow one must not have all connections wait for it.
func TestTransaction_FewRequestsWaitForOneAnother(t *testing.T) {
	s := newSite(t, nil)
	tx := s.begin(`{}`)
	held := s.s.transactions.open[strings.TrimPrefix(tx, "/v1/transactions/")]
	held.mu.Lock() // as a request does whose peer is slow
	var all sync.WaitGroup
	for range maxTransactionRequests {
		all.Go(func() { s.get(tx+"/keys/a").wantError(404, "not_found") })
	}
	for held.requests.Load() < maxTransactionRequests {
		runtime.Gosched()
	}
	s.get(tx+"/keys/a").wantError(429, "too_many")
	held.mu.Unlock()
	all.Wait()
	s.get(tx+"/keys/a").wantError(404, "not_found")
}

// What outgrows a memtable lies in tables.
func TestTransaction_MayOutgrowTheMemoryOfRequests(t *testing.T) {
	s := newSite(t, &Options{MaxMemory: 24 << 20})
	tx := s.begin(`{"writable":true}`)
	value := strings.Repeat("x", 2<<20)
	for i := range 14 {
		s.send("PUT", fmt.Sprintf("%s/keys/%d", tx, i), value).want(204, "")
	}
	if n := s.s.memory.used.Load(); n > transactionBytes {
		t.Errorf("%d bytes are in use", n)
	}
	s.send("POST", tx+"/commit", "").want(200, "")
	s.get("/v1/count").want(200, `{"count":14}`)
}

func TestTransaction_EndsWithItsLease(t *testing.T) {
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(db, nil)
		if err != nil {
			t.Fatal(err)
		}
		begun, err := s.transactions.begin(db, "peer", true)
		if err != nil {
			t.Fatal(err)
		}
		use := func() error { return s.transactions.with(begun.id, "peer", func(*transaction) error { return nil }) }
		for range 3 {
			<-time.After(29 * time.Second) // by the clock of the bubble
			if err := use(); err != nil {
				t.Errorf("within the lease: %v", err)
			}
		}
		<-time.After(31 * time.Second)
		synctest.Wait()
		if err := use(); err == nil {
			t.Error("there is a transaction after its lease")
		}
		if n := db.Metrics().Snapshots; n != 0 {
			t.Errorf("%d snapshots are open", n)
		}
	})
}

// Its timer may fire while a request has the transaction, and wait for that: the request is told that all is well.
func TestTransaction_GoesOnWhenARequestCameJustBeforeItsLeaseEnded(t *testing.T) {
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(db, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		begun, err := s.transactions.begin(db, "peer", true)
		if err != nil {
			t.Fatal(err)
		}
		begun.mu.Lock()
		<-time.After(s.opts.TransactionLease) // by the clock of the bubble
		begun.renewLocked(s.opts.TransactionLease)
		begun.mu.Unlock()
		synctest.Wait()
		if begun.tx == nil {
			t.Error("it ended, though it was renewed")
		}
	})
}

func TestClose_EndsTransactions(t *testing.T) {
	s := newSite(t, nil)
	s.begin(`{"writable":true}`)
	if n := s.db.Metrics().Snapshots; n != 1 {
		t.Fatalf("%d snapshots are open", n)
	}
	s.s.Close()
	if n := s.db.Metrics().Snapshots; n != 0 {
		t.Errorf("%d snapshots are open", n)
	}
	s.send("POST", "/v1/transactions", `{}`).wantError(503, "closed")
}
