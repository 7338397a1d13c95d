// The sites of a report that a format draws: all of them or, with --threads, those of each thread.
// For the command's formats.
#pragma once

#include <string>
#include <vector>

#include "report/frames.h"
#include "report/report.h"

namespace clockshim {

struct ThreadSlice {
  std::string thread{};  // thread_name(); "": all threads
  std::string id{};      // thread_id()
  std::uint64_t calls = 0;
  std::vector<ReportSite> sites{};  // busiest first. They are split by sampled stacks if there are
                                    // any and the options allow them; those have no threads
};

// Each call is in exactly one slice. Calls whose thread is unknown have a slice of their own.
std::vector<ThreadSlice> drawn_slices(const Report& report, const StackOptions& options);

// Whether sampled stacks are drawn.
bool draws_samples(const Report& report, const StackOptions& options);

}  // namespace clockshim
