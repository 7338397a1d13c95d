// A Go program: its runtime calls the vDSO itself. Each function asks as often as it is told to.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var backward int64

//go:noinline
func asksNow(times int) {
	last := time.Now()
	for i := 1; i < times; i++ {
		now := time.Now()
		if now.Before(last) {
			atomic.AddInt64(&backward, 1)
		}
		last = now
	}
}

//go:noinline
func asksSince(begin time.Time, times int) time.Duration {
	var sum time.Duration
	for i := 0; i < times; i++ {
		sum += time.Since(begin)
	}
	return sum
}

// Goroutines hand readings to each other: whoever gets one reads later.
func handOver(goroutines, times int) {
	var group sync.WaitGroup
	var newest int64
	begin := time.Now()
	var handoffs int64
	for g := 0; g < goroutines; g++ {
		group.Add(1)
		go func(id int64) {
			defer group.Done()
			for i := 0; i < times; i++ {
				seen := atomic.LoadInt64(&newest)
				now := int64(time.Since(begin))
				if now < seen>>3 {
					atomic.AddInt64(&backward, 1)
				}
				if seen&7 != id {
					atomic.AddInt64(&handoffs, 1)
				}
				atomic.StoreInt64(&newest, now<<3|id)
			}
		}(int64(g))
	}
	group.Wait()
	fmt.Println("handoffs", os.Getpid(), handoffs)
}

func main() {
	times, _ := strconv.Atoi(os.Args[2])
	switch os.Args[1] {
	case "calls":
		asksNow(times)
		asksSince(time.Now(), times)
	case "handoffs":
		handOver(4, times)
	}
	fmt.Println("backward", os.Getpid(), backward)
}
