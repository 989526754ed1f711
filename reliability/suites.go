package main

import (
	"regexp"
	"time"
)

// lane is what a suite keeps busy. One suite of each lane runs at a time.
type lane string

const (
	processor lane = "processor"
	disk      lane = "disk"
)

// suite is some tests of a package.
type suite struct {
	name string
	lane lane
	dir  string // of the package, from the top of the repository
	run  string // -test.run

	race    bool
	seeded  bool // another seed makes another run: what a soak is made of
	fullDue time.Duration
}

// suites are what there is. Each of them leaves one row of the table or more; docs/RELIABILITY.md says what they are about.
var suites = []suite{
	{name: "crashes", lane: processor, dir: ".", run: "^TestCrash_", seeded: true},
	{name: "isolation", lane: processor, dir: "reliability/isolation", run: "^Test(Isolation|Bank|Huge|Register)_", seeded: true},
	{name: "histories", lane: processor, dir: ".", run: "^Test(History|Metamorphic)_", seeded: true},
	{name: "failures", lane: processor, dir: ".", run: "^Test(Failed|Resume|Close)_", seeded: true},
	{name: "damage", lane: processor, dir: ".", run: "^TestDamage_", seeded: true},
	{name: "repair", lane: processor, dir: ".", run: "^TestRepair_", seeded: true},
	{name: "planted bugs", lane: processor, dir: "reliability/planted", run: "^TestBugs_", seeded: true},
	{name: "hostile files", lane: processor, dir: "fuzz", run: "^TestHostile_", seeded: true},
	{name: "closing", lane: processor, dir: "reliability/process", run: "^TestClose_", race: true, seeded: true},
	{name: "processes", lane: disk, dir: "reliability/process", run: "^Test(Cut|Errno|Kill|Limits|Lock|Memory)_", seeded: true},
	{name: "servers", lane: processor, dir: "server", run: "^Test(Guard|Health|Limits|Reliability|Serve|Token|WebSocket)_"},
	{name: "transfers", lane: disk, dir: "cmd/tinykv", run: "^TestTransfer_"},
	{name: "the plug", lane: processor, dir: "server/web", run: "^TestLearn_"},
	{name: "disks", lane: disk, dir: "reliability/disk", run: "^Test", seeded: true},
}

// chosen returns the suites whose names match.
func chosen(names *regexp.Regexp, want func(suite) bool) (picked []suite) {
	for _, s := range suites {
		if names.MatchString(s.name) && want(s) {
			picked = append(picked, s)
		}
	}
	return picked
}

// due is how long a suite may take before it is taken to hang.
func (s suite) due() time.Duration { return max(s.fullDue, 40*time.Minute) }
