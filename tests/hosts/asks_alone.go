// A Go program: its runtime calls the vDSO itself. Each function asks as often as it is told to.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
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
//
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

// A line each for all that nobody else should change: descriptors, environment, what the kernel says of signals,
// rights and filters, handlers, timers, limits.
func sayState() {
	files, _ := os.ReadDir("/proc/self/fd")
	for _, file := range files {
		// The folder's own descriptor is gone.
		if about, err := os.Stat("/proc/self/fd/" + file.Name()); err == nil {
			fmt.Println("descriptor", file.Name(), about.Mode().Type())
		}
	}
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "CLOCKSHIM_") && !strings.HasPrefix(line, "LD_PRELOAD=") {
			fmt.Println("environment", line)
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		for _, word := range []string{"Umask", "TracerPid", "Uid", "Gid", "Groups", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "Cap",
			"NoNewPrivs", "Seccomp", "Cpus_allowed"} {
			if strings.HasPrefix(line, word) {
				fmt.Println(line)
			}
		}
	}
	for _, name := range []string{"limits", "timers", "timerslack_ns", "cgroup", "oom_score_adj"} {
		text, err := os.ReadFile("/proc/self/" + name)
		fmt.Println(name, string(text), err)
	}
	for signal := uintptr(1); signal <= 64; signal++ {
		if signal == 32 || signal == 33 {
			continue // a C library's, whose place is random
		}
		var action struct {
			handler, flags, restorer uintptr
			mask                     uint64
		}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, signal, 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0)
		// Not where a C library, whose place is random, would return.
		fmt.Println("signal", signal, action.handler, action.flags, action.mask, errno)
	}
	for which := uintptr(0); which < 3; which++ {
		var timer [4]int64
		_, _, errno := syscall.RawSyscall(syscall.SYS_GETITIMER, which, uintptr(unsafe.Pointer(&timer)), 0)
		fmt.Println("timer", timer, errno)
	}
	folder, err := os.Getwd()
	fmt.Println("folder", folder, err)
}

// What calls come to: syscall.Gettimeofday() is the vDSO's, and takes any address.
func sayOutcomes() {
	good := new(syscall.Timeval)
	fmt.Println("good", syscall.Gettimeofday(good), good.Sec > 0, good.Usec >= 0 && good.Usec < 1000000)
	fmt.Println("null", syscall.Gettimeofday(nil))
	var second syscall.Time_t
	told, err := syscall.Time(&second)
	fmt.Println("second", err, told == second, int64(told)-good.Sec <= 1)
	for i := 0; i < 10000; i++ {
		now := time.Now()
		if now.Nanosecond() < 0 || now.Nanosecond() > 999999999 || now.Year() < 2000 || time.Since(now) < 0 {
			fmt.Println("not a time", now)
		}
	}
	for _, zone := range []string{"UTC", "Asia/Kolkata"} {
		place, err := time.LoadLocation(zone)
		fmt.Println(zone, err)
		if err == nil {
			name, offset := time.Now().In(place).Zone()
			fmt.Println(name, offset)
		}
	}
}

// How much of a goroutine's stack a call takes: what is below is painted, and looked at afterwards. Nobody else may
// write there meanwhile (GODEBUG=asyncpreemptoff=1).
const paint = 0x5aa5c33c0ff09669

//go:noinline
//go:nocheckptr
//go:norace
func depthOf(call func()) int {
	const own, words = 3, 512
	var here [1]uint64
	top := uintptr(unsafe.Pointer(&here[0]))
	for i := uintptr(own); i < words; i++ {
		*(*uint64)(unsafe.Pointer(top - i*8)) = paint
	}
	call()
	for i := uintptr(words - 1); i >= own; i-- {
		if *(*uint64)(unsafe.Pointer(top - i*8)) != paint {
			return int(i) * 8
		}
	}
	return 0
}

//go:noinline
func withRoom(f func()) {
	var room [1 << 14]byte
	for i := range room {
		room[i] = byte(i)
	}
	f()
	if room[1<<13] != 0 {
		panic("room")
	}
}

func sayDepths(times int) {
	deepest := 0
	var now syscall.Timeval
	for i := 0; i < times; i++ {
		// Now and then the clock is read anew.
		if i%10 == 0 {
			for end := kernelClock(monotonic) + 200000; kernelClock(monotonic) < end; {
			}
		}
		if depth := depthOf(func() { syscall.Gettimeofday(&now) }); depth > deepest {
			deepest = depth
		}
	}
	fmt.Println("depth", os.Getpid(), deepest)
}

//go:noinline
func asksOnItsStack(now *syscall.Timeval) bool {
	return syscall.Gettimeofday(now) == nil && now.Usec >= 0 && now.Usec < 1000000
}

// Young goroutines have the smallest stacks, and each other's beside them.
func askOnSmallStacks(goroutines int) {
	var group sync.WaitGroup
	var wrong int64
	for i := 0; i < goroutines; i++ {
		group.Add(1)
		go func(seed int) {
			defer group.Done()
			var mine [32]int
			for j := range mine {
				mine[j] = seed + j
			}
			for k := 0; k < 20; k++ {
				var now syscall.Timeval
				if !asksOnItsStack(&now) {
					atomic.AddInt64(&wrong, 1)
				}
				runtime.Gosched()
				for j := range mine {
					if mine[j] != seed+j {
						atomic.AddInt64(&wrong, 1)
					}
				}
			}
		}(i)
	}
	group.Wait()
	fmt.Println("wrong", os.Getpid(), wrong)
}

// A fault in the vDSO's function, behind which Go ends the program.
func faults() {
	page, _ := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	syscall.Gettimeofday((*syscall.Timeval)(unsafe.Pointer(&page[0])))
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
	case "state":
		sayState()
		asksNow(times)
		asksSince(time.Now(), times)
		sayState()
	case "contract":
		sayOutcomes()
	case "depth":
		withRoom(func() {})
		sayDepths(times)
	case "small_stacks":
		askOnSmallStacks(times)
	case "fault":
		faults()
	}
	fmt.Println("backward", os.Getpid(), backward)
}
