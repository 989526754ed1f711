// Package web is the page: files that a browser loads as they are, without a build step and from no other address.
package web

import "embed"

// Files are the files of the page, index.html first.
//
//go:embed index.html
var Files embed.FS
