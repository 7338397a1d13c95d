#include "cli/livefiles/thread_names.h"

#include <algorithm>

#include "cli/livefiles/live_process.h"
#include "os/process.h"
#include "report/text.h"

namespace clockshim::cli {

void name_threads(const LiveFile& file, Report& report) {
  if (file.life() != Liveness::running) return;
  const std::vector<Task> tasks =
      tasks_of(file.pid(), file.header().pid_namespace == pid_namespace());
  std::vector<ReportThread> named = report.threads;
  for (ReportThread& thread : named) {
    const auto same = std::find_if(tasks.begin(), tasks.end(),
                                   [&](const Task& task) { return task.inner == thread.tid; });
    if (thread.tid == 0 || thread.ended || same == tasks.end()) continue;
    thread.tid = static_cast<std::uint32_t>(same->tid);
    thread.name = printable(task_name(file.pid(), same->tid));
  }
  // By now the pid may belong to another process, which all of this would be about.
  if (file.life_now() == Liveness::running) report.threads = std::move(named);
}

}  // namespace clockshim::cli
