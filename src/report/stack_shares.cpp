#include "report/stack_shares.h"

#include <algorithm>
#include <string>

#include "base/segment.h"
#include "report/frames.h"

namespace clockshim {
namespace {

void add(std::string& key, const std::string& text) { (key += text) += '\0'; }

// What the stacks of one caller have in common. It grows by a frame at a time.
std::string key_of_question(const ReportSite& site) {
  std::string key;
  add(key, site.clock);
  add(key, site.function);
  return key;
}
void add_frame(std::string& key, const ReportFrame& frame) {
  add(key, frame.build_id.empty() ? frame.module : frame.build_id);
  add(key, std::to_string(frame.offset));
  if (frame.module.empty() || frame.inlined) add(key, frame.symbol);
  if (interpreted(frame)) add(key, frame.file + ':' + std::to_string(frame.line));
}
std::string key_of_caller(const ReportSite& site) {
  std::string key = key_of_question(site);
  for (std::size_t i = 0; i < exact_frames(site); ++i) add_frame(key, site.frames[i]);
  return key;
}

// Whether a site stands for callers that have none of their own.
bool is_folded(const ReportSite& site, const char* name) {
  return site.frames.size() == 1 && site.frames[0].module.empty() && site.frames[0].offset == 0 &&
         site.frames[0].symbol == name;
}

class Shares {
 public:
  explicit Shares(const Report& report) {
    for (const ReportSite& site : report.sites) {
      if (!site.frames.empty()) callers_.push_back({key_of_caller(site), {}});
      most_exact_ = std::max(most_exact_, exact_frames(site));
    }
    std::sort(callers_.begin(), callers_.end(),
              [](const Caller& a, const Caller& b) { return a.key < b.key; });
    callers_.erase(std::unique(callers_.begin(), callers_.end(),
                               [](const Caller& a, const Caller& b) { return a.key == b.key; }),
                   callers_.end());
    for (const ReportSite& stack : report.stacks) {
      if (Caller* const caller = caller_of(stack); caller != nullptr)
        caller->stacks.push_back(&stack);
    }
  }

  // Adds the parts of a site to `out`. False: it has no samples.
  bool split(const ReportSite& site, std::vector<ReportSite>& out) {
    const Caller* const caller =
        site.frames.empty() || site.calls == 0 ? nullptr : find(key_of_caller(site));
    if (caller == nullptr || caller->stacks.empty()) return false;
    const bool folded = is_folded(site, kOtherCallers) || is_folded(site, kGeneratedCode);
    UnsignedWide samples = 0;
    for (const ReportSite* stack : caller->stacks) samples += stack->calls;
    std::uint64_t left = site.calls;
    for (const ReportSite* stack : caller->stacks) {
      // Of what is left, its share of the samples that are left: so the last one takes the rest,
      // and no sum is off by rounding.
      const auto part = static_cast<std::uint64_t>(UnsignedWide{left} * stack->calls / samples);
      samples -= stack->calls;
      left -= part;
      if (part == 0) continue;
      ReportSite& one = out.emplace_back();
      one.calls = part;
      one.clock = site.clock;
      one.function = site.function;
      one.exact_frames = exact_frames(site);
      one.sampled = true;
      one.frames.assign(site.frames.begin(),
                        site.frames.begin() + static_cast<std::ptrdiff_t>(one.exact_frames));
      // A stack that was fitted before has the folded caller's name already.
      const bool behind = folded && stack->frames[0].symbol != site.frames[0].symbol;
      const std::size_t known = behind ? 0 : one.exact_frames;
      one.frames.insert(one.frames.end(),
                        stack->frames.begin() + static_cast<std::ptrdiff_t>(known),
                        stack->frames.end());
    }
    return true;
  }

 private:
  struct Caller {
    std::string key;
    std::vector<const ReportSite*> stacks;
  };

  Caller* find(const std::string& key) {
    const auto found =
        std::lower_bound(callers_.begin(), callers_.end(), key,
                         [](const Caller& caller, const std::string& k) { return caller.key < k; });
    return found != callers_.end() && found->key == key ? &*found : nullptr;
  }

  // The caller of a stack: the site with the most frames in common.
  Caller* caller_of(const ReportSite& stack) {
    if (stack.calls == 0) return nullptr;
    Caller* caller = nullptr;
    std::string key = key_of_question(stack);
    for (std::size_t i = 0; i < std::min(stack.frames.size(), most_exact_); ++i) {
      add_frame(key, stack.frames[i]);
      if (Caller* const found = find(key); found != nullptr) caller = found;
    }
    if (caller != nullptr || stack.frames.empty()) return caller;
    const bool generated = stack.frames[0].module.empty();
    for (const char* name :
         {generated ? kGeneratedCode : kOtherCallers, generated ? kOtherCallers : kGeneratedCode}) {
      key = key_of_question(stack);
      add_frame(key, ReportFrame{.symbol = name, .module = ""});
      if (Caller* const found = find(key); found != nullptr) return found;
    }
    return nullptr;
  }

  std::vector<Caller> callers_;
  std::size_t most_exact_ = 0;
};

void sort_by_calls(std::vector<ReportSite>& sites) {
  std::stable_sort(sites.begin(), sites.end(),
                   [](const ReportSite& a, const ReportSite& b) { return a.calls > b.calls; });
}

}  // namespace

std::vector<ReportSite> split_by_stacks(const Report& report) {
  std::vector<ReportSite> out;
  Shares shares(report);
  for (const ReportSite& site : report.sites) {
    if (shares.split(site, out)) continue;
    out.push_back(site);
    out.back().frames.resize(exact_frames(site));
    out.back().threads.clear();
  }
  sort_by_calls(out);
  return out;
}

void fit_stacks(Report& report) {
  if (report.stacks.empty()) return;
  std::vector<ReportSite> fitted;
  Shares shares(report);
  for (const ReportSite& site : report.sites) shares.split(site, fitted);
  sort_by_calls(fitted);
  report.stacks = std::move(fitted);
}

}  // namespace clockshim
