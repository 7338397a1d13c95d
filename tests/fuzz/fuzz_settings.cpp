// The CLOCKSHIM_* environment, and the link of a live file's name: read in somebody's daemon.
// libFuzzer's entry; scripts/fuzz builds and runs it.
#include <cstdint>
#include <string>

#include "os/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace clockshim;
  const std::string value(reinterpret_cast<const char*>(data), size);
  const auto each_variable = [&value](const char* /*name*/) { return value.c_str(); };
  const Settings settings = read_settings(each_variable);
  reason_to_skip(settings, value.substr(0, 16));
  expand_path(settings.report, {1, "program", "host", 2});
  return 0;
}
