// The figures of `clockshim bench`: what a reading costs by clock and way, what steps the readings
// make, and how many several threads get. The same code measures the kernel's clocks in this
// process and the shim's in a child.
#pragma once

#include <sys/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/machine/timing.h"

namespace clockshim::cli {

// A way to read the clocks.
struct ClockReader {
  const char* name;  // "bare", "raw", "strict", "relaxed"
  int (*clock_gettime)(clockid_t, timespec*);
  int (*gettimeofday)(timeval*, void*);
};
extern const ClockReader kBare;                 // the vDSO's entry, as the C library calls it
extern const ClockReader kRawSyscall;           // around the vDSO
ClockReader through_library(const char* name);  // as any program: what is preloaded answers

// Of consecutive readings by one thread that changes its CPU.
struct Steps {
  std::uint64_t readings = 0;
  std::int64_t resolution = 0;  // ns, the least difference that is not zero; 0: there was none
  std::uint64_t backward = 0;
  std::int64_t worst = 0;  // ns, of those
};

struct Row {
  std::string clock;
  std::string way;
  Cost cost;
  Steps steps;
};

struct Throughput {
  std::string way;
  int threads = 0;
  double calls_a_second = 0;  // of all threads, CLOCK_MONOTONIC
};

struct Budget {
  Nanos cost = milliseconds(10);     // a row
  Nanos steps = milliseconds(10);    // a row; zero: no steps
  Nanos threads = milliseconds(50);  // a number of threads; zero: no throughput
};

// Each measured clock that the kernel has, and gettimeofday.
std::vector<Row> measure_rows(const ClockReader& way, const Budget& budget, const Timebase& base);

// With 1, 2, 4 ... threads, and with as many as there are CPUs for us.
std::vector<Throughput> measure_throughput(const ClockReader& way, const Budget& budget);

// The numbers of threads for so many CPUs.
std::vector<int> thread_counts(int cpus);

}  // namespace clockshim::cli
