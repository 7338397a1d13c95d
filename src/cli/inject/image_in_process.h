// The image in the memory of a process: where it is, how it gets there, and how the vDSO's
// functions come to lead to it and no longer do.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/inject/dynamic_image.h"
#include "cli/inject/vdso.h"
#include "image/contract.h"
#include "live/segment.h"

namespace clockshim::cli {

class PreparedImage;
class Tracee;

// What stands at the beginning of the vDSO's functions.
enum class Entries { original, ours, strange };

// An image that a process has, of whatever build.
struct FoundImage {
  Entries entries = Entries::original;
  std::uint64_t base = 0;    // 0: it has none
  bool ours = false;         // it is of this build, so its settings can be read
  std::uint64_t counts = 0;  // if it is ours: the address of what it counts in
  bool shared = false;       // that is a segment,
  live::Segment segment{};   // which has a name
};
FoundImage find_image(pid_t pid, const Vdso& vdso);

class ImageInProcess {
 public:
  explicit ImageInProcess(const Vdso& vdso);

  // The memory that the image takes, in bytes.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Maps it and the memory to count in, fills in the settings, and has the process start it, once it
  // stands still. `before` is an image that is there already. It goes on as it is if it is to serve
  // in the same way; else, if it is `unused` (no thread is in it), it begins anew; else another one
  // gets a place beside it. Returns "", or why not: then the process is as it was.
  std::string put_into(Tracee& process, PreparedImage& prepared, const FoundImage& before,
                       bool unused);
  // The vDSO's functions lead to it from here on. False: they can't be changed.
  bool connect(const Tracee& process) const;
  // And from here on they don't. It stays, as there may be threads in it.
  static bool disconnect(const Tracee& process, const Vdso& vdso);
  // Nobody counts in its memory any more.
  static void end_counting(const Tracee& process, const FoundImage& found);

 private:
  enum class How { beside, anew, as_it_is };
  static How how(const Tracee& process, const PreparedImage& prepared, const FoundImage& before,
                 bool unused);
  std::string write(Tracee& process, const ImageSettings& settings, bool anew) const;
  void move_originals(std::vector<std::byte>& memory) const;

  const Vdso& vdso_;
  DynamicImage image_;
  std::uint64_t size_;
  std::uint64_t base_ = 0;
};

}  // namespace clockshim::cli
