package server

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestOpenAPI_IsValid(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}
