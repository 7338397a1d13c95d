// `clockshim doctor`: says why the clock is slow, whether this machine has a problem, and what
// should be done.
#pragma once

#include <string>

namespace clockshim::cli {

inline constexpr int kHealthy = 0;
inline constexpr int kFinding = 1;
inline constexpr int kError = 2;

struct DoctorOptions {
  bool quick = false;
  bool json = false;
  std::string target;  // a command or a pid; "": only the machine
};

// Returns kHealthy; kFinding: the machine is not healthy, or the shim can't be loaded into the
// program; kError.
int doctor(const DoctorOptions& options);

}  // namespace clockshim::cli
