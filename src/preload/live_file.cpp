// The live file of this process: its segment, its header, its name in the folder.
#include "preload/live_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "callsite/call_sites.h"
#include "clock/served_clock.h"
#include "live/describe.h"
#include "os/clocksource.h"
#include "os/dynamic_symbols.h"
#include "os/error_text.h"
#include "os/process.h"
#include "preload/lifecycle.h"
#include "preload/live_file_state.h"

namespace clockshim {
namespace {

using live::Region;

void describe(const ProcessState& state, live::Header& header) {
  live::ProcessFacts process;
  process.pid = static_cast<std::uint32_t>(state.pid);
  process.start_ticks = process_start_ticks();
  if (const char* run = getenv("CLOCKSHIM_RUN_PID"))
    std::from_chars(run, run + std::strlen(run), process.run_pid);
  process.program = state.program;
  process.executable = state.executable;
  process.clocksource = state.clocksource;
  process.mode = state.mode;
  process.mode_reason = state.mode_reason;
  process.notes = state.notes;
  live::describe(header, state.settings, process);
}

void choose_folder(const Settings& settings) {
  if (!settings.dir.empty()) return live::put(g_live_file.folder, settings.dir);
  live::put(g_live_file.folder, "/dev/shm/clockshim-" + std::to_string(geteuid()));
}

bool something_counted() {
  return live::g_region.header.counted.load(std::memory_order_relaxed) != 0;
}

// Copies the counts from before start into memory that is all zero. It copies only pages with
// content, so that the others are not allocated.
void copy_counts(Region& to) {
  const auto* from = reinterpret_cast<const unsigned char*>(&live::g_region);
  static constexpr unsigned char kNothing[live::kPage]{};
  for (std::size_t at = 0; at < live::kSizeWithFewNames; at += live::kPage) {
    if (std::memcmp(from + at, kNothing, live::kPage) != 0)
      std::memcpy(reinterpret_cast<unsigned char*>(&to) + at, from + at, live::kPage);
  }
}

// Changes from g_region, where calls before start were counted, to another region, which is all
// zero.
void use_region(Region& region) {
  if (&region != &live::g_region && something_counted()) copy_counts(region);
  live::g_current = &region;
  g_sites.count_in(region);
}

// Creates the segment of the region, in the place of g_region if that has room for it. Returns 0,
// or the errno.
int replace_region() {
  if (!live::room_for_segments()) return ENOSPC;
  int error = 0;
  const bool in_place = g_live_file.size <= live::kSizeWithFewNames && !something_counted();
  void* const at = in_place ? static_cast<void*>(&live::g_region) : nullptr;
  void* const memory = live::make_segment(g_live_file.size, g_live_file.ipc_namespace, at,
                                          g_live_file.segment, error);
  if (memory == nullptr) return error;
  use_region(*static_cast<Region*>(memory));
  return 0;
}

void go_private() {
  Region* region = live::private_region(g_live_file.size);
  if (region == nullptr) region = live::private_region(g_live_file.size = live::kSizeWithFewNames);
  if (region != &live::g_region) use_region(*region);
  begin_own_region();
}

}  // namespace

CLOCKSHIM_LARGE constinit LiveFileState g_live_file{};

std::string open_live_file(const ProcessState& state) {
  describe(state, g_live_file.header);
  choose_folder(state.settings);
  g_live_file.size = state.settings.profile == Profile::stacks ? sizeof(Region)
                     : any_module_defines("PyGILState_GetThisThreadState")
                         ? live::kSizeWithoutStacks
                         : live::kSizeWithFewNames;
  g_live_file.ipc_namespace = live::own_ipc_namespace();
  g_live_file.header.paths_seen = live::own_paths_seen();
  madvise(&g_hot_state, sizeof g_hot_state,
          MADV_WIPEONFORK);  // kernels older than 4.14 can't: then clones are not noticed
  if (const int error = replace_region(); error != 0) {
    go_private();
    return "no live file: no shared memory: " + error_text(error);
  }
  g_live_file.header.token = g_live_file.segment.token;
  begin_own_region();
  // Otherwise each start would pay for all processes that run. So only one in this many starts
  // looks, by chance.
  if ((g_live_file.header.pid + g_live_file.header.start_ticks) % live::kFilesPerLook == 0)
    live::bound_folder(g_live_file.folder, g_live_file.ipc_namespace);
  unsigned name =
      live::tidy_behind_exec(g_live_file.folder, g_live_file.header, g_live_file.ipc_namespace);
  const live::NamingProblem why =
      live::name_segment(g_live_file.segment, g_live_file.header, g_live_file.folder, name,
                         g_live_file.path, sizeof g_live_file.path);
  g_live_file.next_name.store(name, std::memory_order_relaxed);
  std::memcpy(live::current().header.link, g_live_file.path, sizeof g_live_file.path);
  if (!why) return "";
  live::remove_segment(g_live_file.segment);  // it goes when no process has it any more
  return "no live file: " + std::string(g_live_file.folder) + ": " +
         (why.words != nullptr ? why.words : error_text(why.error));
}

void describe_private_region(const ProcessState& state) {
  describe(state, g_live_file.header);
  madvise(&g_hot_state, sizeof g_hot_state, MADV_WIPEONFORK);
  g_live_file.size = live::kSizeWithFewNames;
  go_private();
}

void mark_ended(std::int64_t now) noexcept {
  live::Header& header = live::current().header;
  header.ended.store(now, std::memory_order_relaxed);
  header.state.store(live::State::ended, std::memory_order_release);
}

bool has_live_file() noexcept { return g_live_file.path[0] != '\0'; }

void remove_live_file() noexcept {
  if (g_live_file.path[0] == '\0') return;
  live::current().header.state.store(live::State::told, std::memory_order_release);
  unlink(g_live_file.path);
  live::remove_attached(g_live_file.segment);
}

}  // namespace clockshim
