#include "report/live_modules.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "report/text.h"

namespace clockshim {
namespace {

template <class Module>
ReportFrame frame_in(const Module* module, std::uint64_t pc) {
  ReportFrame frame;
  frame.offset = pc;
  if (module == nullptr) return frame;
  frame.module = module->path;
  frame.build_id = module->build_id;
  frame.offset = pc - module->load_bias;
  return frame;
}

}  // namespace

LiveModules::LiveModules(const LiveRecords<live::ModuleRecord>& records,
                         const std::string& executable) {
  for (std::uint32_t i = 0; i < records.count(); ++i) {
    const live::ModuleRecord& record = records[i];
    Module& module = all_.emplace_back();
    const std::uint32_t state = record.state.load(std::memory_order_acquire);
    if (state == live::kFree) break;  // records are taken in order
    if (state != live::kValid) continue;
    module.known = true;
    module.start = record.start;
    module.end = record.end;
    module.load_bias = record.load_bias;
    module.path = record.path[0] != '\0' ? live_text(record.path) : executable;
    module.build_id = hexadecimal(
        std::span(record.build_id)
            .first(std::min<std::size_t>(record.build_id_size, sizeof record.build_id)));
    if (record.unloaded.load(std::memory_order_relaxed) == 0)
      by_address_.emplace_back(module.start, i);
  }
  std::sort(by_address_.begin(), by_address_.end());
}

ReportFrame LiveModules::frame(std::uint16_t module, std::uint64_t pc) const {
  return frame_in(module < all_.size() && all_[module].known ? &all_[module] : nullptr, pc);
}

// The call ends before the return address, which may be the first byte after its module.
ReportFrame LiveModules::frame(std::uint64_t pc) const {
  const auto after =
      std::upper_bound(by_address_.begin(), by_address_.end(), pc - 1,
                       [](std::uint64_t at, const auto& module) { return at < module.first; });
  if (after == by_address_.begin()) return frame_in<Module>(nullptr, pc);
  const Module& module = all_[std::prev(after)->second];
  return frame_in(pc - 1 < module.end ? &module : nullptr, pc);
}

}  // namespace clockshim
