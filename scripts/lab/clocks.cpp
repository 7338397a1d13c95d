// clocks [--batch MS] [--rounds N] [--time cpu|elapsed]: what a reading of each clock costs, as a
// program gets it that calls the C library. Prints one object of JSON: by reading, ns a call as the
// least and the median of N batches of about MS milliseconds.
//
// The batches of all readings take turns, so that a slow moment of the machine hits all of them.
// Each is long enough to have its share of what is done only now and then, such as a library's
// resyncs. Time is taken by the system call itself, which no library stands before, at the batches'
// ends only: this thread's CPU time, which leaves out what others had of the CPU, or what has
// elapsed (the default), where the kernel's own accounting is not fine enough.
//
// clocks --ways: prints for each reading whether it was a system call. Proved, not timed: under a
// filter that lets the system calls fail, a reading that still succeeds was not one.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

clockid_t taken_by = CLOCK_MONOTONIC;

std::int64_t now_ns() {
  timespec t{};
  syscall(SYS_clock_gettime, taken_by, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

// Whether the last of the calls succeeded.
template <clockid_t Id>
bool batch_of(long calls) {
  timespec t{};
  int result = 0;
  for (long i = 0; i < calls; ++i) result = clock_gettime(Id, &t);
  return result == 0;
}

bool batch_of_gettimeofday(long calls) {
  timeval t{};
  int result = 0;
  for (long i = 0; i < calls; ++i) result = gettimeofday(&t, nullptr);
  return result == 0;
}

struct Reading {
  const char* name;
  bool (*batch)(long calls);
  long calls = 100;
  std::vector<double> ns{};

  double measure() const {
    const std::int64_t start = now_ns();
    batch(calls);
    return double(now_ns() - start) / double(calls);
  }
};

// From here on the system calls that read a clock fail.
bool forbid_clock_calls() {
  constexpr auto equal = [](std::uint32_t value, int yes) -> sock_filter {
    return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, std::uint8_t(yes), 0);
  };
  std::array<sock_filter, 5> program{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      equal(SYS_clock_gettime, 2), equal(SYS_gettimeofday, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV)};
  const sock_fprog filter{program.size(), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

long number(const char* option, const char* text) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*text != '\0' && *end == '\0' && value >= 1 && value <= 10'000) return value;
  std::fprintf(stderr, "clocks: %s '%s': must be a number from 1 to 10000\n", option, text);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  long batch_ms = 10, rounds = 15;
  bool ways = false;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option{argv[i]};
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--batch") {
      batch_ms = number("--batch", value);
    } else if (option == "--rounds") {
      rounds = number("--rounds", value);
    } else if (option == "--time") {
      if (const std::string_view by{value}; by == "cpu") {
        taken_by = CLOCK_THREAD_CPUTIME_ID;
      } else if (by != "elapsed") {
        std::fprintf(stderr, "clocks: --time '%s': must be cpu or elapsed\n", value);
        return 2;
      }
    } else if (option == "--ways") {
      ways = true;
      --i;  // has no value
    } else {
      std::fprintf(stderr, "clocks: argument '%s': must be --batch, --rounds, --time or --ways\n",
                   argv[i]);
      return 2;
    }
  }

  std::array readings{Reading{"realtime", batch_of<CLOCK_REALTIME>},
                      Reading{"realtime_coarse", batch_of<CLOCK_REALTIME_COARSE>},
                      Reading{"monotonic", batch_of<CLOCK_MONOTONIC>},
                      Reading{"monotonic_coarse", batch_of<CLOCK_MONOTONIC_COARSE>},
                      Reading{"gettimeofday", batch_of_gettimeofday}};
  const char* separator = "{";
  if (ways) {
    if (!forbid_clock_calls()) {
      std::perror("clocks: cannot install a seccomp filter");
      return 1;
    }
    for (const auto& reading : readings) {
      std::printf("%s\"%s\": \"%s\"", separator, reading.name,
                  reading.batch(1) ? "vdso" : "system call");
      separator = ", ";
    }
    std::puts("}");
    return 0;
  }

  for (auto& reading : readings) {
    reading.measure();  // a library may do more at a clock's first readings
    const double target = double(batch_ms) * 1e6;
    double took = reading.measure() * double(reading.calls);
    while (took < target / 4) {
      reading.calls *= 2;
      took = reading.measure() * double(reading.calls);
    }
    reading.calls = std::max(1L, long(double(reading.calls) * target / took));
  }
  for (long round = 0; round < rounds; ++round) {
    for (auto& reading : readings) reading.ns.push_back(reading.measure());
  }
  for (auto& reading : readings) {
    std::sort(reading.ns.begin(), reading.ns.end());
    std::printf("%s\"%s\": {\"median\": %.2f, \"least\": %.2f}", separator, reading.name,
                reading.ns[reading.ns.size() / 2], reading.ns[0]);
    separator = ", ";
  }
  std::puts("}");
}
