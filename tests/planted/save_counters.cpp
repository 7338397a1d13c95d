// save_counters FILE OFFSETS: writes a counters file as if the CPUs' counters had been compared and
// found to differ by these constants: "0,1000,..." in ticks, one for each CPU, or "-" for one that
// was not compared.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "os/counters_file.h"

using namespace clockshim;

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: save_counters FILE OFFSET,...\n");
    return 2;
  }
  CountersFile file;
  begin_counters(file, CountersVerdict::constant, "save_counters");
  file.margin = 1;
  unsigned cpu = 0;
  for (const char* text = argv[2]; text != nullptr && cpu < kCountersCpus; ++cpu) {
    const char* const next = std::strchr(text, ',');
    if (*text != '-' || (text[1] >= '0' && text[1] <= '9')) {
      file.offsets[cpu] = std::strtoll(text, nullptr, 10);
      file.compared_cpus[cpu / 64] |= std::uint64_t{1} << cpu % 64;
      ++file.cpus;
    }
    text = next != nullptr ? next + 1 : nullptr;
  }
  file.checksum = checksum_of(file);
  std::filesystem::create_directories(std::filesystem::path(argv[1]).parent_path());
  std::ofstream(argv[1], std::ios::binary).write(reinterpret_cast<const char*>(&file), sizeof file);
  if (const char* problem = read_counters(argv[1], file); problem != nullptr) {
    std::fprintf(stderr, "save_counters: %s: %s\n", argv[1], problem);
    return 1;
  }
  return 0;
}
