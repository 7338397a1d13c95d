// A Go program: its runtime calls the vDSO itself. Each function asks as often as it is told to.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
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

// The same again, and so at the same place of the stack.
//go:noinline
func asksNowToo(times int) {
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
func asksSinceToo(begin time.Time, times int) time.Duration {
	var sum time.Duration
	for i := 0; i < times; i++ {
		sum += time.Since(begin)
	}
	return sum
}

// A goroutine's latest reading, on a cache line of its own.
type line struct {
	reading int64
	_       [7]int64
}

// Goroutines hand readings to each other: each reads what the others have left, and then the time, which
// must not be less. A reading of another goroutine's that was not there before is one handoff.
func handOver(goroutines, times int) {
	var group sync.WaitGroup
	lines := make([]line, goroutines)
	begin := time.Now()
	var handoffs int64
	for g := 0; g < goroutines; g++ {
		group.Add(1)
		go func(self int) {
			defer group.Done()
			var taken int64
			known := make([]int64, goroutines)
			for i := 0; i < times; i++ {
				var newest int64
				for other := range lines {
					seen := atomic.LoadInt64(&lines[other].reading)
					if other != self && seen != known[other] {
						known[other] = seen
						taken++
						if seen > newest {
							newest = seen
						}
					}
				}
				now := int64(time.Since(begin))
				if now < newest {
					atomic.AddInt64(&backward, 1)
				}
				atomic.StoreInt64(&lines[self].reading, now)
			}
			atomic.AddInt64(&handoffs, taken)
		}(g)
	}
	group.Wait()
	fmt.Println("handoffs", os.Getpid(), handoffs)
}

// The kernel's own clock, past the vDSO.
const realtime, monotonic = 0, 1

func kernelClock(id uintptr) int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// Goroutines hold what they are told between two readings of the kernel's, while there is garbage to collect.
func compare(goroutines, times int, tolerance int64) {
	var group sync.WaitGroup
	var outside int64
	for g := 0; g < goroutines; g++ {
		group.Add(1)
		go func() {
			defer group.Done()
			var garbage [][]byte
			for i := 0; i < times; i++ {
				before := kernelClock(realtime)
				now := time.Now().UnixNano()
				after := kernelClock(realtime)
				if now < before-tolerance || now > after+tolerance {
					atomic.AddInt64(&outside, 1)
				}
				if garbage = append(garbage, make([]byte, 512)); len(garbage) == 1000 {
					garbage = nil
				}
			}
		}()
	}
	group.Wait()
	fmt.Println("outside", os.Getpid(), outside)
}

// Steps the wall clock by a millisecond, forth and back, and looks how soon time.Now() follows: 100 us, and
// what the calls around it take.
func follow(times int) {
	const setOffset, inNanoseconds = 0x100, 0x2000
	const millisecond, noticed, tolerance = 1000000, 110000, 10000
	var late, worst int64
	for i := 0; i < 2*times; i++ {
		// Segments are short at first, and behind a step: then the next sample notices, and not the check that has to.
		for end := kernelClock(monotonic) + 10*millisecond; kernelClock(monotonic) < end; {
			time.Now()
		}
		step := syscall.Timex{Modes: setOffset | inNanoseconds, Time: syscall.Timeval{Usec: millisecond}}
		if i%2 == 1 {
			step.Time = syscall.Timeval{Sec: -1, Usec: 1000000000 - millisecond}
		}
		if _, err := syscall.Adjtimex(&step); err != nil {
			fmt.Println("forbidden", os.Getpid(), 1)
			return
		}
		start := kernelClock(monotonic)
		for now := start; now < start+3*noticed; now = kernelClock(monotonic) {
			before := kernelClock(realtime)
			told := time.Now().UnixNano()
			after := kernelClock(realtime)
			if told >= before-tolerance && told <= after+tolerance {
				continue
			}
			if begun := now - start; begun > noticed {
				late++
			} else if begun > worst {
				worst = begun
			}
		}
	}
	fmt.Println("late", os.Getpid(), late)
	fmt.Println("worst", os.Getpid(), worst)
}

func main() {
	times, _ := strconv.Atoi(os.Args[2])
	switch os.Args[1] {
	case "calls":
		asksNow(times)
		asksSince(time.Now(), times)
		for i := 0; i < 100; i++ {
			asksSince(time.Now(), times/100)
			asksSinceToo(time.Now(), times/100)
			asksNow(times / 100)
			asksNowToo(times / 100)
		}
	case "handoffs":
		handOver(4, times)
	case "compare":
		compare(4, times, 10000)
	case "follow":
		follow(times)
	}
	fmt.Println("backward", os.Getpid(), backward)
}
