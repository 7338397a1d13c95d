// Go that is linked into a program in C (asks_by_archive.c).
package main

import "C"
import "time"

//go:noinline
func asksNow(times int) {
	for i := 0; i < times; i++ {
		_ = time.Now()
	}
}

//export AsksInGo
func AsksInGo(times C.int) { asksNow(int(times)) }

func main() {}
