// Calls by caller: function, module and clock. Two looks or two runs can be compared by these,
// while addresses differ between builds, and sites come and go.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "report/report.h"

namespace clockshim {

struct Caller {
  std::string module;    // the file name without its folder; "" for generated code, "python" for
                         // Python functions
  std::string name;      // the function; "module+0x1234" if unknown; for Python, with its file
  std::string clock;     // the clock that was read
  std::string function;  // the exported function: clock_gettime ...
  auto operator<=>(const Caller&) const = default;
};

using Calls = std::map<Caller, std::uint64_t>;

// The report must have names.
Caller caller_key(const ReportSite& site);
Calls calls_by_caller(const Report& report);

}  // namespace clockshim
