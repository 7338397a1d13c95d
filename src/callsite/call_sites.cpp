#include "callsite/call_sites.h"

#include "callsite/retire_unloaded.h"
#include "callsite/thread_counts.h"
#include "live/region.h"

namespace clockshim {

CLOCKSHIM_LARGE static constinit KeyFilter g_known;
constinit CallSites g_sites{live::g_region, g_known};

void CallSites::count_in(live::Region& region) noexcept {
  counts_.move_to(region);
  sites_.move_to(region);
  ThreadCounts::move_to(region);
}

void CallSites::begin_in_child(live::Region& region, std::uint32_t tid, bool share) noexcept {
  counts_.begin_in_child(region, share);
  sites_.begin_in_child(region, share);
  python_.begin_in_child(share);
  ThreadCounts::begin_in_child(tid, share);
}

void CallSites::retire_unloaded(bool locked) noexcept {
  clockshim::retire_unloaded(sites_, counts_, locked);
}

}  // namespace clockshim
