package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An import tells how far it is while its body still comes, and is gone from the list when it has ended.
func TestImports_TellHowFarEachIs(t *testing.T) {
	s := newSite(t, nil)
	s.get("/v1/imports").want(200, `{"imports":[]}`)
	body, more := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		resp, err := http.Post(s.at.URL+"/v1/import?job=mine", "text/csv", body)
		if err == nil {
			err = resp.Body.Close()
		}
		ended <- err
	}()
	row := "k,\"" + strings.Repeat("v", 64<<10) + "\"\n" // a few fill what is written at once
	if _, err := io.WriteString(more, "key,value\n"+strings.Repeat(row, 64)); err != nil {
		t.Fatal(err)
	}
	for begun := false; !begun; { // until what was written shows
		var now struct{ Imports []underWay }
		if err := json.Unmarshal([]byte(s.get("/v1/imports").body), &now); err != nil {
			t.Fatal(err)
		}
		begun = len(now.Imports) == 1 && now.Imports[0].Job == "mine" && now.Imports[0].Rows > 0 && now.Imports[0].Imported > 0
	}
	if err := more.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s.get("/v1/imports").want(200, `{"imports":[]}`)
	s.send("POST", "/v1/import?job="+strings.Repeat("j", maxJobName+1), "key,value\n", ofCSV).wantError(400, "bad_request")
}
