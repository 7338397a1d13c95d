// What is drawn of a report: all of it, or with --threads the part of each thread. For the
// command's formats.
#pragma once

#include <string>
#include <vector>

#include "report/frames.h"
#include "report/report.h"

namespace clockshim {

struct ThreadSlice {
  std::string thread{};  // thread_name(); "": of all threads
  std::string id{};      // thread_id()
  std::uint64_t calls = 0;
  std::vector<ReportSite> sites{};  // most calls first. Sampled stacks, where there are any and
                                    // they may be drawn; they know no threads
};

// All parts together have each call once. Calls that no thread is told for are a part of their own.
std::vector<ThreadSlice> drawn_slices(const Report& report, const StackOptions& options);

// Whether what is drawn are sampled stacks.
bool draws_samples(const Report& report, const StackOptions& options);

}  // namespace clockshim
