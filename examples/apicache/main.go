// Command apicache shows a cache of responses: each is kept for as long as its sender said, asked for again afterwards, and survives the
// end of the program.
package main

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// response is what an API answers, and for how long that holds.
type response struct {
	body   string
	maxAge time.Duration
}

// cache keeps what ask returns.
type cache struct {
	db  *tinykv.DB
	ask func(url string) (response, error)
}

func (c cache) get(url string) (string, error) {
	k := []byte(url)
	body, err := c.db.Get(k)
	if err == nil || !errors.Is(err, tinykv.ErrNotFound) {
		return string(body), err
	}
	r, err := c.ask(url)
	if err != nil || r.maxAge <= 0 {
		return r.body, err // not to be kept
	}
	return r.body, c.db.Put(k, []byte(r.body), tinykv.TTL(r.maxAge))
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	db, err := tinykv.Open("cache", &tinykv.Options{
		FS:    vfs.NewMem(),                    // in memory, to leave nothing behind
		Clock: func() time.Time { return now }, // to let time go by; programs leave it to be time.Now
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	asked := 0
	c := cache{db, func(string) (response, error) {
		asked++
		return response{fmt.Sprintf("%d degrees", 20+asked), time.Minute}, nil
	}}
	for range 3 {
		body, err := c.get("https://weather.example/basel")
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", now.Format("15:04:05"), body)
		now = now.Add(40 * time.Second)
	}
	for item, err := range db.Scan(tinykv.All()) {
		if err != nil {
			return err
		}
		fmt.Printf("%s is kept until %s\n", item.Key, item.ExpiresAt.UTC().Format("15:04:05"))
	}
	return nil
}
