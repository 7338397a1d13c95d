// The memory in which a process counts that has the image: a segment with a name, as the library
// makes one for itself (preload/live_file.h).
#pragma once

#include <string>

#include "live/layout.h"
#include "live/segment.h"

namespace clockshim::cli {

class SharedRegion {
 public:
  SharedRegion() = default;
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  // Makes it, with a name in `folder`, in this IPC namespace, which must be ours. Returns "", or
  // why there is none.
  std::string make(const live::Header& header, const std::string& folder,
                   std::uint64_t ipc_namespace);
  // Takes one that a process has counted in before, and says in it how that is served now. False:
  // it has no name any more, or is not this process's.
  bool adopt(const live::Segment& segment, const live::Header& header);

  // From here on another process counts in it.
  void keep() { kept_ = true; }
  // That process has ended. If nobody has counted, and nobody is left who could, it goes with this
  // object. Else it stays to be read; `orderly` says that no signal has killed the process.
  void process_has_ended(bool orderly);
  // Nobody counts in it any more, but somebody may again.
  static void end(live::Header& header);

  [[nodiscard]] int id() const { return segment_.id; }

 private:
  live::Segment segment_;
  live::Region* region_ = nullptr;
  char path_[live::kLongestPath]{};
  bool kept_ = false;
};

}  // namespace clockshim::cli
