// Calls by caller: the function that asked, in which module, for which clock. What two looks or two
// runs can be compared by, since addresses differ between builds and sites come and go.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "report/report.h"

namespace clockshim {

struct Caller {
  std::string module;  // file name, without its folder; "" for generated code, "python" for
                       // functions of its
  std::string name;    // the function; without a symbol, "module+0x1234"; of Python, with its file
  std::string clock;   // as asked for
  std::string function;  // as called: clock_gettime ...
  auto operator<=>(const Caller&) const = default;
};

using Calls = std::map<Caller, std::uint64_t>;

// Of a report that has names.
Caller caller_key(const ReportSite& site);
Calls calls_by_caller(const Report& report);

}  // namespace clockshim
