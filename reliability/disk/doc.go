// Package disk has tests take real disks away from a store: it makes file systems in image files, mounts them, cuts their power, lets
// their blocks fail and their room end. Tests only, on Linux, as root; where a machine does not allow that, one line says so and the tests
// are skipped.
//
// Everything is mounted in a namespace of the test process alone, see [Main]. It ends with the process, and the loop devices with it,
// however the process ends; so nothing is ever left over that a later run had to clean up.
//
// What stands where:
//
//	ground     a small tmpfs, which holds the image: it can be filled up, so that blocks of the disk cannot be stored
//	image      a sparse file on it, with a file system
//	loop       the block device that the kernel makes of the image
//	Dir        where the file system is mounted
//
// A power cut is an ioctl that ext4 and XFS have for such tests: from then on nothing reaches the disk, not even the journal, and
// everything fails until the file system is mounted again, which replays the journal as after a real cut. A sync that is under way at that moment
// may return success and be lost, unlike on a machine that dies with it; so who compares takes down what was acknowledged before the cut.
package disk
