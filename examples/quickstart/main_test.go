package main

func Example() {
	main()
	// Output:
	// fig is ripe
	// fig is gone
}
