package main

func Example() {
	main()
	// Output:
	// 2 operations, 32 bytes
	// anna has 70
	// bert has 50
}
