// A Go program with C in it: the runtime calls the vDSO itself, and the C code its C library.
package main

/*
#include <time.h>
static void asks_in_c(long times) {
  struct timespec t;
  for (; times > 0; --times) clock_gettime(CLOCK_MONOTONIC, &t);
}
*/
import "C"
import "time"

//go:noinline
func asksNow(times int) {
	for i := 0; i < times; i++ {
		time.Now()
	}
}

func main() {
	asksNow(40000)
	C.asks_in_c(20000)
}
