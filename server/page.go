package server

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
)

// page serves the files of the page, and nothing but that.
func page(files fs.FS) http.Handler {
	serve, tag := http.FileServerFS(files), tagOf(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			answer(w, http.StatusMethodNotAllowed, errorBody{&problem{Code: "method_not_allowed", Message: "the page can only be read; REST is under /v1"}})
			return
		}
		w.Header().Set("Cache-Control", "no-cache") // a browser asks whether what it has is of this version
		w.Header().Set("ETag", tag)
		serve.ServeHTTP(w, r)
	})
}

// tagOf returns what stands for the version of all files together.
func tagOf(files fs.FS) string {
	sum := sha256.New()
	_ = fs.WalkDir(files, ".", func(name string, _ fs.DirEntry, _ error) error { // they are in memory
		text, _ := fs.ReadFile(files, name)
		_, _ = fmt.Fprintf(sum, "%s %d %s", name, len(text), text)
		return nil
	})
	return fmt.Sprintf(`"%x"`, sum.Sum(nil)[:16])
}
