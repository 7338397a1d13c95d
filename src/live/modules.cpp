#include "live/modules.h"

#include <algorithm>
#include <cstring>

#include "os/module.h"

namespace clockshim::live {
namespace {

bool same(const ModuleRecord& record, const Module& module) noexcept {
  return record.start == module.map_start && record.end == module.map_end && std::strncmp(record.path, module.path, kModulePath - 1) == 0 &&
         record.build_id_size == std::min<std::size_t>(module.build_id.size(), sizeof record.build_id) &&
         std::memcmp(record.build_id, module.build_id.data(), record.build_id_size) == 0;
}

}  // namespace

unsigned module_of(Region& region, std::uintptr_t pc) noexcept {
  Module found;
  if (!find_module(pc, found)) return kModules;
  found.build_id = find_build_id(found);
  for (unsigned i = 0; i < kModules; ++i) {
    ModuleRecord& record = region.modules[i];
    std::uint32_t state = kFree;
    if (record.state.compare_exchange_strong(state, kWriting, std::memory_order_acq_rel)) {
      note_page(region, &record, sizeof record);
      record.start = found.map_start;
      record.end = found.map_end;
      record.load_bias = found.load_bias;
      record.build_id_size = static_cast<std::uint8_t>(std::min<std::size_t>(found.build_id.size(), sizeof record.build_id));
      std::memcpy(record.build_id, found.build_id.data(), record.build_id_size);
      std::strncpy(record.path, found.path, kModulePath - 1);
      record.state.store(kValid, std::memory_order_release);
      return i;
    }
    if (state == kValid && record.unloaded.load(std::memory_order_acquire) == 0 && same(record, found)) return i;
  }
  return kModules;
}

bool still_loaded(const ModuleRecord& record) noexcept {
  Module found;
  if (!find_module(record.start, found)) return false;
  found.build_id = find_build_id(found);
  return same(record, found);
}

}  // namespace clockshim::live
