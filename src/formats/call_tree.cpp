#include "formats/call_tree.h"

#include <algorithm>

#include "formats/thread_slices.h"

namespace clockshim {
namespace {

// A node under construction. Its children are keyed by what makes two frames the same function.
struct Growing {
  CallNode node;
  std::uint64_t busiest = 0;
  std::map<std::tuple<std::string, std::string, Seen>, Growing> callers;

  Growing& caller(const std::string& name, const std::string& module, Seen seen = Seen::always) {
    Growing& child = callers[{name, module, seen}];
    child.node.name = name;
    child.node.module = module;
    child.node.first_seen = seen == Seen::first;
    child.node.sampled = seen == Seen::sampled;
    return child;
  }
  Growing& heading(const std::string& name) {
    Growing& child = caller(name, "");
    child.node.heading = true;
    return child;
  }
  void add(const ReportSite& site, const std::string& at) {
    node.calls += site.calls;
    if (site.calls > busiest || node.place.empty()) node.place = at;
    busiest = std::max(busiest, site.calls);
  }
};

// NOLINTNEXTLINE(misc-no-recursion): as deep as a stack in the report
CallNode grown(Growing& from) {
  for (auto& [key, child] : from.callers) from.node.callers.push_back(grown(child));
  std::stable_sort(from.node.callers.begin(), from.node.callers.end(),
                   [](const CallNode& a, const CallNode& b) { return a.calls > b.calls; });
  return std::move(from.node);
}

void add(const ThreadSlice& slice, const StackOptions& options, Growing& root) {
  for (const ReportSite& site : slice.sites) {
    root.add(site, "");
    Growing* at = &root;
    if (!slice.thread.empty()) {
      at = &root.heading(slice.thread);
      at->add(site, "");
    }
    at = &at->heading(question(site));
    at->add(site, "");
    if (site.frames.empty()) {
      at = &at->caller("unknown", "");
      at->add(site, "");
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(drawn_frames(site, options), 128); ++i) {
      const ReportFrame& frame = site.frames[i];
      at = &at->caller(function_name(frame), module_name(frame), seen_in(site, i));
      at->add(site, place_beside_name(frame));
    }
  }
}

}  // namespace

CallNode call_tree(const std::vector<Report>& reports, const StackOptions& options) {
  Growing root;
  root.node.heading = true;
  root.node.name = reports.size() == 1 ? process_name(reports.front())
                                       : std::to_string(reports.size()) + " reports";
  for (const Report& report : reports) {
    for (const ThreadSlice& slice : drawn_slices(report, options)) add(slice, options, root);
  }
  return grown(root);
}

}  // namespace clockshim
