#include "live/names.h"

#include <algorithm>

#include "live/write_same.h"

namespace clockshim::live {

unsigned room_for_names(const Region& region) noexcept {
  return std::min(region.header.sections[static_cast<unsigned>(SectionId::names)].count, kNames);
}

unsigned number_of_name(Region& region, std::uint64_t key, const Name& name, bool& fresh) noexcept {
  const unsigned room = room_for_names(region);
  fresh = false;
  for (unsigned probe = 0; probe < room; ++probe) {
    const unsigned number = static_cast<unsigned>((key + probe) % room);
    NameRecord& record = region.names[number];
    std::uint64_t there = record.key.load(std::memory_order_acquire);
    if (there != 0 && there != key) continue;
    if (there == 0 && !record.key.compare_exchange_strong(there, key, std::memory_order_acq_rel) &&
        there != key)
      continue;
    if (record.state.load(std::memory_order_acquire) != kValid) {
      note_page(region, &record, sizeof record);
      write_same(record.name, name);
      record.state.store(kValid, std::memory_order_release);
      fresh = there == 0;
    }
    return number;
  }
  return kNames;
}

}  // namespace clockshim::live
