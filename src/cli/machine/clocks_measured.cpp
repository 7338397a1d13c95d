#include "cli/machine/clocks_measured.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstddef>

#include "cli/machine/cpu_set.h"

namespace clockshim::cli {
namespace {

constexpr int kCantTell = 255;

// From here on this process's clock_gettime system calls fail. False: no filter can be installed.
bool forbid_clock_syscall() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{std::size(program), program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

void raw_call(clockid_t id) {
  timespec t;
  syscall(SYS_clock_gettime, id, &t);
}

void bare_call(clockid_t id) {
  timespec t;
  real::clock_gettime(id, &t);
}

void spin_for(Nanos length) {
  Nanos start;
  Nanos now;
  real::read(CLOCK_MONOTONIC, start);
  do real::read(CLOCK_MONOTONIC, now);
  while (now - start < length);
}

// A guess if it can't be proved: a vDSO that enters the kernel costs as much as the system call.
ServedBy guess(const ClockCosts& clock) {
  return clock.bare.median < clock.raw.median / 2 ? ServedBy::vdso : ServedBy::system_call;
}

}  // namespace

std::optional<std::vector<ServedBy>> prove_vdso() {
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  const pid_t child = fork();
  if (child == 0) {
    unsigned char answer[kMeasuredClocks.size()];
    const bool forbidden = forbid_clock_syscall();
    for (std::size_t i = 0; i < kMeasuredClocks.size(); ++i) {
      Nanos ignored;
      answer[i] = forbidden && real::read(kMeasuredClocks[i].id, ignored) ? 1 : 0;
    }
    if (forbidden && write(ends[1], answer, sizeof answer) < 0) _exit(kCantTell);
    _exit(0);
  }
  close(ends[1]);
  unsigned char answer[kMeasuredClocks.size()];
  const bool answered =
      child > 0 && read(ends[0], answer, sizeof answer) == static_cast<ssize_t>(sizeof answer);
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  if (!answered) return std::nullopt;
  std::vector<ServedBy> result;
  for (const unsigned char a : answer)
    result.push_back(a != 0 ? ServedBy::vdso : ServedBy::system_call);
  return result;
}

Timebase calibrate(Nanos length, bool counter_allowed) {
  if (!counter_allowed) return {};
  const CounterSample from = sample_counter();
  spin_for(length);
  const double mhz = frequency_between(from, sample_counter()).mhz;
  return mhz > 0 ? Timebase{1e3 / mhz, true} : Timebase{};
}

Measured measure_clocks(Nanos budget, bool counter_allowed, bool has_rdtscp) {
  Measured measured;
  const auto proof = prove_vdso();
  measured.vdso_proved = proof.has_value();
  const StayHere stay;
  const Timebase base = calibrate(milliseconds(10), counter_allowed);
  CounterSample samples[3];
  if (counter_allowed) samples[0] = sample_counter();
  measured.null_syscall = measure(base, budget, [] { syscall(SYS_getppid); });
  if (counter_allowed) {
    measured.counter = measure(base, budget, [] { static_cast<void>(Arch::unordered()); });
    measured.fenced = measure(base, budget, [] { static_cast<void>(Arch::ordered()); });
    if (has_rdtscp)
      measured.with_cpu = measure(base, budget, [] { static_cast<void>(Arch::by_aux()); });
  }
  for (std::size_t i = 0; i < kMeasuredClocks.size(); ++i) {
    if (counter_allowed && i == kMeasuredClocks.size() / 2) samples[1] = sample_counter();
    const auto [id, name] = kMeasuredClocks[i];
    ClockCosts clock;
    clock.name = name;
    Nanos ignored;
    clock.there = real::read(id, ignored);
    if (clock.there) {
      const clockid_t clock_id = id;
      clock.bare = measure(base, budget, [clock_id] { bare_call(clock_id); });
      clock.raw = measure(base, budget, [clock_id] { raw_call(clock_id); });
      clock.served_by = proof ? (*proof)[i] : guess(clock);
    }
    measured.clocks.push_back(clock);
  }
  if (counter_allowed) {
    samples[2] = sample_counter();
    measured.frequency = frequency_between(samples[0], samples[2]);
    const Frequency first = frequency_between(samples[0], samples[1]);
    const Frequency second = frequency_between(samples[1], samples[2]);
    if (first.mhz > 0) measured.pace_change_ppm = (second.mhz / first.mhz - 1) * 1e6;
    measured.pace_error_ppm = first.error_ppm + second.error_ppm;
  }
  return measured;
}

const ClockCosts* find_clock(const Measured& measured, std::string_view name) {
  for (const ClockCosts& clock : measured.clocks) {
    if (clock.name == name) return &clock;
  }
  return nullptr;
}

}  // namespace clockshim::cli
