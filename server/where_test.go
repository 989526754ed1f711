package server

import (
	"encoding/json"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const sample = `{"name":"fig","price":2.5,"n":9007199254740993,"ripe":true,"none":null,"tags":["sweet","dried",3],"a":{"b":[{"c":1}],"x.y":"dot"}}`

func TestWhere_TellsValuesApartByTheirFields(t *testing.T) {
	for text, want := range map[string]bool{
		`name = "fig"`: true, `name == "fig"`: true, `name != "fig"`: false, `name = "Fig"`: false, `name<"g"`: true, `name contains "ig"`: true, `name contains 1`: false,
		`price >= 2.5`: true, `price>2.5`: false, `price < 2.50e1`: true, `price <= -1`: false, `price = "2.5"`: false, `price != "2.5"`: true,
		`n = 9007199254740993`: true, `n = 9007199254740992`: false, `n > 9007199254740992`: true, `n < 1e400`: true,
		`ripe = true`: true, `ripe > false`: true, `none = null`: true, `none exists`: true, `nothing exists`: false, `nothing = null`: false, `nothing != 1`: false,
		`tags contains "sweet"`: true, `tags contains 3`: true, `tags contains "swee"`: false, `tags.0 = "sweet"`: true, `tags.3 exists`: false, `tags.-1 exists`: false,
		`a.b.0.c = 1`: true, `a."x.y" = "dot"`: true, `"a"."b".0."c" exists`: true, `a . b exists`: true, `a = 1`: false, `a.b != 1`: true,
		`name = "fig" and price > 3`: false, `name = "fig" and price > 3 or ripe = true`: true, `not (name = "fig" or nothing exists)`: false, `not not ripe = true`: true,
		`name = "x" or name = "y" or name contains "f"`: true, `not name exists and price exists`: false,
	} {
		w, err := parseWhere(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := holdsOf(w, []byte(sample)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestWhere_OfWhatIsNoJSONHasNoFields(t *testing.T) {
	for _, value := range []string{"", "fig", "{", `{"a":1}{}`, "\xff", `{"a":1} x`, strings.Repeat("[", 20_000)} {
		for text, want := range map[string]bool{`a exists`: false, `a != 1`: false, `a = 1`: false, `not a exists`: true} {
			w, err := parseWhere(text)
			if err != nil {
				t.Fatal(err)
			}
			if holdsOf(w, []byte(value)) != want {
				t.Errorf("%s of %.20q: want %v", text, value, want)
			}
		}
	}
}

func TestWhere_ThatIsWrongSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		`a`: "byte 1", `a =`: "byte 3", `a = b`: "byte 4", `= 1`: "byte 0", `a = 1 b = 2`: "byte 6", `(a = 1`: "byte 6", `a. = 1`: "byte 3", `.a = 1`: "byte 0", `a..b = 1`: "byte 2",
		`a = "x`: "byte 4", `"a = 1`: "byte 0", `a = {}`: "byte 4", `a = [1]`: "byte 4", `a = 1.`: "byte 4", `a = 01`: "byte 4", `a = 'x'`: "byte 4", `a ~ 1`: "byte 2", `and`: "byte 3", `a exists exists`: "byte 9",
		strings.Repeat("(", 40) + "a exists": "nested", strings.Repeat("not ", 40) + "a exists": "nested", strings.Repeat("x", 2000): "longer", "a = \"\xff\"": "UTF-8",
	} {
		if _, err := parseWhere(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %s", text, err, want)
		}
	}
}

func TestRange_IsFilteredByValues(t *testing.T) {
	s := newSite(t, nil)
	for k, v := range map[string]string{"a": `{"n":1}`, "b": `{"n":2,"t":"x"}`, "c": `no JSON x`, "d": `{"n":3}`} {
		s.send("PUT", "/v1/keys/"+k, v).want(204, "")
	}
	for query, want := range map[string][]string{
		"where=" + url.QueryEscape("n >= 2"): {"b", "d"}, "value_contains=x": {"b", "c"}, "value_contains=x&where=" + url.QueryEscape("n exists") + "&keys_only": {"b"}, "where=" + url.QueryEscape("n > 7"): nil,
		"limit=1&where=" + url.QueryEscape("n >= 2"): {"b", "d"},
	} {
		if got, _ := s.keysOf(query); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	s.get("/v1/range?where=n").wantError(400, "bad_request")
}

// A value of 8 MiB would be some hundred MiB as a tree.
func TestWhere_LooksAtALargeValueWithoutMemoryOfItsSize(t *testing.T) {
	list := "[" + strings.Repeat("1,", 1<<18) + "2]"
	value := []byte(`{"list":` + list + `,"a":[` + list + `,{"b":7}]}`)
	for text, want := range map[string]bool{`a.1.b = 7`: true, `a.0.262144 = 2`: true, `list.7 > 1`: false, `nothing exists`: false, `list contains 2`: true} {
		w, err := parseWhere(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if holdsOf(w, value) != want {
			t.Errorf("%s: want %v", text, want)
		}
		runtime.ReadMemStats(&after)
		if live := int64(after.HeapSys) - int64(before.HeapSys); live > 8<<20 {
			t.Errorf("%s: the heap grew by %d bytes", text, live)
		}
	}
}

// agree holds a text against the tree that it is.
func agree(t *testing.T, tree any, v jsonText) {
	t.Helper()
	found := func(name string, want any) {
		got, ok := v.member(name)
		if !ok {
			t.Errorf("%q of %q is not found", name, v)
			return
		}
		agree(t, want, got)
	}
	switch tree := tree.(type) {
	case map[string]any:
		for name, want := range tree {
			found(name, want)
		}
	case []any:
		for i, want := range tree {
			found(strconv.Itoa(i), want)
		}
		if _, ok := v.member(strconv.Itoa(len(tree))); ok {
			t.Errorf("%q has more than %d elements", v, len(tree))
		}
	default:
		if got := v.scalar(); got != tree {
			t.Errorf("%q is %#v, want %#v", v, got, tree)
		}
	}
}

func FuzzWhere(f *testing.F) {
	for _, value := range []string{
		" {} ", "[ ]", "\t[ 1 , [ 2 ] , { \"a\" : [ ] } ]\n", `{"a":1,"b":{"a":2,"c":"}"},"a":[3,"]",null]}`, `{"\u0061\"\\":"\ud83d\ude00\ud800","":{"":0}}`, "{\"\xff\":\"\xfe\"}", "7 ", `"x"`, "true", "-1.5e3", "{", "1 2",
	} {
		f.Add("a exists", value)
	}
	for _, text := range []string{`a.b = 1 and not ("x" contains "y" or z exists)`, `a <= -1.5e3`, `"\u00e9" != null`} {
		f.Add(text, sample)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		d := json.NewDecoder(strings.NewReader(value))
		d.UseNumber()
		var tree any
		if v := jsonTextOf([]byte(value)); len(v) > 0 {
			if err := d.Decode(&tree); err != nil {
				t.Errorf("%q: %v", value, err)
			}
			agree(t, tree, v)
		} else if json.Valid([]byte(value)) {
			t.Errorf("%q is JSON", value)
		}
		w, err := parseWhere(text)
		if err != nil {
			if w != nil && problemOf(err).status != 400 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if got, opposite := holdsOf(w, []byte(value)), holdsOf(negation{w}, []byte(value)); got == opposite {
			t.Errorf("%q holds of %q, and does not", text, value)
		}
	})
}
