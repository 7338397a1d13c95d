// What a process is to be served by, made before it is touched: the image's settings, the memory to
// count in, and the words for its report.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "cli/inject/shared_region.h"
#include "image/contract.h"
#include "os/descriptor.h"
#include "os/settings.h"

namespace clockshim::cli {

class PreparedImage {
 public:
  // For a process that may be another user's, or in a container: its memory is made where the
  // process can attach it, and its live file where the library would make it. `run_pid` is as
  // live::Header has it; `before` is the segment that the process has counted in before, at address
  // `before_at`, if any: then it goes on in that, if it is still to be had. Returns "", or why it
  // is to be left alone.
  std::string prepare(pid_t pid, const Settings& settings, std::uint32_t run_pid,
                      const live::Segment& before = {}, std::uint64_t before_at = 0);

  // The mode that it starts in, and why.
  [[nodiscard]] const std::string& mode() const { return mode_; }
  [[nodiscard]] const std::string& mode_reason() const { return mode_reason_; }
  // Why its counts can't be told; "": they can, or it is not to count.
  [[nodiscard]] const std::string& uncounted() const { return uncounted_; }

  [[nodiscard]] ImageSettings& settings() { return *image_; }
  [[nodiscard]] const ImageSettings& settings() const { return *image_; }
  // The id of the segment that it counts in; negative: in memory of its own, or not at all.
  [[nodiscard]] int region_id() const { return region_id_; }
  // That is the segment of before, which the process has attached already, at this address.
  [[nodiscard]] bool goes_on() const { return goes_on_; }
  [[nodiscard]] std::uint64_t goes_on_at() const { return goes_on_at_; }
  // From here on the process counts there. Null: there is no segment, or it is elsewhere.
  std::unique_ptr<SharedRegion> keep_region();

 private:
  void plan(const Settings& settings);
  std::string describe(pid_t pid, const Settings& settings, std::uint32_t run_pid);
  void make_region(pid_t pid, const Settings& settings, const live::Segment& before);
  void make_here(const Settings& settings, const live::Segment& before,
                 std::uint64_t ipc_namespace);
  // In a process of its own, which is in the other's namespaces: whoever is there sees no more of
  // /proc, and no more of our files, than the other does.
  void make_elsewhere(pid_t pid, const Settings& settings, const live::Segment& before,
                      std::uint64_t ipc_namespace);

  std::unique_ptr<ImageSettings> image_ = std::make_unique<ImageSettings>();
  std::unique_ptr<live::Header> header_ = std::make_unique<live::Header>();
  std::unique_ptr<SharedRegion> region_;
  std::string clocksource_;
  std::string mode_ = "passthrough";
  std::string mode_reason_;
  std::string uncounted_;
  gid_t owner_group_ = 0;  // as header_'s uid
  int region_id_ = -1;
  Descriptor elsewhere_;  // to the process that has made it elsewhere, which goes with this
  bool goes_on_ = false;
  std::uint64_t goes_on_at_ = 0;
};

}  // namespace clockshim::cli
