package main

func Example() {
	main()
	// Output:
	// buckets: ["towns" "users"]
	// ada lives in London
	// mary lives in London
	// after the drop: 4 users, 0 towns
}
