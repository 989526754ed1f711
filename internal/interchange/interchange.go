// Package interchange turns the items of a store into JSON, JSON lines and CSV, and back: one item at a time, and whole stores as
// streams.
//
// # JSON
//
// An item is an object:
//
//	{"key":"fig","value":"ripe","expires_at":"2030-01-02T03:04:05Z","seq":12}
//
// Bytes that are UTF-8 stand as a string in "key" and "value", all others as hexadecimal digits in "key_hex" and "value_hex"; on input either is
// taken for any bytes, but not both. "expires_at" is a time in RFC 3339, "seq" is told and never taken: a store gives its own. What
// a reader does not know, or would have to guess, it refuses: other names, a name that stands twice, text that is no UTF-8, half of a
// surrogate pair.
//
// Where all buckets are exported together ([ExportAll]), "bucket" or "bucket_hex" stands first in the items that are in one.
//
// # Streams
//
// [Export] writes items as a JSON array, as JSON lines, or as CSV; [Import] reads any of them into a store, and also rows of other kinds, of
// whose fields a [Template] makes keys. Both need memory for the longest row, not for the whole. What is exported comes back byte for byte.
//
// The parts: item.go and json.go are the JSON of items; input.go lends rows of a stream, which csv.go, csv_rows.go and
// json_rows.go make keys and values of; chunk.go gathers these, and chunk_writer.go writes them. export.go, export_all.go and csv_writer.go are the way back.
//
// Nothing here keeps state; functions may be called concurrently.
package interchange
