// A live file made by hand, as the library would write it: for tests of all that reads one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

class LiveRegion {
 public:
  LiveRegion() : region_(std::make_unique<live::Region>()) {
    live::Header& h = region_->header;
    std::memcpy(h.magic, live::kMagic, sizeof h.magic);
    h.version = live::kVersion;
    h.header_size = sizeof h;
    section<live::ClockRecord>(live::SectionId::clock, offsetof(live::Region, clock), 1);
    section<live::ModuleRecord>(live::SectionId::modules, offsetof(live::Region, modules),
                                live::kModules);
    section<live::SiteRecord>(live::SectionId::sites, offsetof(live::Region, sites), live::kSites);
    section<live::SharedCounts>(live::SectionId::shared, offsetof(live::Region, shared), 1);
    section<live::ThreadTable>(live::SectionId::threads, offsetof(live::Region, threads),
                               live::kThreads);
    section<live::StackRecord>(live::SectionId::stacks, offsetof(live::Region, stacks),
                               live::kStacks);
    section<live::NameRecord>(live::SectionId::names, offsetof(live::Region, names), live::kNames);
    h.state = live::State::running;
    h.pid = 42;
    h.started_at = 1'700'000'000'500'000'000;
    h.started = 1'000'000'000;
    h.tolerance = 10'000;
    set(h.clockshim_version, "1.2");
    set(h.program, "daemon");
    set(h.executable, "/usr/bin/daemon");
    set(h.clocksource, "acpi_pm");
    set(h.order, "strict");
    set(h.profile, "sites");
    set(h.mode, "coherent");
    set(h.mode_reason, "because");
  }

  template <std::size_t N>
  static void set(char (&field)[N], const std::string& text) {
    std::memset(field, 0, N);
    std::memcpy(field, text.data(), std::min(N, text.size()));
  }

  // `path` "": the executable.
  unsigned add_module(const std::string& path, std::uint64_t start, std::uint64_t end,
                      bool unloaded = false) {
    live::ModuleRecord& module = region_->modules[modules_];
    set(module.path, path);
    module.start = module.load_bias = start;
    module.end = end;
    module.build_id_size = 2;
    module.build_id[0] = 0xAB;
    module.build_id[1] = 0x0C;
    module.unloaded = unloaded ? 1 : 0;
    module.state = live::kValid;
    return modules_++;
  }

  struct Frame {
    std::uint64_t pc;
    unsigned module;
  };
  live::SiteRecord& add_site(SiteKey key, const std::vector<Frame>& frames, unsigned exact = 1) {
    live::SiteRecord& site = region_->sites[sites_++];
    site.frames = static_cast<std::uint8_t>(frames.size());
    site.exact_frames = static_cast<std::uint8_t>(exact);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      site.pc[i] = frames[i].pc;
      site.module[i] = static_cast<std::uint16_t>(frames[i].module);
    }
    site.key = key.raw();
    site.state = live::kValid;
    return site;
  }

  // Its number, for a frame whose module is live::kNamed.
  unsigned add_name(live::NameKind kind, const std::string& symbol, const std::string& file,
                    unsigned line) {
    live::NameRecord& record = region_->names[names_];
    record.key = names_ + 1;
    record.name.kind = kind;
    record.name.line = line;
    set(record.name.symbol, symbol);
    set(record.name.file, file);
    record.state = live::kValid;
    return names_++;
  }

  void count(unsigned thread, SiteKey key, std::uint64_t calls) {
    live::ThreadTable& table = region_->threads[thread];
    table.entries[table.used++] = {key.raw(), calls};
  }
  void count_shared(SiteKey key, std::uint64_t calls) {
    region_->shared.entries[shared_].key = key.raw();
    region_->shared.entries[shared_++].count = calls;
  }

  live::Region& operator*() { return *region_; }
  live::Region* operator->() { return region_.get(); }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {reinterpret_cast<const std::byte*>(region_.get()), sizeof(live::Region)};
  }

 private:
  template <class Record>
  void section(live::SectionId id, std::size_t at, std::size_t count) {
    region_->header.sections[static_cast<unsigned>(id)] = {
        static_cast<std::uint32_t>(at), sizeof(Record), static_cast<std::uint32_t>(count), 0};
  }

  std::unique_ptr<live::Region> region_;
  unsigned modules_ = 0;
  unsigned sites_ = 0;
  unsigned shared_ = 0;
  unsigned names_ = 0;
};

}  // namespace clockshim
