#include "cli/inject/shared_region.h"

#include <fcntl.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "live/folder.h"
#include "live/region.h"
#include "os/error_text.h"
#include "os/real_clock.h"

namespace clockshim::cli {

SharedRegion::~SharedRegion() {
  if (region_ == nullptr) return;
  if (!kept_) {
    live::remove_segment(segment_);
    if (path_[0] != '\0') unlink(path_);
  }
  live::detach_segment(region_);
}

std::string SharedRegion::make(const live::Header& header, const std::string& folder,
                               std::uint64_t ipc_namespace) {
  int error = ENOSPC;
  void* memory = nullptr;
  if (live::room_for_segments())
    memory = live::make_segment(live::kSizeWithFewNames, ipc_namespace, nullptr, segment_, error);
  if (memory == nullptr) return "no shared memory: " + error_text(error);
  region_ = static_cast<live::Region*>(memory);
  live::Header own{};
  std::memcpy(static_cast<void*>(&own), static_cast<const void*>(&header), sizeof own);
  own.token = segment_.token;
  own.paths_seen = live::own_paths_seen();
  live::begin_region(*region_, own, live::kSizeWithFewNames);
  region_->header.token = segment_.token;
  unsigned name = 0;
  const live::NamingProblem why =
      live::name_segment(segment_, own, folder.c_str(), name, path_, sizeof path_);
  if (why) return folder + ": " + (why.words != nullptr ? why.words : error_text(why.error));
  std::memcpy(region_->header.link, path_, sizeof path_);
  live::bound_folder(folder.c_str(), ipc_namespace);
  return "";
}

bool SharedRegion::adopt(const live::Segment& segment, const live::Header& header) {
  void* const memory = live::attach_segment(segment, true);
  if (memory == nullptr) return false;
  live::Header& known = static_cast<live::Region*>(memory)->header;
  live::Segment named;
  const bool ours = std::memcmp(known.magic, live::kMagic, sizeof known.magic) == 0 &&
                    known.version == live::kVersion && known.token == segment.token &&
                    known.pid == header.pid && known.start_ticks == header.start_ticks &&
                    std::memchr(known.link, '\0', sizeof known.link) != nullptr &&
                    live::read_link(AT_FDCWD, known.link, named) && named.token == known.token;
  if (!ours) {
    live::detach_segment(memory);
    return false;
  }
  region_ = static_cast<live::Region*>(memory);
  segment_ = segment;
  kept_ = true;
  known.tolerance = header.tolerance;
  std::memcpy(known.clockshim_version, header.clockshim_version, sizeof known.clockshim_version);
  std::memcpy(known.clocksource, header.clocksource, sizeof known.clocksource);
  std::memcpy(known.mode, header.mode, sizeof known.mode);
  std::memcpy(known.mode_reason, header.mode_reason, sizeof known.mode_reason);
  region_->clock.last_change.store(live::ModeChange::none, std::memory_order_relaxed);
  known.ended.store(0, std::memory_order_relaxed);
  const bool counted = known.counted.load(std::memory_order_relaxed) != 0;
  known.state.store(counted ? live::State::running : live::State::none, std::memory_order_release);
  return true;
}

void SharedRegion::process_has_ended(bool orderly) {
  live::Header& header = region_->header;
  shmid_ds info{};
  if (header.state.load(std::memory_order_relaxed) == live::State::none &&
      shmctl(segment_.id, IPC_STAT, &info) == 0 && info.shm_nattch == 1)
    kept_ = false;
  if (orderly) end(header);
}

// The library does the same in the process itself: mark_ended().
void SharedRegion::end(live::Header& header) {
  Nanos now;
  real::read(CLOCK_MONOTONIC, now);
  header.ended.store(now.raw(), std::memory_order_relaxed);
  live::State running = live::State::running;
  header.state.compare_exchange_strong(running, live::State::ended, std::memory_order_release);
}

}  // namespace clockshim::cli
