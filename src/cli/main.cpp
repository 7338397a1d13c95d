// The command `clockshim`. Each command is a folder, and registers itself.
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

int main(int argc, char** argv) {
  using namespace clockshim::cli;
  clockshim::remember_stderr();
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
  return line.run(argc, argv);
}
