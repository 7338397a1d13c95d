#include "cli/inject/shared_region.h"

#include <sys/shm.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

std::string SharedRegion::make(const live::Header& header, const std::string& folder) {
  int error = ENOSPC;
  void* memory = nullptr;
  if (live::room_for_segments())
    memory = live::make_segment(live::kSizeWithFewNames, live::own_ipc_namespace(), nullptr,
                                segment_, error);
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
  return "";
}

// The library does the same in the process itself: mark_ended().
void SharedRegion::process_has_ended(bool orderly) {
  live::Header& header = region_->header;
  shmid_ds info{};
  if (header.state.load(std::memory_order_relaxed) == live::State::none &&
      shmctl(segment_.id, IPC_STAT, &info) == 0 && info.shm_nattch == 1)
    kept_ = false;
  if (!orderly) return;
  Nanos now;
  real::read(CLOCK_MONOTONIC, now);
  header.ended.store(now.raw(), std::memory_order_relaxed);
  live::State running = live::State::running;
  header.state.compare_exchange_strong(running, live::State::ended, std::memory_order_release);
}

}  // namespace clockshim::cli
