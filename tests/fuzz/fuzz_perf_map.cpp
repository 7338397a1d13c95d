// A map of generated code, which anybody may write to /tmp. libFuzzer's entry; scripts/fuzz builds
// and runs it.
#include <cstdint>
#include <string_view>

#include "symbolize/perf_map.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace clockshim;
  const PerfMap map(std::string_view(reinterpret_cast<const char*>(data), size));
  std::uint64_t offset = 0;
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x1000}, ~std::uint64_t{0}}) {
    map.at(address, offset);
  }
  return 0;
}
