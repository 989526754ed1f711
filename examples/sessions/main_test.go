package main

func Example() {
	main()
	// Output:
	// t1: hello ann
	// t2: please log in
	// t3: please log in
}
