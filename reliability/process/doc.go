// Package process has the suites in which a real process meets what happens to processes: it is killed at any time and at each system
// call, its calls fail, its limits are low, its memory is short, its files change below it. Tests only, most of them for Linux.
package process
