// Package isolation checks that transactions are serializable, and in an order that agrees with the clock: clients of a real store, in a process
// that is killed now and then, append to lists and read them, and what they saw is searched for anomalies. Tests only.
package isolation
