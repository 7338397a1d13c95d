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
  std::uint64_t base = 0;
  bool ours = false;              // it is of this build, so its settings can be read
  std::uint64_t counts = 0;       // if it is ours: the address of what it counts in
  bool shared = false;            // that is a segment,
  live::Segment segment{};        // which has a name
  std::uint64_t start_ticks = 0;  // and was made for this process (live::Header has it)
};
struct FoundImages {
  Entries entries = Entries::original;
  std::vector<FoundImage> all{};
  // The one that the vDSO's functions lead to, or null.
  const FoundImage* connected = nullptr;
  FoundImages() = default;
  FoundImages(FoundImages&&) = delete;
};
void find_images(pid_t pid, const Vdso& vdso, FoundImages& out);

class ImageInProcess {
 public:
  explicit ImageInProcess(const Vdso& vdso);

  // The memory that the image takes, in bytes.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Maps it and the memory to count in, fills in the settings, and has the process start it, once
  // it stands still. Of the images that are there already, one goes on as it is if it serves in the
  // same way; none is changed, because nobody knows whether a thread is in it. `rooms` is as
  // room_near() has it. Returns "", or why not: then the process is as it was.
  std::string put_into(Tracee& process, PreparedImage& prepared, const FoundImages& before,
                       const std::vector<std::uint64_t>& rooms);
  // Where a thread that stands at `pc` is to go on, because connect() will change what stands
  // there: at `pc`, if it does not; 0: that can't be told. After put_into().
  [[nodiscard]] std::uint64_t moved_place(std::uint64_t pc) const;
  // The vDSO's functions lead to it from here on. False: they can't be changed.
  bool connect(const Tracee& process) const;
  // And from here on they don't. It stays, as there may be threads in it.
  static bool disconnect(const Tracee& process, const Vdso& vdso);
  // Nobody counts in its memory any more.
  static void end_counting(const Tracee& process, const FoundImage& found);

 private:
  std::string write(Tracee& process, const ImageSettings& settings) const;
  void move_originals(std::vector<std::byte>& memory) const;

  const Vdso& vdso_;
  DynamicImage image_;
  std::uint64_t size_;
  std::uint64_t base_ = 0;
  bool little_stacks_ = false;  // some of its callers may have little stack
};

}  // namespace clockshim::cli
