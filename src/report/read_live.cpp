// Whatever is read here may have been written by somebody else, or be written at this moment. So: bounds once, for whole sections;
// each index and length before it is used; each word once.
#include "report/read_live.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock_id.h"
#include "base/duration.h"
#include "live/site_key.h"
#include "report/printable.h"

namespace clockshim {
namespace {

using live::Part;

constexpr std::uintptr_t kAlignment = alignof(live::Header);

struct PartRule {
  Part part;
  std::size_t size;
  std::size_t alignment;
  std::uint32_t least;  // records that must be there
};
constexpr PartRule kParts[] = {
    {Part::clock, sizeof(live::ClockRecord), alignof(live::ClockRecord), 1},
    {Part::modules, sizeof(live::ModuleRecord), alignof(live::ModuleRecord), 0},
    {Part::sites, sizeof(live::SiteRecord), alignof(live::SiteRecord), 0},
    {Part::shared, sizeof(live::SharedCounts), alignof(live::SharedCounts), 1},
    {Part::threads, sizeof(live::ThreadTable), alignof(live::ThreadTable), 0},
    {Part::stacks, sizeof(live::StackRecord), alignof(live::StackRecord), 0},
    {Part::names, sizeof(live::NameRecord), alignof(live::NameRecord), 0},
};

// Words that their thread writes without atomics are read as one word all the same.
std::uint64_t word(const std::uint64_t& w) { return __atomic_load_n(&w, __ATOMIC_RELAXED); }

template <std::size_t N>
std::string text(const char (&field)[N]) {
  return printable(std::string_view(field, strnlen(field, N)));
}

std::string hexadecimal(const std::uint8_t* bytes, std::size_t count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15U];
  }
  return out;
}

// Records of one kind. Only made of sections that live_header() has passed.
template <class Record>
class Records {
 public:
  Records(std::span<const std::byte> bytes, const live::Header& header, Part part)
      : section_(header.sections[static_cast<unsigned>(part)]), first_(bytes.data() + section_.at) {}
  [[nodiscard]] std::uint32_t count() const { return section_.count; }
  const Record& operator[](std::size_t i) const { return *reinterpret_cast<const Record*>(first_ + i * section_.size); }

 private:
  live::Section section_;
  const std::byte* first_;
};

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const live::Header& header, Report& out)
      : header_(header),
        clock_(bytes, header, Part::clock),
        modules_(bytes, header, Part::modules),
        sites_(bytes, header, Part::sites),
        shared_(bytes, header, Part::shared),
        threads_(bytes, header, Part::threads),
        stacks_(bytes, header, Part::stacks),
        names_(bytes, header, Part::names),
        out_(out) {}

  void read(Nanos now) {
    read_header(now);
    read_mode();
    read_modules();
    read_notes();
    read_counts();
    read_sites();
    read_stacks();
    read_clocks();
    read_accuracy();
  }

 private:
  struct Module {
    std::uint64_t start = 0, end = 0, load_bias = 0;
    bool known = false;
    bool loaded = false;
    std::string path;
    std::string build_id;
  };
  using Count = std::pair<std::uint64_t, std::uint64_t>;  // key, calls

  void read_header(Nanos now) {
    out_.version = text(header_.clockshim_version);
    out_.program = text(header_.program);
    executable_ = text(header_.executable);
    out_.pid = header_.pid;
    out_.forked_from = header_.forked_from;
    const std::int64_t ended = header_.ended.load(std::memory_order_acquire);
    out_.state = header_.state.load(std::memory_order_relaxed) == live::State::ended ? "ended" : "running";
    out_.started_at = static_cast<double>(header_.started_at) / 1e9;
    const std::int64_t last = clock_[0].last_resync.load(std::memory_order_relaxed);
    const std::int64_t until = ended != 0 ? ended : now.raw() != 0 ? now.raw() : last;
    // Floating, because a difference of any two numbers might not fit.
    out_.seconds = std::max(0.0, (static_cast<double>(until) - static_cast<double>(header_.started)) / 1e9);
    out_.clocksource = text(header_.clocksource);
    out_.order = text(header_.order);
    out_.profile = text(header_.profile);
    out_.tolerance_ns = std::max<std::int64_t>(0, header_.tolerance);
    for (const auto& note : header_.notes) {
      if (note[0] != '\0') out_.notes.push_back(text(note));
    }
    if (out_.forked_from != 0)
      out_.notes.push_back("forked from process " + std::to_string(out_.forked_from) + "; counts are this process's own");
  }

  // The mode may have changed on evidence since the start.
  void read_mode() {
    out_.mode = text(header_.mode);
    out_.mode_reason = text(header_.mode_reason);
    const auto change = clock_[0].last_change.load(std::memory_order_acquire);
    const std::string figure = std::to_string(clock_[0].change_ticks.load(std::memory_order_relaxed));
    const auto became = [&](const char* mode, const std::string& reason) {
      out_.mode = mode;
      out_.mode_reason = reason;
    };
    switch (change) {
      case live::ModeChange::none: break;
      case live::ModeChange::warp: became("percpu", "a CPU's counter was " + figure + " ticks behind another's"); break;
      case live::ModeChange::residual: became("percpu", "a CPU's counter did not fit what another's had said"); break;
      case live::ModeChange::promoted:
        became("coherent", "the CPUs' counters agreed in " + figure + " readings handed over, a second apart");
        break;
      case live::ModeChange::stopped: became("passthrough", "the CPUs' counters disagree, and CPUs can't be told apart"); break;
    }
  }

  void read_modules() {
    for (std::uint32_t i = 0; i < modules_.count(); ++i) {
      const live::ModuleRecord& record = modules_[i];
      Module& module = all_modules_.emplace_back();
      const std::uint32_t state = record.state.load(std::memory_order_acquire);
      if (state == live::kFree) break;  // they are taken in order
      if (state != live::kValid) continue;
      module.known = true;
      module.loaded = record.unloaded.load(std::memory_order_relaxed) == 0;
      module.start = record.start;
      module.end = record.end;
      module.load_bias = record.load_bias;
      module.path = record.path[0] != '\0' ? text(record.path) : executable_;
      module.build_id = hexadecimal(record.build_id, std::min<std::size_t>(record.build_id_size, sizeof record.build_id));
      if (module.loaded) by_address_.emplace_back(module.start, i);
    }
    std::sort(by_address_.begin(), by_address_.end());
  }

  // Of interpreters whose functions are not told.
  void read_notes() {
    for (std::uint32_t i = 0; i < names_.count(); ++i) {
      const live::NameRecord& record = names_[i];
      if (record.state.load(std::memory_order_acquire) != live::kValid || record.name.kind == live::NameKind::python) continue;
      const std::string version = text(record.name.symbol);
      const std::string python = "Python " + (version.empty() ? "before 3.11" : version) + " (" +
                                 (record.name.file[0] != '\0' ? text(record.name.file) : executable_) + ")";
      const std::string so = ": calls that come through it are counted under C functions";
      switch (record.name.kind) {
        case live::NameKind::unread_version:
          out_.notes.push_back("the frames of " + python + " are not known to this clockshim" + so);
          break;
        case live::NameKind::unread_build: out_.notes.push_back(python + " is not built as usual, so its frames are not read" + so); break;
        case live::NameKind::unread_second: out_.notes.push_back(python + " is the second Python of this process" + so); break;
        default: break;  // of a later version
      }
    }
  }

  // Keys of all tables together, each once.
  void read_counts() {
    const auto add = [this](std::uint64_t key, std::uint64_t count) {
      if (key != 0 && (key & SiteKey::kRule) == 0) counts_.emplace_back(key, count);
    };
    const live::SharedCounts& shared = shared_[0];
    out_.dropped = shared.dropped.load(std::memory_order_relaxed);
    if (const std::uint64_t lost = shared.dropped_samples.load(std::memory_order_relaxed); lost != 0)
      out_.notes.push_back(std::to_string(lost) + " sampled stacks found no room; the callers' counts are whole");
    for (unsigned id = 0; id < kClockIds; ++id) real_[id] = shared.real[id].load(std::memory_order_relaxed);
    for (const auto& entry : shared.entries) add(entry.key.load(std::memory_order_acquire), entry.count.load(std::memory_order_relaxed));
    for (std::uint32_t i = 0; i < threads_.count(); ++i) {
      const live::ThreadTable& table = threads_[i];
      if (word(table.used) == 0) continue;  // so that the pages of a table that nobody has used stay untouched
      for (unsigned id = 0; id < kClockIds; ++id) real_[id] += word(table.real[id]);
      for (const auto& entry : table.entries) add(word(entry.key), word(entry.count));
    }
    std::sort(counts_.begin(), counts_.end());
    std::size_t last = 0;
    for (std::size_t i = 1; i < counts_.size(); ++i) {
      if (counts_[i].first == counts_[last].first) {
        counts_[last].second += counts_[i].second;
      } else {
        counts_[++last] = counts_[i];
      }
    }
    counts_.resize(counts_.empty() ? 0 : last + 1);
    for (const auto& [key, count] : counts_) calls_[SiteKey{key}.clock()] += count;
  }

  static ReportSite site_of(SiteKey key, std::uint64_t calls) {
    ReportSite site;
    site.calls = calls;
    site.clock = clock_name(key.clock());
    site.function = key.function() <= Function::timespec_get ? function_name(key.function()) : "other";
    return site;
  }

  [[nodiscard]] ReportFrame frame_in(const Module* module, std::uint64_t pc) const {
    ReportFrame frame;
    frame.offset = pc;
    if (module == nullptr) return frame;
    frame.module = module->path;
    frame.build_id = module->build_id;
    frame.offset = pc - module->load_bias;
    return frame;
  }

  [[nodiscard]] ReportFrame named_frame(std::uint64_t number) const {
    ReportFrame frame;
    if (number >= names_.count() || names_[number].state.load(std::memory_order_acquire) != live::kValid) return frame;
    const live::Name& name = names_[number].name;
    frame.symbol = text(name.symbol);
    frame.file = text(name.file);
    frame.line = name.line;
    return frame;
  }

  // The call ends before the return address, which may be the first byte behind its module.
  [[nodiscard]] const Module* loaded_at(std::uint64_t pc) const {
    const auto after = std::upper_bound(by_address_.begin(), by_address_.end(), pc - 1,
                                        [](std::uint64_t at, const auto& module) { return at < module.first; });
    if (after == by_address_.begin()) return nullptr;
    const Module& module = all_modules_[std::prev(after)->second];
    return pc - 1 < module.end ? &module : nullptr;
  }

  void read_sites() {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> records;  // key, index
    for (std::uint32_t i = 0; i < sites_.count(); ++i) {
      if (sites_[i].state.load(std::memory_order_acquire) == live::kValid)
        records.emplace_back(sites_[i].key.load(std::memory_order_relaxed), i);
    }
    std::sort(records.begin(), records.end());
    for (const auto& [key, calls] : counts_) {
      ReportSite site = site_of(SiteKey{key}, calls);
      const auto found = std::lower_bound(records.begin(), records.end(), std::pair{key, 0U});
      if (found != records.end() && found->first == key) add_frames(site, sites_[found->second]);
      out_.sites.push_back(std::move(site));
    }
    sort(out_.sites);
  }

  void add_frames(ReportSite& site, const live::SiteRecord& record) const {
    const unsigned frames = std::min<unsigned>(record.frames, live::kSiteDepth);
    site.exact_frames = std::min<unsigned>(record.exact_frames, frames);
    for (unsigned i = 0; i < frames; ++i) {
      const std::uint16_t module = record.module[i];
      if (module == live::kNamed) {
        site.frames.push_back(named_frame(record.pc[i]));
        continue;
      }
      const bool known = module < all_modules_.size() && all_modules_[module].known;
      site.frames.push_back(frame_in(known ? &all_modules_[module] : nullptr, record.pc[i]));
    }
  }

  void read_stacks() {
    for (std::uint32_t i = 0; i < stacks_.count(); ++i) {
      const live::StackRecord& record = stacks_[i];
      if (record.state.load(std::memory_order_acquire) != live::kValid) continue;
      const std::uint64_t samples = record.samples.load(std::memory_order_relaxed);
      ReportSite stack = site_of(SiteKey{record.key.load(std::memory_order_relaxed)}, samples * header_.stacks_every);
      stack.sampled = true;
      const unsigned depth = std::min<unsigned>(record.depth, live::kStackDepth);
      stack.exact_frames = depth;
      for (unsigned f = 0; f < depth; ++f) {
        const std::uint64_t pc = record.pc[f];
        const bool named = (pc & live::kNamedFrame) != 0;
        stack.frames.push_back(named ? named_frame(pc & ~live::kNamedFrame) : frame_in(loaded_at(pc), pc));
      }
      out_.stacks.push_back(std::move(stack));
    }
    sort(out_.stacks);
  }

  static void sort(std::vector<ReportSite>& sites) {
    std::stable_sort(sites.begin(), sites.end(), [](const ReportSite& a, const ReportSite& b) {
      return a.calls != b.calls ? a.calls > b.calls : !a.frames.empty() && !b.frames.empty() && a.frames[0].offset < b.frames[0].offset;
    });
  }

  void read_clocks() {
    for (unsigned id = 0; id < kClockIds; ++id) {
      const auto& clock = clock_[0].clocks[id];
      const std::uint64_t resyncs = clock.resyncs.load(std::memory_order_relaxed);
      if (calls_[id] == 0 && (out_.profile != "off" || resyncs == 0)) continue;
      // A call may be counted as answered by the real function and, when the process ends at that instant, not yet as a call.
      const std::uint64_t real = std::min(real_[id], calls_[id]);
      const std::string name(clock_name(id));
      out_.clocks.push_back({name, calls_[id], calls_[id] - real, real, resyncs});
      if (const std::int64_t best = clock.unreachable_best.load(std::memory_order_relaxed); best > 0) {
        out_.notes.push_back("tolerance " + format_duration(Nanos{out_.tolerance_ns}) + " can't be kept for " + name +
                             " here: its calls got the real clock; CLOCKSHIM_TOLERANCE=" + format_duration(Nanos{best}) + " could be kept");
      }
    }
  }

  void read_accuracy() {
    const Accuracy& accuracy = clock_[0].accuracy;
    const AccuracySummary summary = accuracy.summary();
    const auto plain = [](Nanos n) { return n.raw() < 0 ? std::numeric_limits<std::int64_t>::max() : n.raw(); };
    out_.disturbances = clock_[0].disturbances.load(std::memory_order_relaxed);
    out_.samples = summary.samples;
    out_.p50_ns = plain(summary.p50);
    out_.p99_ns = plain(summary.p99);
    out_.max_ns = plain(summary.max);
    out_.over_tolerance = summary.over_tolerance;
    for (unsigned i = 0; i < kHistogramBuckets; ++i) {
      const std::uint64_t samples = accuracy.buckets[i].load(std::memory_order_relaxed);
      if (samples != 0) out_.errors.push_back({static_cast<std::int64_t>(histogram_edge(i)), samples});
    }
  }

  const live::Header& header_;
  Records<live::ClockRecord> clock_;
  Records<live::ModuleRecord> modules_;
  Records<live::SiteRecord> sites_;
  Records<live::SharedCounts> shared_;
  Records<live::ThreadTable> threads_;
  Records<live::StackRecord> stacks_;
  Records<live::NameRecord> names_;
  Report& out_;

  std::string executable_;
  std::vector<Module> all_modules_;                                  // as the records are numbered
  std::vector<std::pair<std::uint64_t, std::uint32_t>> by_address_;  // start and number, of those that are loaded
  std::vector<Count> counts_;                                        // by key
  std::uint64_t calls_[kClockIds] = {};
  std::uint64_t real_[kClockIds] = {};
};

struct Free {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kAlignment}); }
};

}  // namespace

const live::Header* live_header(std::span<const std::byte> bytes, std::string& problem) {
  const auto refuse = [&](std::string reason) {
    problem = std::move(reason);
    return nullptr;
  };
  const auto* header = reinterpret_cast<const live::Header*>(bytes.data());
  constexpr std::size_t kEnough = offsetof(live::Header, sections);  // to tell a file that is no live file from one cut short
  if (bytes.size() < kEnough || std::memcmp(header->magic, live::kMagic, sizeof live::kMagic) != 0) return refuse("is no live file");
  if (header->version != live::kVersion) {
    return refuse("is of layout version " + std::to_string(header->version) + "; this command reads " + std::to_string(live::kVersion));
  }
  if (bytes.size() < sizeof(live::Header) || header->header_size > bytes.size()) return refuse("is cut short");
  if (header->header_size < sizeof(live::Header)) return refuse("is damaged: its header is too small");
  for (const PartRule& rule : kParts) {
    const auto index = static_cast<unsigned>(rule.part);
    const live::Section section = header->sections[index];
    if (section.count < rule.least) return refuse("is damaged: section " + std::to_string(index) + " is missing");
    if (section.count == 0) continue;
    if (section.at < header->header_size || section.at % rule.alignment != 0 || section.size < rule.size ||
        section.size % rule.alignment != 0) {
      return refuse("is damaged: section " + std::to_string(index) + " can't be where it is said to be");
    }
    if (section.at + std::uint64_t{section.size} * section.count > bytes.size()) return refuse("is cut short");
  }
  return header;
}

bool read_live(std::span<const std::byte> bytes, Report& out, std::string& problem, Nanos now) {
  std::unique_ptr<std::byte[], Free> copy;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment != 0) {
    copy.reset(static_cast<std::byte*>(::operator new[](bytes.size(), std::align_val_t{kAlignment})));
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    bytes = {copy.get(), bytes.size()};
  }
  const live::Header* header = live_header(bytes, problem);
  if (header == nullptr) return false;
  out = Report{};
  Reader(bytes, *header, out).read(now);
  return true;
}

}  // namespace clockshim
