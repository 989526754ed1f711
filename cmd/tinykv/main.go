// Command tinykv looks into a store, changes it, checks it, and shows what is in its files.
//
//	tinykv --db DIR put fig ripe --create
//	tinykv --db DIR get fig
//	tinykv --db DIR scan --prefix fruit/ --limit 10
//	tinykv --db DIR verify
//	tinykv repair DAMAGED NEW
//	tinykv sst DIR/000004.sst --entries
//
// The directory may stand in TINYKV_DB instead. Commands that only read open the store read-only: they change nothing, and several
// may run at once, but not while a program has the store open for writing. What is asked for goes to standard
// output, everything else to standard error. The exit code tells how it ended:
//
//	0  done                             3  damaged data was found, or what was copied is not complete
//	1  the key or bucket is not there  4  another process has the store open
//	2  the command line is wrong        5  anything else, such as no store or a failing disk
//
// While a server has the store open, commands for keys and those that look into the store ask it: by a socket that is its user's alone, or by
// --server URL, with the token of TINYKV_TOKEN.
//
// Where to find what:
//
//	cli.go       the command line, opening, exit codes    text.go      keys and values as text
//	mistakes.go  what is wrong with a command line
//	format.go    lists as tables, JSON, CSV               progress.go  how far something is
//	site.go      a store that is open here                remote.go    or in a server, with remote_space.go, remote_work.go
//	socket.go    how commands find that                   serve.go     the server
//	data.go      get, put, del                            scan.go      scan, count
//	batch.go     batch, txn, clear                        lifetime.go  ttl, expire, persist
//	input.go     standard input that can be interrupted
//	import.go    import, with source.go                   export.go    export
//	destination.go where an export goes                   transfer.go  both, from and to a server
//	info.go      info, levels, explain                    du.go        du
//	watch.go     watch                                    top.go       top, with rates.go
//	doctor.go    doctor                                   bench.go     bench
//	completion.go completion, version, with completion_scripts.go
//	buckets.go   buckets                                  shell.go     shell, with shell_remote.go
//	demo.go      demo                                     demo_data.go what it holds
//	upkeep.go    verify, compact                          repair.go    repair
//	dump.go      sst                                      dump_log.go  wal, manifest
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
