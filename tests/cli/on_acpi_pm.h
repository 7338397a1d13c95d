// Runs `clockshim` where the kernel seems to use acpi_pm, and where nothing of this boot is saved.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "run_command.h"

namespace clockshim::test {

// From here on, for this thread and what it starts.
inline bool pretend_acpi_pm(const std::string& file) {
  constexpr const char* kWhere = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount(file.c_str(), kWhere, nullptr, MS_BIND, nullptr) == 0 &&
         mount("none", "/run", "tmpfs", 0, "mode=0755") == 0;
}

// Does this on such a machine. False where that can't be made.
template <class What>
bool there(What&& what) {
  const TempDir folder;
  const std::string clocksource = folder.file("clocksource", "acpi_pm\n", kPlain);
  bool done = false;
  std::thread elsewhere([&] {
    if (!pretend_acpi_pm(clocksource)) return;
    what();
    done = true;
  });
  elsewhere.join();
  return done;
}

// `clockshim` as it ends there.
inline std::optional<Ending> on_acpi_pm(const std::vector<std::string>& arguments,
                                        const std::vector<std::string>& environment = {}) {
  std::optional<Ending> ending;
  there([&] { ending = run_clockshim(arguments, environment); });
  return ending;
}

}  // namespace clockshim::test
