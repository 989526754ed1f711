package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
)

// What the sample data is made of.
const (
	demoMemTable = 256 << 10
	demoUsers    = 2000
	demoOrders   = 5000
	demoSessions = 800
	demoPages    = 200
	demoSensors  = 50
	demoPictures = 60
	demoReadings = 3000 // in a bucket of their own
	demoBatch    = 500  // operations
)

func userKey(n int) []byte   { return fmt.Appendf(nil, "user/%05d", n) }
func pageKey(n int) []byte   { return fmt.Appendf(nil, "views/page-%03d", n) }
func sensorKey(n int) []byte { return fmt.Appendf(nil, "sensor/%02d/last", n) }

// filler writes batches.
type filler struct {
	ctx context.Context
	db  *tinykv.DB
	b   *tinykv.Batch
	rnd *rand.Rand
	now time.Time
}

// isDemo tells whether a store holds the sample data. One that holds something else gives an error: it is somebody's.
func isDemo(db *tinykv.DB) (bool, error) {
	names, err := db.Buckets()
	if err != nil {
		return false, err
	}
	isEmpty := len(names) == 0
	for _, err := range db.Scan(tinykv.All(), tinykv.KeysOnly, tinykv.Limit(1)) {
		if err != nil {
			return false, err
		}
		isEmpty = false
	}
	if isEmpty {
		return false, nil
	}
	if slices.Contains(names, "readings") && slices.Contains(names, "settings") {
		return true, nil
	}
	return false, usageError{"the store holds other data, among which demo would write; name another directory by --db, or none"}
}

// fillDemo writes the sample data, unless it is there: of users, sessions that expire, orders, counters, pictures,
// and readings in a bucket. The same at each call, but for times. A store that holds anything else is left alone.
func fillDemo(ctx context.Context, db *tinykv.DB) error {
	is, err := isDemo(db)
	if is || err != nil {
		return err
	}
	f := &filler{ctx, db, db.NewBatch(), rand.New(rand.NewPCG(1, 1)), time.Now().UTC().Truncate(time.Second)}
	parts := []struct {
		n    int
		each func(n int) error
	}{
		{demoUsers, f.user},
		{demoOrders, f.order},
		{demoSessions, f.session},
		{demoPages, f.page},
		{demoSensors, f.sensor},
		{demoPictures, f.picture},
		{demoReadings, f.reading},
		{demoUsers / 10, f.userLeft},
		{len(demoTexts), f.text},
	}
	for _, p := range parts {
		for n := range p.n {
			if err := errors.Join(p.each(n), f.flush(demoBatch)); err != nil {
				return err
			}
		}
	}
	return f.flush(1)
}

// flush applies the batch if it has so many operations.
func (f *filler) flush(n int) error {
	if f.b.Len() < n {
		return nil
	}
	err := errors.Join(context.Cause(f.ctx), f.db.Apply(f.b))
	f.b.Reset()
	return err
}

func (f *filler) pick(words []string) string { return words[f.rnd.IntN(len(words))] }

func (f *filler) put(k []byte, v any, opts ...tinykv.WriteOption) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.b.Put(k, text, opts...)
}

func (f *filler) user(n int) error {
	first, last := f.pick(demoFirst), f.pick(demoLast)
	return f.put(userKey(n), map[string]any{
		"name": first + " " + last, "mail": strings.ToLower(first+"."+last) + fmt.Sprintf("%d@example.org", n),
		"city": f.pick(demoCities), "age": 18 + f.rnd.IntN(70), "tags": []string{f.pick(demoTags), f.pick(demoTags)},
		"joined": f.now.AddDate(0, 0, -f.rnd.IntN(2000)).Format(time.DateOnly),
	})
}

func (f *filler) order(n int) error {
	at := f.now.Add(-time.Duration(demoOrders-n) * 7 * time.Minute)
	lines := make([]map[string]any, 1+f.rnd.IntN(3))
	total := 0
	for i := range lines {
		count, cents := 1+f.rnd.IntN(5), 99+f.rnd.IntN(4000)
		total += count * cents
		lines[i] = map[string]any{"what": f.pick(demoGoods), "count": count, "cents": cents}
	}
	return f.put(fmt.Appendf(nil, "order/%s/%06d", at.Format(time.DateOnly), n), map[string]any{
		"user": string(userKey(f.rnd.IntN(demoUsers))), "lines": lines, "total_cents": total, "state": f.pick(demoStates), "at": at,
	})
}

// session lives from half a minute to a day.
func (f *filler) session(n int) error {
	life := time.Duration(30+f.rnd.IntN(1+n*24*3600/demoSessions)) * time.Second
	return f.put(fmt.Appendf(nil, "session/%016x", f.rnd.Uint64()), map[string]any{
		"user": string(userKey(f.rnd.IntN(demoUsers))), "from": fmt.Sprintf("192.0.2.%d", f.rnd.IntN(256)),
	}, tinykv.TTL(life))
}

func (f *filler) page(n int) error {
	return f.b.Merge(pageKey(n), tinykv.EncodeInt64(int64(f.rnd.IntN(100_000))))
}

func (f *filler) sensor(n int) error { return f.b.Put(sensorKey(n), measurement(f.rnd, f.now)) }

// measurement is JSON by hand, as small devices make it.
func measurement(rnd *rand.Rand, at time.Time) []byte {
	return fmt.Appendf(nil, `{"celsius":%.1f,"humidity":%d,"at":%q}`, 15+10*rnd.Float64(), 30+rnd.IntN(50), at.UTC().Format(time.RFC3339))
}

// picture is a small bitmap, which is no text.
func (f *filler) picture(n int) error {
	const side = 24
	b := make([]byte, 0, 3*side*side)
	r, g := f.rnd.IntN(256), f.rnd.IntN(256)
	for y := range side {
		for x := range side {
			b = append(b, byte(r+x*4), byte(g+y*4), byte(x*y))
		}
	}
	return f.b.Put(fmt.Appendf(nil, "picture/%04d.rgb", n), b)
}

// reading has a binary key, whose order is that of time, in a bucket.
func (f *filler) reading(n int) error {
	k := append([]byte{byte(f.rnd.IntN(8))}, binary.BigEndian.AppendUint64(nil, uint64(f.now.Unix()-int64(n)*60))...)
	return f.b.Bucket("readings").Put(k, binary.LittleEndian.AppendUint32(nil, uint32(f.rnd.IntN(1<<20))))
}

// userLeft deletes some users, and writes others anew, so that there is something to compact.
func (f *filler) userLeft(n int) error {
	if n%2 == 0 {
		return f.b.Delete(userKey(n * 10))
	}
	return f.user(n * 10)
}

func (f *filler) text(n int) error {
	return f.b.Bucket("settings").Put([]byte(demoTexts[n][0]), []byte(demoTexts[n][1]))
}

// The words that sample data is made of; nobody changes them.
var (
	demoFirst  = strings.Fields("Ada Alan Barbara Bob Carol Dana Edsger Eve Frances Grace Hedy Ivan Jean Katherine Lin Margaret Niklaus Olga Ravi Radia Sofia Tim Uma Wei Yuki Zoé")
	demoLast   = strings.Fields("Adams Bauer Castro Díaz Evans Fischer García Hopper Ito Jansen Kowalski Lamarr Müller Novak Okafor Patel Quinn Rossi Sato Turing Ueda Vargas Wirth Xu Yılmaz Zhang")
	demoCities = strings.Fields("Accra Berlin Cairo Delhi Hanoi Kraków Lagos Lima London Madrid Nairobi Oslo Paris Prague Québec Rome Seoul Tokyo Vienna Zürich")
	demoTags   = strings.Fields("admin beta early gold loyal news new trial vip")
	demoGoods  = strings.Fields("apples bread cheese dates eggs figs grapes honey jam kale lemons milk nuts olives plums rice salt tea")
	demoStates = strings.Fields("paid paid packed sent sent sent returned")
	demoTexts  = [][2]string{
		{"banner", "Welcome to the demo. Everything here may be changed or deleted: it is made anew each time."},
		{"greeting", "Grüß Gott · こんにちは · مرحبا · hello"},
		{"limits.json", `{"max_orders_per_user":50,"open":true,"regions":["eu","us"]}`},
		{"motd", "line one\nline two\n"},
	}
)
