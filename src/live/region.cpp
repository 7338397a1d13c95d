#include "live/region.h"

#include <sys/mman.h>

#include <cstring>

#include "base/attributes.h"

namespace clockshim::live {

// The first bytes of a Region, under the symbol of the whole Region.
alignas(kPage) CLOCKSHIM_LARGE
    constinit unsigned char g_beginning[kSizeWithFewNames] asm("clockshim_region"){};

constinit Region* g_current = &g_region;

namespace {

Section section_of(SectionId id, std::size_t size) {
  const auto section = [](std::size_t at, std::size_t one, std::size_t count) {
    return Section{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(one),
                   static_cast<std::uint32_t>(count), 0};
  };
  switch (id) {
    case SectionId::clock: return section(offsetof(Region, clock), sizeof(ClockRecord), 1);
    case SectionId::modules:
      return section(offsetof(Region, modules), sizeof(ModuleRecord), kModules);
    case SectionId::sites: return section(offsetof(Region, sites), sizeof(SiteRecord), kSites);
    case SectionId::shared: return section(offsetof(Region, shared), sizeof(SharedCounts), 1);
    case SectionId::threads:
      return section(offsetof(Region, threads), sizeof(ThreadTable), kThreads);
    case SectionId::names:
      return section(offsetof(Region, names), sizeof(NameRecord),
                     size < kSizeWithoutStacks ? kFewNames : kNames);
    case SectionId::stacks:
      return section(offsetof(Region, stacks), sizeof(StackRecord),
                     size > kSizeWithoutStacks ? kStacks : 0);
  }
  return {};
}

}  // namespace

void begin_region(Region& region, const Header& from, std::size_t size) noexcept {
  Header& header = region.header;
  const State state = header.state.load(std::memory_order_relaxed);
  const std::uint32_t counted = header.counted.load(std::memory_order_relaxed);
  std::memcpy(static_cast<void*>(&header), static_cast<const void*>(&from),
              offsetof(Header, pages));
  header.state.store(state, std::memory_order_relaxed);
  header.counted.store(counted, std::memory_order_relaxed);
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.header_size = sizeof(Header);
  header.paths_seen = from.paths_seen;
  for (const SectionId id : kEachSection)
    header.sections[static_cast<unsigned>(id)] = section_of(id, size);
  note_page(region, &header, sizeof header);
  note_page(region, &region.clock, sizeof region.clock);
  note_page(region, &region.shared, offsetof(SharedCounts, entries));
}

Region* private_region(std::size_t size) noexcept {
  void* memory = &g_region;
  if (size > kSizeWithFewNames) {
    memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
  }
  madvise(memory, size, MADV_WIPEONFORK);
  return static_cast<Region*>(memory);
}

}  // namespace clockshim::live
