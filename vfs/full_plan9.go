package vfs

// IsFull tells nothing here: the system says in words alone what is wrong.
func IsFull(error) bool { return false }
