// What os/module.h is for the library, for the image: the files that were mapped into the process
// when it was stopped. There is no loader to ask.
#include <algorithm>

#include "image/state.h"
#include "os/module.h"

namespace clockshim {

bool find_module(std::uintptr_t address, Module& out) noexcept {
  for (unsigned i = 0; i < g_settings.modules_used; ++i) {
    const ImageModule& module = g_settings.modules[i];
    if (address < module.start || address >= module.end) continue;
    out = Module{};
    out.map_start = module.start;
    out.map_end = module.end;
    out.load_bias = module.load_bias;
    out.path = module.path;
    return true;
  }
  return false;
}

std::span<const std::uint8_t> find_build_id(const Module& module) noexcept {
  for (unsigned i = 0; i < g_settings.modules_used; ++i) {
    const ImageModule& found = g_settings.modules[i];
    if (found.start == module.map_start) return {found.build_id, found.build_id_size};
  }
  return {};
}

std::uint64_t fingerprint(const Module& /*module*/) noexcept { return 0; }

}  // namespace clockshim
