// `clockshim doctor`: why is the clock slow, is this machine sick, what should be done.
#pragma once

#include <string>

namespace clockshim::cli {

inline constexpr int kHealthy = 0;
inline constexpr int kFinding = 1;
inline constexpr int kError = 2;

struct DoctorOptions {
  bool quick = false;
  bool json = false;
  std::string target;  // a command or a process id; "": the machine alone
};

// kHealthy; kFinding: the machine is not healthy, or the shim will not take in the program; kError.
int doctor(const DoctorOptions& options);

}  // namespace clockshim::cli
