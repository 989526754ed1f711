package main

func Example() {
	main()
	// Output:
	// the last two of tuesday:
	//   tue/23 all quiet
	//   tue/22 all quiet
	// around tuesday noon:
	//   tue/11 all quiet
	//   tue/12 all quiet
	//   tue/13 all quiet
}
