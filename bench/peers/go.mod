module github.com/tinykv/tinykv/bench/peers

go 1.26.0

require github.com/tinykv/tinykv v0.0.0

replace github.com/tinykv/tinykv => ../..
