// Command sessions shows a session store: sessions end half an hour after they were last used, without anybody removing them.
package main

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

const idle = 30 * time.Minute

// sessions are logins by token.
type sessions struct{ db *tinykv.DB }

func (s sessions) login(token, user string) error {
	ok, err := s.db.PutIfAbsent([]byte(token), []byte(user), tinykv.TTL(idle))
	if err == nil && !ok {
		err = errors.New("the token is taken")
	}
	return err
}

// user returns whose session it is, and has it last another half hour from now.
func (s sessions) user(token string) (string, error) {
	for {
		user, err := s.db.Get([]byte(token))
		if err != nil {
			return "", err // tinykv.ErrNotFound: there was none, or it has ended
		}
		// Unlike Put, this does not bring back a session that somebody ends at this moment.
		if ok, err := s.db.CompareAndSwap([]byte(token), user, user, tinykv.TTL(idle)); ok || err != nil {
			return string(user), err
		}
	}
}

func (s sessions) logout(token string) error { return s.db.Delete([]byte(token)) }

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	db, err := tinykv.Open("sessions", &tinykv.Options{
		FS:    vfs.NewMem(),                    // in memory, to leave nothing behind
		Clock: func() time.Time { return now }, // to let time go by; programs leave it to be time.Now
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := sessions{db}
	if err := errors.Join(s.login("t1", "ann"), s.login("t2", "bob"), s.login("t3", "eve")); err != nil {
		return err
	}
	now = now.Add(20 * time.Minute)
	if _, err := s.user("t1"); err != nil {
		return err
	}
	if err := s.logout("t3"); err != nil {
		return err
	}
	now = now.Add(20 * time.Minute)
	for _, token := range []string{"t1", "t2", "t3"} {
		switch user, err := s.user(token); {
		case errors.Is(err, tinykv.ErrNotFound):
			fmt.Printf("%s: please log in\n", token)
		case err != nil:
			return err
		default:
			fmt.Printf("%s: hello %s\n", token, user)
		}
	}
	return nil
}
