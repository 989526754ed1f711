package server

import "testing"

func TestSize_TellsAboutHowLargeARangeIs(t *testing.T) {
	s := newSite(t, nil)
	s.get("/v1/size").want(200, `{"bytes":0}`)
	s.get("/v1/size?lower=b&upper=a").wantError(400, "bad_request")
}
