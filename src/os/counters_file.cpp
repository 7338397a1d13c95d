#include "os/counters_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "os/kernel_line.h"
#include "os/possible_cpus.h"
#include "os/real_clock.h"

namespace clockshim {
namespace {

// The two clocks are read one after the other, and the machine may sleep for as little as this.
constexpr Nanos kSleepSlack = milliseconds(100);

// What no true file has, whatever the machine: each table's reader relies on it.
const char* malformed(const CountersFile& file) noexcept {
  if (std::memcmp(file.magic, CountersFile::kMagic, sizeof file.magic) != 0)
    return "it is no counters file";
  if (file.version != CountersFile::kVersion) return "it is of another version";
  if (file.checksum != checksum_of(file)) return "it is damaged";
  if (file.verdict < CountersVerdict::agree || file.verdict > CountersVerdict::differ)
    return "its verdict is unknown";
  unsigned cpus = 0;
  for (unsigned cpu = 0; cpu < kCountersCpus; ++cpu) {
    if (file.has(cpu)) ++cpus;
    if (file.offsets[cpu] < 0) return "an offset is negative";
    if (file.offsets[cpu] != 0 && (!file.has(cpu) || file.verdict != CountersVerdict::constant))
      return "an offset is of no use";
  }
  if (cpus < 2 || cpus != file.cpus) return "its number of CPUs is wrong";
  return nullptr;
}

}  // namespace

std::uint64_t checksum_of(const CountersFile& file) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&file);
  for (std::size_t i = 0; i < offsetof(CountersFile, checksum); ++i)
    hash = (hash ^ bytes[i]) * 0x100000001B3ULL;
  return hash;
}

const char* counters_problem(const CountersFile& file, const CountersExpected& expected) noexcept {
  if (const char* problem = malformed(file); problem != nullptr) return problem;
  if (expected.boot.empty() || expected.boot.size() >= sizeof file.boot ||
      std::memcmp(file.boot, expected.boot.data(), expected.boot.size()) != 0 ||
      file.boot[expected.boot.size()] != '\0')
    return "it is of another boot";
  if (file.possible != expected.possible) return "it is of other CPUs";
  const Nanos slept = expected.slept - Nanos{file.slept};
  if (magnitude(slept) > kSleepSlack) return "the machine has slept since";
  const Nanos age = expected.boottime - Nanos{file.confirmed};
  if (age < Nanos{0} || file.compared > file.confirmed) return "it is of a time to come";
  if (age > kCountersKeep) return "it is too old";
  return nullptr;
}

CountersExpected counters_expected(char (&buffer)[40]) noexcept {
  CountersExpected now{kernel_line("/proc/sys/kernel/random/boot_id", buffer), {}, {}, 0};
  Nanos monotonic;
  if (!real::read(CLOCK_MONOTONIC, monotonic) || !real::read(CLOCK_BOOTTIME, now.boottime))
    now.boot = "";
  now.slept = now.boottime - monotonic;
  now.possible = possible_cpus();
  return now;
}

bool begin_counters(CountersFile& file, CountersVerdict verdict, std::string_view writer) noexcept {
  file = CountersFile{};
  char boot[40];
  const CountersExpected now = counters_expected(boot);
  if (now.boot.empty() || now.boot.size() >= sizeof file.boot) return false;
  std::memcpy(file.magic, CountersFile::kMagic, sizeof file.magic);
  file.version = CountersFile::kVersion;
  file.verdict = verdict;
  now.boot.copy(file.boot, sizeof file.boot - 1);
  writer.copy(file.writer, sizeof file.writer - 1);
  file.compared = file.confirmed = now.boottime.raw();
  file.slept = now.slept.raw();
  file.possible = now.possible;
  return true;
}

const char* read_counters(const char* path, CountersFile& out) noexcept {
  // A FIFO in its place must not make the program wait.
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return "";
  struct stat facts {};
  const char* problem = nullptr;
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    problem = "it is no plain file";
  } else if (facts.st_uid != 0 && facts.st_uid != geteuid()) {
    problem = "it is another user's";
  } else if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    problem = "others may write to it";
  } else if (facts.st_size != sizeof out || read(fd, &out, sizeof out) != sizeof out) {
    problem = "its size is wrong";
  }
  close(fd);
  if (problem != nullptr) return problem;
  char boot[40];
  return counters_problem(out, counters_expected(boot));
}

}  // namespace clockshim
