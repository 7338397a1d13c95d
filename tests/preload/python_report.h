// What a report says of Python functions.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "run_host.h"

namespace clockshim::test {

// "NAME|FILE:LINE", each function.
using Counts = std::map<std::string, long>;

inline const Json& counted_frame(const Json& site) {
  return site.at("frames").at(site.at("exact_frames").get<std::size_t>() - 1);
}

inline bool of_python(const Json& frame) {
  return frame.at("module").is_null() && frame.at("file").is_string();
}

inline std::string function_of(const Json& frame) {
  return frame.at("symbol").get<std::string>() + "|" + frame.at("file").get<std::string>() + ":" +
         frame.at("line").dump();
}

inline const Json& only_report(const HostRun& run) {
  EXPECT_EQ(run.reports.size(), 1U);
  return run.reports.begin()->second;
}

}  // namespace clockshim::test
