// Package isolation checks what transactions promise, with clients of a real store in a process that is killed now and then. Tests only.
//
//	check_test.go           the search for anomalies in histories of lists that clients append to and read
//	planted_test.go         hand-made histories, in which it finds each anomaly
//	child_linux_test.go     the process: its clients, and the logs that outlive it
//	isolation_linux_test.go histories of lists: serializable, in an order that agrees with the clock
//	register_linux_test.go  calls on single keys: linearizable, as porcupine says
//	bank_linux_test.go      money that is moved: the sum is kept
//	huge_linux_test.go      transactions larger than memory: whole or absent
package isolation
