package tinykv

import "testing"

func TestOlder_IsTheOneThatWasOpenedFirst(t *testing.T) {
	first, second := &held{origin: origin{at: 1}}, &held{origin: origin{at: 2}}
	for _, c := range []struct{ a, b, want *held }{
		{first, second, first},
		{second, first, first},
		{first, nil, first},
		{nil, first, first},
		{nil, nil, nil},
	} {
		if got := older(c.a, c.b); got != c.want {
			t.Errorf("of %v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
