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
// Nothing here keeps state; functions may be called concurrently.
package interchange
