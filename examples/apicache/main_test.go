package main

func Example() {
	main()
	// Output:
	// 12:00:00: 21 degrees
	// 12:00:40: 21 degrees
	// 12:01:20: 22 degrees
	// https://weather.example/basel is kept until 12:02:20
}
