// Which names of a symbol table are those of functions that ask for the time on somebody's behalf.
#include "base/wrapper_names.h"

#include <gtest/gtest.h>

namespace clockshim {
namespace {

TEST(Wrappers, OfLibrariesThatMayBeLinkedStatically) {
  for (const char* name :
       {"_ZNSt6chrono3_V212steady_clock3nowEv", "_ZNSt3__16chrono12system_clock3nowEv",
        "uv__hrtime", "PR_Now", "ev_time", "_PyTime_GetMonotonicClock", "py_get_system_clock"}) {
    EXPECT_TRUE(is_wrapper_name(name)) << name;
  }
}

// As rustc 1.95 mangles by default (v0), as it did before (legacy), and wherever under std::sys the
// type stands.
TEST(Wrappers, OfRust) {
  for (const char* name : {"_RNvMNtCsjrHSEGnQ3l9_3std4timeNtB2_7Instant3now",
                           "_RNvMNtCsjrHSEGnQ3l9_3std4timeNtB2_7Instant7elapsed",
                           "_RNvMs5_NtCsjrHSEGnQ3l9_3std4timeNtB5_10SystemTime3now",
                           "_RNvMNtNtNtNtCsjrHSEGnQ3l9_3std3sys3pal4unix4timeNtB2_8Timespec3now",
                           "_ZN3std4time7Instant3now17h0123456789abcdefE",
                           "_ZN3std4time10SystemTime7elapsed17h0123456789abcdefE",
                           "_ZN3std3sys4unix4time5inner8Timespec3now17h0123456789abcdefE",
                           "_ZN3std3sys4time4unix8Timespec3now17h0123456789abcdefE"}) {
    EXPECT_TRUE(is_wrapper_name(name)) << name;
  }
}

TEST(Wrappers, AreNotTheRest) {
  for (const char* name :
       {"", "a", "main", "_ZNSt6chrono", "_ZNSt6chrono3_V212steady_clock3nowEvX",
        "_ZN3std4time7Instant13duration_since17h0123456789abcdefE", "_ZN3std4time7Instant3now",
        "_ZN3app4time7Instant3now17h0123456789abcdefE", "_RNvMNtCs1_3app4timeNtB2_7Instant3now",
        "_RNvNtCs1_3std4time3now", "clock_gettime", "uv_now", "PR_NowPR_Now", "_ZN3std"}) {
    EXPECT_FALSE(is_wrapper_name(name)) << name;
  }
}

}  // namespace
}  // namespace clockshim
