// warp [--cpus A,B] [--rounds N] [--pause MS]: how far the time stamp counters of two CPUs are
// apart, and how fast they part. For the lab's guests (scripts/lab/guest), and for any machine.
//
// How: a thread on A and one on B take turns. A reads its counter, then B, then A again. On A's
// counter B's reading lies between A's two, so the offset lies between B's reading less A's second
// and B's reading less A's first: a bracket, whatever the scheduler did. The narrowest bracket of N
// rounds is the answer. Two series with a pause between them tell the drift.
//
// Prints one line of NAME=VALUE: offset and error in ticks (the true offset is within offset +-
// error), its counterparts after the pause, drift and its error in parts per million; and backward,
// worst: of all turns, those in which the later reading was smaller than the one handed over, which
// is what a program without a remedy would see. Exit status 1: no such CPU, or not allowed on it.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <thread>

#include <sched.h>
#include <time.h>
#include <x86intrin.h>

namespace {

struct Options {
  int cpu_a = 0;
  int cpu_b = 1;
  std::uint64_t rounds = 100'000;
  long pause_ms = 500;
};

[[noreturn]] void bad_usage(const char* option, const char* value, const char* wanted) {
  std::fprintf(stderr, "warp: %s '%s': must be %s\n", option, value, wanted);
  std::exit(2);
}

std::uint64_t number(const char* option, const char* text, std::uint64_t most) {
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value > most)
    bad_usage(option, text, "a number in its range");
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--cpus") {
      char rest = 0;
      const bool two = std::sscanf(value, "%d,%d%c", &options.cpu_a, &options.cpu_b, &rest) == 2;
      const bool valid =
          two && options.cpu_a >= 0 && options.cpu_b >= 0 && options.cpu_a != options.cpu_b;
      if (!valid || options.cpu_a >= CPU_SETSIZE || options.cpu_b >= CPU_SETSIZE)
        bad_usage("--cpus", value, "two CPUs, A,B");
    } else if (name == "--rounds") {
      options.rounds = number("--rounds", value, 1'000'000'000);
      if (options.rounds == 0) bad_usage("--rounds", value, "1 or more");
    } else if (name == "--pause") {
      options.pause_ms = long(number("--pause", value, 3'600'000));
    } else {
      bad_usage(argv[i], value, "--cpus A,B, --rounds N or --pause MS");
    }
  }
  return options;
}

void move_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) == 0) return;
  std::fprintf(stderr, "warp: cannot run on CPU %d: %s\n", cpu, std::strerror(errno));
  std::exit(1);
}

// Not before what precedes it in the program, and done before what follows.
std::uint64_t read_counter() {
  _mm_lfence();
  const std::uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
}

// The turn is odd while it is B's. Where the two share a CPU's time, whoever waits has to let the
// other one run.
class Turn {
 public:
  void wait_for(std::uint64_t turn) const {
    for (unsigned spins = 1; now_.load(std::memory_order_acquire) != turn; ++spins) {
      _mm_pause();
      if (spins % 4096 == 0) sched_yield();
    }
  }
  void give(std::uint64_t turn) { now_.store(turn, std::memory_order_release); }

 private:
  alignas(64) std::atomic<std::uint64_t> now_{0};
};

struct Series {
  std::int64_t offset = 0;
  std::uint64_t width = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t at = 0;  // A's counter at the narrowest bracket
  std::uint64_t backward = 0;
  std::int64_t worst = 0;

  void turn(std::int64_t ahead) {
    if (ahead >= 0) return;
    ++backward;
    if (-ahead > worst) worst = -ahead;
  }
};

Series measure(const Options& options) {
  Turn turn;
  std::uint64_t reading_of_b = 0;
  std::thread b([&] {
    move_to(options.cpu_b);
    for (std::uint64_t round = 0; round < options.rounds; ++round) {
      turn.wait_for(2 * round + 1);
      reading_of_b = read_counter();
      turn.give(2 * round + 2);
    }
  });

  Series series;
  for (std::uint64_t round = 0; round < options.rounds; ++round) {
    const std::uint64_t first = read_counter();
    turn.give(2 * round + 1);
    turn.wait_for(2 * round + 2);
    const std::uint64_t second = read_counter();
    series.turn(std::int64_t(reading_of_b - first));
    series.turn(std::int64_t(second - reading_of_b));
    const std::uint64_t width = second - first;
    if (width >= series.width) continue;
    series.width = width;
    series.at = first;
    series.offset = std::int64_t(reading_of_b - first) - std::int64_t(width / 2);
  }
  b.join();
  return series;
}

std::int64_t error(const Series& series) { return std::int64_t(series.width / 2 + 1); }

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  move_to(options.cpu_a);
  const Series before = measure(options);
  const timespec pause{options.pause_ms / 1000, options.pause_ms % 1000 * 1'000'000};
  nanosleep(&pause, nullptr);
  const Series after = measure(options);

  const double elapsed = double(after.at - before.at);
  const double ppm = double(after.offset - before.offset) / elapsed * 1e6;
  const double ppm_error = double(error(before) + error(after)) / elapsed * 1e6;
  std::printf(
      "offset=%lld error=%lld later_offset=%lld later_error=%lld drift_ppm=%.2f drift_error=%.2f "
      "backward=%llu worst=%lld\n",
      (long long)before.offset, (long long)error(before), (long long)after.offset,
      (long long)error(after), ppm, ppm_error,
      (unsigned long long)(before.backward + after.backward),
      (long long)std::max(before.worst, after.worst));
}
