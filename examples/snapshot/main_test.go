package main

func Example() {
	main()
	// Output:
	// at write 1 the fig was green, now it is ripe
}
