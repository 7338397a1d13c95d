// The CLOCKSHIM_* environment, and the link of a live file's name: read in somebody's daemon.
// libFuzzer's entry; scripts/fuzz builds and runs it.
#include <cstdint>
#include <string>

#include "os/settings.h"

namespace {
std::string g_value;
const char* variable(const char* /*name*/) { return g_value.c_str(); }
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace clockshim;
  g_value.assign(reinterpret_cast<const char*>(data), size);
  const Settings settings = read_settings(variable);
  reason_to_skip(settings, g_value.substr(0, 16));
  expand_path(settings.report, {1, "program", "host", 2});
  return 0;
}
