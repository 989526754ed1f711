// Package planted has a table of bugs, each planted into the source for the time of one test run, and each killed by a test that
// stands beside it by name: what no test would notice, no test checks. Tests only.
package planted
