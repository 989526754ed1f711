package tinykv

import "runtime/debug"

// A disk that cannot be read, and a file that was cut while in use, show as a memory fault when a
// mapped page is touched. That must not be the end of the process. A guard makes an error of it:
//
//	defer s.endGuard(debug.SetPanicOnFault(true), &err)
//
// It costs some nanoseconds; so there is one around each whole read, not around each touch. Code of
// the caller runs under a guard only within Peek. The moves of an iterator are not guarded as a whole:
// sstable guards them where they enter a block.

// endGuard ends what SetPanicOnFault began. After a fault on one of the state's tables it sets *err.
// A panic that is not ours goes on.
func (s *readState) endGuard(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if recovered := recover(); recovered != nil {
		*err = s.faulted(recovered)
	}
}

// faulted returns the error that stands for a recovered panic, or panics again.
func (s *readState) faulted(recovered any) error {
	for _, l := range s.tree.levels {
		for _, t := range l.tables {
			if r := t.reader.Load(); r != nil {
				if err := r.Fault(recovered); err != nil {
					return err
				}
			}
		}
	}
	panic(recovered)
}

// guard runs fn under a guard.
func (s *readState) guard(fn func() error) (err error) {
	defer s.endGuard(debug.SetPanicOnFault(true), &err)
	return fn()
}
