// Package web is the page: files that a browser loads as they are, without a build step and from no other address.
//
// index.html loads app.js, the frame: it shows one of the views (views/*.js) by the hash of the address and gives it a store, which is an
// API (api.js) and a WebSocket (ws.js) at one base address. index.html lists all modules, so that they come
// at once. What views share is in ui.js and format.js. What is not ours is in vendor, with its licences and checksums in vendor/NOTICE.
package web

import "embed"

// Files are the files of the page, index.html first.
//
//go:embed index.html *.css *.js icon.svg views vendor
var Files embed.FS
