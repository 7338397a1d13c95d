// Whatever is read here may have been written by another user, or be changing at this moment: see
// report/live_sections.h.
#include "report/read_live.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/clock_id.h"
#include "base/duration.h"
#include "live/site_key.h"
#include "report/frames.h"
#include "report/live_counts.h"
#include "report/live_modules.h"
#include "report/live_names.h"
#include "report/live_sections.h"
#include "report/saved.h"
#include "report/stack_shares.h"
#include "report/threads.h"

namespace clockshim {
namespace {

using live::SectionId;

constexpr std::uintptr_t kAlignment = alignof(live::Header);

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const live::Header& header, Report& out)
      : header_(header),
        clock_(bytes, header, SectionId::clock),
        modules_(LiveRecords<live::ModuleRecord>(bytes, header, SectionId::modules),
                 live_text(header.executable)),
        sites_(bytes, header, SectionId::sites),
        shared_(bytes, header, SectionId::shared),
        counts_(shared_, {bytes, header, SectionId::threads}),
        stacks_(bytes, header, SectionId::stacks),
        names_(LiveRecords<live::NameRecord>(bytes, header, SectionId::names)),
        out_(out) {}

  void read(Nanos now) {
    read_header(now);
    read_mode();
    read_losses();
    names_.add_notes(live_text(header_.executable), out_.notes);
    read_sites();
    read_stacks();
    read_clocks();
    read_accuracy();
  }

 private:
  void read_header(Nanos now) {
    out_.version = live_text(header_.clockshim_version);
    out_.program = live_text(header_.program);
    out_.pid = header_.pid;
    out_.forked_from = header_.forked_from;
    const std::int64_t ended = header_.ended.load(std::memory_order_acquire);
    const live::State state = header_.state.load(std::memory_order_relaxed);
    out_.state = state == live::State::ended || state == live::State::told ? "ended" : "running";
    out_.started_at = static_cast<double>(header_.started_at) / 1e9;
    const std::int64_t last = clock_[0].last_resync.load(std::memory_order_relaxed);
    const std::int64_t until = ended != 0 ? ended : now.raw() != 0 ? now.raw() : last;
    // It is floating point, because the difference of any two numbers might not fit.
    out_.seconds =
        std::max(0.0, (static_cast<double>(until) - static_cast<double>(header_.started)) / 1e9);
    out_.clocksource = live_text(header_.clocksource);
    out_.order = live_text(header_.order);
    out_.profile = live_text(header_.profile);
    out_.tolerance_ns = std::max<std::int64_t>(0, header_.tolerance);
    for (const auto& note : header_.notes) {
      if (note[0] != '\0') out_.notes.push_back(live_text(note));
    }
    if (out_.forked_from != 0)
      out_.notes.push_back("forked from process " + std::to_string(out_.forked_from) +
                           "; counts are this process's own");
  }

  // The mode may have changed on evidence since the start.
  void read_mode() {
    out_.mode = live_text(header_.mode);
    out_.mode_reason = live_text(header_.mode_reason);
    const auto change = clock_[0].last_change.load(std::memory_order_acquire);
    const std::string figure =
        std::to_string(clock_[0].change_ticks.load(std::memory_order_relaxed));
    const auto became = [&](const char* mode, const std::string& reason) {
      out_.mode = mode;
      out_.mode_reason = reason;
    };
    switch (change) {
      case live::ModeChange::none: break;
      case live::ModeChange::warp:
        became("percpu", "a CPU's counter was " + figure + " ticks behind another's");
        break;
      case live::ModeChange::residual:
        became("percpu", "a CPU's counter did not fit what another's had said");
        break;
      case live::ModeChange::promoted:
        became(out_.mode == "aligned" ? "aligned" : "coherent",
               "the CPUs' counters agreed in " + figure + " readings handed over, a second apart");
        break;
      case live::ModeChange::new_cpu:
        became("percpu", "CPU " + figure + " was not there when the CPUs' counters were compared");
        break;
      case live::ModeChange::stopped:
        became("passthrough", "the CPUs' counters disagree, and CPUs can't be told apart");
        break;
    }
  }

  void read_losses() {
    const live::SharedCounts& shared = shared_[0];
    out_.dropped = shared.dropped.load(std::memory_order_relaxed);
    if (const std::uint64_t lost = shared.dropped_samples.load(std::memory_order_relaxed);
        lost != 0)
      out_.notes.push_back(std::to_string(lost) +
                           " sampled stacks found no room; the callers' counts are whole");
  }

  static ReportSite site_of(SiteKey key, std::uint64_t calls) {
    ReportSite site;
    site.calls = calls;
    site.clock = clock_name(key.clock());
    site.function =
        key.function() <= Function::timespec_get ? function_name(key.function()) : "other";
    return site;
  }

  void read_sites() {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> records;  // key, index
    for (std::uint32_t i = 0; i < sites_.count(); ++i) {
      if (sites_.begun(i) && sites_[i].state.load(std::memory_order_acquire) == live::kValid)
        records.emplace_back(sites_[i].key.load(std::memory_order_relaxed), i);
    }
    std::sort(records.begin(), records.end());
    for (auto count = counts_.counts.begin(), end = counts_.counts.end(); count != end;) {
      const std::uint64_t key = count->key;
      ReportSite site = site_of(SiteKey{key}, 0);
      site.key = key;
      for (; count != end && count->key == key; ++count) {
        site.calls += count->calls;
        site.threads.push_back({count->thread, count->calls});
      }
      const auto found = std::lower_bound(records.begin(), records.end(), std::pair{key, 0U});
      if (found != records.end() && found->first == key) add_frames(site, sites_[found->second]);
      if (SiteKey{key}.folded()) add_folded(site, SiteKey{key});
      out_.sites.push_back(std::move(site));
    }
    sort(out_.sites);
    out_.threads = std::move(counts_.threads);
    for (ReportThread& thread : out_.threads) thread.pid = out_.pid;
    settle_threads(out_);
  }

  // Adds callers that have no site of their own.
  void add_folded(ReportSite& site, SiteKey key) {
    const bool generated = key.return_address() == SiteKey::kGeneratedCode;
    site.frames.assign(
        1, ReportFrame{.symbol = generated ? kGeneratedCode : kOtherCallers, .module = ""});
    site.exact_frames = 1;
    out_.notes.push_back(std::to_string(site.calls) + " calls of " + site.function + "(" +
                         site.clock + ") are told under \"" + site.frames[0].symbol + "\": " +
                         (generated
                              ? "code made while the program ran had filled its share of the table"
                              : "the table of callers was full"));
  }

  void add_frames(ReportSite& site, const live::SiteRecord& record) const {
    const unsigned frames = std::min<unsigned>(record.frames, live::kSiteDepth);
    site.exact_frames = std::min<unsigned>(record.exact_frames, frames);
    for (unsigned i = 0; i < frames; ++i) {
      const std::uint16_t module = record.module[i];
      site.frames.push_back(module == live::kNamed ? names_.frame(record.pc[i])
                                                   : modules_.frame(module, record.pc[i]));
    }
  }

  void read_stacks() {
    for (std::uint32_t i = 0; i < stacks_.count(); ++i) {
      if (!stacks_.begun(i)) continue;
      const live::StackRecord& record = stacks_[i];
      if (record.state.load(std::memory_order_acquire) != live::kValid) continue;
      const std::uint64_t samples = record.samples.load(std::memory_order_relaxed);
      // Only the shares of samples matter: how many calls they stand for, the sites know exactly.
      ReportSite stack = site_of(SiteKey{record.key.load(std::memory_order_relaxed)}, samples);
      stack.sampled = true;
      const unsigned depth = std::min<unsigned>(record.depth, live::kStackDepth);
      for (unsigned f = 0; f < depth; ++f) {
        const std::uint64_t pc = record.pc[f];
        stack.frames.push_back((pc & live::kNamedFrame) != 0 ? names_.frame(pc & ~live::kNamedFrame)
                                                             : modules_.frame(pc));
      }
      out_.stacks.push_back(std::move(stack));
    }
    fit_stacks(out_);
  }

  static void sort(std::vector<ReportSite>& sites) {
    std::stable_sort(sites.begin(), sites.end(), [](const ReportSite& a, const ReportSite& b) {
      return a.calls != b.calls ? a.calls > b.calls
                                : !a.frames.empty() && !b.frames.empty() &&
                                      a.frames[0].offset < b.frames[0].offset;
    });
  }

  static double in_ns(const std::atomic<std::uint32_t>& picoseconds) {
    return static_cast<double>(picoseconds.load(std::memory_order_relaxed)) / 1000;
  }

  void read_clocks() {
    for (unsigned id = 0; id < kClockIds; ++id) {
      const auto& clock = clock_[0].clocks[id];
      const std::uint64_t resyncs = clock.resyncs.load(std::memory_order_relaxed);
      if (counts_.calls[id] == 0 && (out_.profile != "off" || resyncs == 0)) continue;
      // If the process ends just then, a call may be counted as answered by the real function, but
      // not yet as a call.
      const std::uint64_t real = std::min(counts_.real[id], counts_.calls[id]);
      const std::string name(clock_name(id));
      out_.clocks.push_back({name, counts_.calls[id], counts_.calls[id] - real, real, resyncs});
      ReportClock& out = out_.clocks.back();
      out.real_call_ns = in_ns(header_.costs[id].real);
      out.served_call_ns = in_ns(header_.costs[id].served);
      out.saved_ns = saved_ns_of(out);
      if (const std::int64_t best = clock.unreachable_best.load(std::memory_order_relaxed);
          best > 0) {
        out.unreachable = true;
        out_.notes.push_back("tolerance " + format_duration(Nanos{out_.tolerance_ns}) +
                             " can't be kept for " + name +
                             " here: its calls got the real clock; CLOCKSHIM_TOLERANCE=" +
                             format_duration(Nanos{best}) + " could be kept");
      }
    }
  }

  void read_accuracy() {
    const Accuracy& accuracy = clock_[0].accuracy;
    const AccuracySummary summary = accuracy.summary();
    const auto plain = [](Nanos n) {
      return n.raw() < 0 ? std::numeric_limits<std::int64_t>::max() : n.raw();
    };
    out_.disturbances = clock_[0].disturbances.load(std::memory_order_relaxed);
    out_.samples = summary.samples;
    out_.p50_ns = plain(summary.p50);
    out_.p99_ns = plain(summary.p99);
    out_.max_ns = plain(summary.max);
    out_.over_tolerance = summary.over_tolerance;
    for (unsigned i = 0; i < kHistogramBuckets; ++i) {
      const std::uint64_t samples = accuracy.buckets[i].load(std::memory_order_relaxed);
      if (samples != 0)
        out_.errors.push_back({static_cast<std::int64_t>(histogram_edge(i)), samples});
    }
  }

  const live::Header& header_;
  LiveRecords<live::ClockRecord> clock_;
  LiveModules modules_;
  LiveRecords<live::SiteRecord> sites_;
  LiveRecords<live::SharedCounts> shared_;
  LiveCounts counts_;
  LiveRecords<live::StackRecord> stacks_;
  LiveNames names_;
  Report& out_;
};

struct Free {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kAlignment}); }
};

}  // namespace

bool read_live(std::span<const std::byte> bytes, Report& out, std::string& problem, Nanos now) {
  std::unique_ptr<std::byte[], Free> copy;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment != 0) {
    copy.reset(
        static_cast<std::byte*>(::operator new[](bytes.size(), std::align_val_t{kAlignment})));
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
