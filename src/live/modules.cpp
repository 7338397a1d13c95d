#include "live/modules.h"

#include <algorithm>
#include <cstring>

#include "os/module.h"

namespace clockshim::live {
namespace {

// fingerprint() of modules without a build-id, indexed by record. It is not in the live file,
// because it means nothing to readers. A forked child starts with free records, and writes both
// together.
constinit std::uint64_t g_fingerprints[kModules]{};

// A module, with what distinguishes it from any other that may be loaded in the same place.
struct Identified {
  Module module;
  std::uint64_t fingerprint = 0;
};

bool identify(std::uintptr_t address, Identified& out) noexcept {
  if (!find_module(address, out.module)) return false;
  out.module.build_id = find_build_id(out.module);
  if (out.module.build_id.empty()) out.fingerprint = fingerprint(out.module);
  return true;
}

bool same(const Region& region, unsigned number, const Identified& found) noexcept {
  const ModuleRecord& record = region.modules[number];
  const Module& module = found.module;
  return record.start == module.map_start && record.end == module.map_end &&
         std::strncmp(record.path, module.path, kModulePath - 1) == 0 &&
         record.build_id_size ==
             std::min<std::size_t>(module.build_id.size(), sizeof record.build_id) &&
         std::memcmp(record.build_id, module.build_id.data(), record.build_id_size) == 0 &&
         (record.build_id_size != 0 || g_fingerprints[number] == found.fingerprint);
}

}  // namespace

unsigned module_of(Region& region, std::uintptr_t pc) noexcept {
  Identified found;
  if (!identify(pc, found)) return kModules;
  const Module& module = found.module;
  for (unsigned i = 0; i < kModules; ++i) {
    ModuleRecord& record = region.modules[i];
    std::uint32_t state = kFree;
    if (record.state.compare_exchange_strong(state, kWriting, std::memory_order_acq_rel)) {
      note_page(region, &record, sizeof record);
      record.start = module.map_start;
      record.end = module.map_end;
      record.load_bias = module.load_bias;
      record.build_id_size = static_cast<std::uint8_t>(
          std::min<std::size_t>(module.build_id.size(), sizeof record.build_id));
      std::memcpy(record.build_id, module.build_id.data(), record.build_id_size);
      std::strncpy(record.path, module.path, kModulePath - 1);
      g_fingerprints[i] = found.fingerprint;
      record.state.store(kValid, std::memory_order_release);
      return i;
    }
    if (state == kValid && same(region, i, found)) {
      if (record.unloaded.load(std::memory_order_acquire) != 0)
        record.unloaded.store(0, std::memory_order_release);
      return i;
    }
  }
  return kModules;
}

Modules mark_unloaded(Region& region) noexcept {
  Modules gone;
  for (unsigned i = 0; i < kModules; ++i) {
    ModuleRecord& record = region.modules[i];
    const std::uint32_t state = record.state.load(std::memory_order_acquire);
    if (state == kFree) break;  // records are taken in order
    if (state != kValid || record.unloaded.load(std::memory_order_acquire) != 0) continue;
    Identified found;
    gone[i] = !identify(record.start, found) || !same(region, i, found);
    if (gone[i]) record.unloaded.store(1, std::memory_order_release);
  }
  return gone;
}

}  // namespace clockshim::live
