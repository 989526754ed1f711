package bbolt

import (
	"testing"

	"github.com/tinykv/tinykv/bench/peers/engine/enginetest"
)

func TestEngine(t *testing.T) { enginetest.Run(t, New()) }
