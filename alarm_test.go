package tinykv

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAlarm_StopWaitsForWorkUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ringing, goOn := make(chan struct{}), make(chan struct{})
		a := alarm{after: time.Second, ring: func() { close(ringing); <-goOn }}
		a.arm()
		<-ringing
		var stopped atomic.Bool
		go func() { a.stop(); stopped.Store(true) }()
		synctest.Wait()
		if stopped.Load() {
			t.Error("stop returns while the alarm is at work")
		}
		close(goOn)
		synctest.Wait()
		if !stopped.Load() {
			t.Error("stop does not return when the work is done")
		}
	})
}

func TestAlarm_ThatWasStoppedNeverRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rung := 0
		for _, armedBefore := range []bool{false, true} {
			a := alarm{after: time.Second, ring: func() { rung++ }}
			if armedBefore {
				a.arm()
			}
			a.stop()
			a.arm()
			<-time.After(time.Hour) // of the bubble
		}
		if rung != 0 {
			t.Errorf("it rings %d times", rung)
		}
	})
}
