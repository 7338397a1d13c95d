// The figures of `clockshim bench`: the cost of a reading for each clock and way, the steps between
// readings, and the throughput of several threads. The same code measures the kernel's clocks in
// this process and the shim's in a child.
#pragma once

#include <sys/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/machine/timing.h"

namespace clockshim::cli {

// One way to read the clocks.
struct ClockReader {
  const char* name;  // "bare", "raw", "strict", "relaxed"
  int (*clock_gettime)(clockid_t, timespec*);
  int (*gettimeofday)(timeval*, void*);
};
extern const ClockReader kBare;                 // the vDSO's function, as the C library calls it
extern const ClockReader kRawSyscall;           // the system call, without the vDSO
ClockReader through_library(const char* name);  // like any program: a preloaded library answers

// The steps between consecutive readings of one thread that changes its CPU.
struct Steps {
  std::uint64_t readings = 0;
  std::int64_t resolution = 0;  // ns, the smallest difference above zero; 0: there was none
  std::uint64_t backward = 0;
  std::int64_t worst = 0;  // ns, the largest of those
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
  double calls_a_second = 0;  // of all threads, with CLOCK_MONOTONIC
};

struct Budget {
  Nanos cost = milliseconds(10);     // for each row
  Nanos steps = milliseconds(10);    // for each row; zero: steps are not measured
  Nanos threads = milliseconds(50);  // for each number of threads; zero: throughput is not measured
};

// Measures each clock that the kernel has, and gettimeofday.
std::vector<Row> measure_rows(const ClockReader& way, const Budget& budget, const Timebase& base);

// Measures with 1, 2, 4 ... threads, and with as many as we have CPUs.
std::vector<Throughput> measure_throughput(const ClockReader& way, const Budget& budget);

// The numbers of threads to measure with on so many CPUs.
std::vector<int> thread_counts(int cpus);

}  // namespace clockshim::cli
