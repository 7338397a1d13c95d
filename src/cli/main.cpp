// The command `clockshim`. Each command is a folder, and registers itself.
#include <sys/mman.h>
#include <sys/resource.h>

#include "arch/call_on_stack.h"
#include "cli/attach/cmd_attach.h"
#include "cli/bench/cmd_bench.h"
#include "cli/console/command_line.h"
#include "cli/doctor/cmd_doctor.h"
#include "cli/livefiles/cmd_gc.h"
#include "cli/livefiles/cmd_list.h"
#include "cli/report/cmd_diff.h"
#include "cli/report/cmd_report.h"
#include "cli/run/cmd_run.h"
#include "cli/top/cmd_top.h"
#include "os/write.h"

namespace {

struct Call {
  int argc;
  char** argv;
  int status;
};

void run(void* call) {
  using namespace clockshim::cli;
  CommandLine line(
      "Makes the clock cheap for programs on machines where reading it is slow, and counts which "
      "code reads it.");
  add_run_command(line);
  add_attach_command(line);
  add_detach_command(line);
  add_doctor_command(line);
  add_bench_command(line);
  add_report_command(line);
  add_top_command(line);
  add_list_command(line);
  add_gc_command(line);
  add_diff_command(line);
  auto& [argc, argv, status] = *static_cast<Call*>(call);
  status = line.run(argc, argv);
}

// A program that is to be run under a small limit may have that; we need some 100 KB, most of it
// for lines and names of callers (elfutils).
void run_on_stack_of_our_own(Call& call) {
  constexpr std::size_t kStack = 8U << 20;
  void* const stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return run(&call);
  clockshim::call_on_stack(static_cast<char*>(stack) + kStack, &run, &call);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr rlim_t kEnough = 1U << 20;
  clockshim::remember_stderr();
  Call call{argc, argv, 0};
  rlimit limit{};
  if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < kEnough) {
    run_on_stack_of_our_own(call);
  } else {
    run(&call);
  }
  return call.status;
}
