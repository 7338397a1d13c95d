// Names by elfutils, on this very program: its functions, its lines, what was inlined, and whose
// file is believed.
#include "symbolize/symbolize.h"

#include <gtest/gtest.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pthread.h>
#include <time.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "../support/temp_dir.h"
#include "base/nanos.h"
#include "os/process.h"
#include "reports.h"

namespace clockshim {
namespace {

using test::frame;
using test::site;

// The compiler must not know where it returns to, nor drop the call.
[[gnu::noinline]] std::uintptr_t return_address() {
  const auto address = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  asm volatile("" ::: "memory");
  return address;
}
constexpr std::uint32_t kInlinedLine = __LINE__ + 2;
[[gnu::always_inline]] inline std::uintptr_t inlined_asker() {
  const std::uintptr_t address = return_address();
  asm volatile("" ::: "memory");
  return address;
}
constexpr std::uint32_t kAroundLine = __LINE__ + 2;
[[gnu::noinline]] std::uintptr_t asks_by_an_inlined_function() {
  const std::uintptr_t address = inlined_asker();
  asm volatile("" ::: "memory");
  return address;
}

template <std::size_t N>
struct Caller {
  [[gnu::noinline]] static std::uintptr_t asks() {
    const std::uintptr_t address = inlined_asker();
    asm volatile("" ::"i"(N) : "memory");
    return address;
  }
};
template <std::size_t... N>
std::vector<std::uintptr_t> all_ask(std::index_sequence<N...> /*numbers*/) {
  return {Caller<N>::asks()...};
}

// Only this file can see them, so the debug information has no linkage names of theirs.
[[gnu::always_inline]] inline std::uintptr_t hidden_asker() {
  const std::uintptr_t address = return_address();
  asm volatile("" ::: "memory");
  return address;
}
struct Hidden {
  [[gnu::always_inline]] std::uintptr_t member() const { return hidden_asker() + offset; }
  // NOLINTNEXTLINE(readability-convert-member-functions-to-static)
  [[gnu::noinline]] std::uintptr_t with_a_lambda() const;
  std::uintptr_t offset = 0;
};
std::uintptr_t Hidden::with_a_lambda() const {
  const auto lambda = [this]() __attribute__((always_inline)) { return hidden_asker() + offset; };
  const std::uintptr_t address = lambda();
  asm volatile("" ::: "memory");
  return address;
}
[[gnu::noinline]] std::uintptr_t asks_by_a_member() {
  const Hidden hidden;
  const std::uintptr_t address = hidden.member();
  asm volatile("" ::: "memory");
  return address;
}

// Never called: their code is read.
[[gnu::noinline, gnu::used]] int waits_by_realtime(pthread_cond_t* condition,
                                                   pthread_mutex_t* mutex) {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  ++until.tv_sec;
  return pthread_cond_timedwait(condition, mutex, &until) + 1;
}
[[gnu::noinline, gnu::used]] int waits_for_ever(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return pthread_cond_wait(condition, mutex) + static_cast<int>(now.tv_sec);
}

std::uint64_t own_bias() {
  std::uint64_t bias = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t /*size*/, void* out) {
        *static_cast<std::uint64_t*>(out) = info->dlpi_addr;  // the program comes first
        return 1;
      },
      &bias);
  return bias;
}

std::string own_build_id() { return DebugInfo::open(executable_path())->build_id(); }

Report report_of(const std::string& path, const std::string& build_id) {
  Report r = test::small_report(getpid());
  ReportFrame asked = frame("", path, asks_by_an_inlined_function() - own_bias());
  asked.build_id = build_id;
  r.sites = {site(10, "realtime", {asked, frame("known", "", 1)})};
  return r;
}

TEST(Symbolize, FunctionsLinesAndInlinedFunctions) {
  Report r = report_of(executable_path(), own_build_id());
  Symbolizer().name(r, geteuid());
  ASSERT_EQ(r.sites[0].frames.size(), 3U);
  EXPECT_EQ(r.sites[0].exact_frames, 2U) << "what was inlined is exact as well";
  const ReportFrame& inlined = r.sites[0].frames[0];
  const ReportFrame& around = r.sites[0].frames[1];
  EXPECT_TRUE(inlined.inlined);
  EXPECT_NE(inlined.symbol.find("inlined_asker"), std::string::npos) << inlined.symbol;
  EXPECT_EQ(inlined.line, kInlinedLine);
  EXPECT_NE(inlined.file.find("symbolize_test.cpp"), std::string::npos);
  EXPECT_FALSE(around.inlined);
  EXPECT_NE(around.symbol.find("asks_by_an_inlined_function()"), std::string::npos)
      << around.symbol;
  EXPECT_EQ(around.line, kAroundLine);
  EXPECT_EQ(around.offset, inlined.offset);
  EXPECT_GT(around.symbol_offset, 0U);
  EXPECT_EQ(r.sites[0].frames[2].symbol, "known");
  EXPECT_TRUE(r.notes.empty());
}

double cpu_seconds_of_naming(Report& r) {
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  Symbolizer().name(r, getuid());
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  return static_cast<double>((from_timespec(after) - from_timespec(before)).raw()) / 1e9;
}

// A program with a thousand callers took twenty seconds, because its largest unit was searched from
// its start for each of them.
TEST(Symbolize, ManyCallersInALargeUnit) {
  constexpr std::size_t kCallers = 200;
  const std::string path = executable_path();
  const std::string build_id = own_build_id();
  Report r = report_of(path, build_id);
  const double one = cpu_seconds_of_naming(r);
  r.sites.clear();
  for (const std::uintptr_t address : all_ask(std::make_index_sequence<kCallers>())) {
    ReportFrame asked = frame("", path, address - own_bias());
    asked.build_id = build_id;
    r.sites.push_back(site(10, "realtime", {asked}));
  }
  const double all = cpu_seconds_of_naming(r);
  EXPECT_LT(all, 20 * one) << "for " << kCallers << " callers";
  for (std::size_t i = 0; i < kCallers; ++i) {
    const std::vector<ReportFrame>& frames = r.sites[i].frames;
    ASSERT_EQ(frames.size(), 2U) << i;
    EXPECT_TRUE(frames[0].inlined);
    EXPECT_EQ(frames[0].symbol, "clockshim::(anonymous namespace)::inlined_asker");
    EXPECT_EQ(frames[1].symbol,
              "clockshim::(anonymous namespace)::Caller<" + std::to_string(i) + "ul>::asks()");
  }
}

TEST(Symbolize, ScopesOfInlinedFunctionsThatOnlyTheirFileCanSee) {
  const auto names_of = [](std::uintptr_t address) {
    Report r = test::small_report(getpid());
    ReportFrame asked = frame("", executable_path(), address - own_bias());
    asked.build_id = own_build_id();
    r.sites = {site(10, "realtime", {asked})};
    Symbolizer().name(r, geteuid());
    std::vector<std::string> names;
    for (const ReportFrame& each : r.sites[0].frames) names.push_back(each.symbol);
    return names;
  };
  const std::string here = "clockshim::(anonymous namespace)::";
  const std::vector<std::string> member = names_of(asks_by_a_member());
  ASSERT_EQ(member.size(), 3U);
  EXPECT_TRUE(member[0].starts_with(here + "hidden_asker")) << member[0];
  EXPECT_TRUE(member[1].starts_with(here + "Hidden::member")) << member[1];
  const std::vector<std::string> lambda = names_of(Hidden().with_a_lambda());
  ASSERT_EQ(lambda.size(), 3U);
  EXPECT_TRUE(lambda[1].starts_with(here + "Hidden::with_a_lambda()")) << lambda[1];
  EXPECT_NE(lambda[1].find("::operator()"), std::string::npos) << lambda[1];
  EXPECT_NE(lambda[1].find("lambda", lambda[1].find("with_a_lambda()") + 15), std::string::npos)
      << lambda[1];
}

TEST(Symbolize, TwiceIsOnce) {
  Report r = report_of(executable_path(), own_build_id());
  Symbolizer symbolizer;
  symbolizer.name(r, geteuid());
  const std::string once = render_json(r);
  symbolizer.name(r, geteuid());
  EXPECT_EQ(render_json(r), once) << "a report that the command wrote is read again";
}

TEST(Symbolize, AFunctionThatAsksAndWaits) {
  const auto wait_of = [](int (*function)(pthread_cond_t*, pthread_mutex_t*), const char* clock) {
    Report r = test::small_report(getpid());
    ReportFrame asked =
        frame("", executable_path(), reinterpret_cast<std::uintptr_t>(function) - own_bias() + 8);
    asked.build_id = own_build_id();
    r.sites = {site(10, clock, {asked})};
    Symbolizer().name(r, geteuid());
    return r.sites[0].timed_wait;
  };
  EXPECT_EQ(wait_of(waits_by_realtime, "realtime"), "pthread_cond_timedwait");
  EXPECT_EQ(wait_of(waits_by_realtime, "monotonic"), "");
  EXPECT_EQ(wait_of(waits_for_ever, "realtime"), "");
  ReportSite unknown =
      site(10, "realtime", {frame("", executable_path(), 1)});  // the file's header
  unknown.frames[0].build_id = own_build_id();
  Report r = test::small_report(getpid());
  r.sites = {unknown};
  Symbolizer().name(r, geteuid());
  EXPECT_EQ(r.sites[0].caller_function_start, 0U);
}

// A store of debug files as a debuginfod serves it; its client takes file: addresses as well.
TEST(Symbolize, AStrippedProgramIsNamedFromDebuginfod) {
  const test::TempDir dir;
  const std::string stripped = dir.path("stripped");
  const std::filesystem::path served = dir.path() / "buildid" / own_build_id();
  std::filesystem::create_directories(served);
  ASSERT_EQ(std::system(("strip -o " + stripped + " " + executable_path()).c_str()), 0);
  std::filesystem::copy_file(executable_path(), served / "debuginfo");
  Report unnamed = report_of(stripped, own_build_id());
  Symbolizer().name(unnamed, geteuid());
  EXPECT_EQ(unnamed.sites[0].frames[0].symbol, "");

  setenv("DEBUGINFOD_CACHE_PATH", dir.path("cache").c_str(), 1);
  setenv("DEBUGINFOD_URLS", ("file://" + dir.path().string()).c_str(), 1);
  Report named = report_of(stripped, own_build_id());
  Symbolizer().name(named, geteuid());
  unsetenv("DEBUGINFOD_URLS");
  ASSERT_EQ(named.sites[0].frames.size(), 3U);
  EXPECT_NE(named.sites[0].frames[0].symbol.find("inlined_asker"), std::string::npos);
  EXPECT_EQ(named.sites[0].frames[1].line, kAroundLine);
}

TEST(Symbolize, AnotherBuildAtThePathIsNotUsed) {
  Report r = report_of(executable_path(), "00112233445566778899aabbccddeeff00112233");
  r.sites[0].frames[0].symbol = "as told";
  Symbolizer().name(r, geteuid());
  ASSERT_EQ(r.sites[0].frames.size(), 2U);
  EXPECT_EQ(r.sites[0].frames[0].symbol, "as told");
  EXPECT_EQ(r.sites[0].frames[0].file, "");
  ASSERT_EQ(r.notes.size(), 1U);
  EXPECT_EQ(r.notes[0].find(executable_path() + " is not the file that ran (build-id 001122334455"),
            0U)
      << r.notes[0];
}

TEST(Symbolize, AFileThatIsNotThereIsSaidOnce) {
  Report r = report_of("/nonexistent/lib.so", "abcdef0123");
  r.stacks = r.sites;
  Symbolizer().name(r, geteuid());
  ASSERT_EQ(r.notes.size(), 1U);
  EXPECT_EQ(r.notes[0].find("/nonexistent/lib.so: no file is there (build-id abcdef0123)"), 0U)
      << r.notes[0];
}

TEST(Symbolize, WithoutABuildIdOnlyAFileOlderThanTheProcess) {
  Report r = report_of(executable_path(), "");
  Symbolizer().name(r, geteuid());
  EXPECT_EQ(r.sites[0].frames.size(), 2U);
  EXPECT_EQ(r.notes.size(), 1U);
  struct stat info {};
  ASSERT_EQ(stat(executable_path().c_str(), &info), 0);
  r = report_of(executable_path(), "");
  r.started_at = static_cast<double>(info.st_ctim.tv_sec) + 10;
  Symbolizer().name(r, geteuid());
  EXPECT_EQ(r.sites[0].frames.size(), 3U);
  r = report_of(executable_path(), "");
  r.started_at = static_cast<double>(info.st_ctim.tv_sec) - 10;
  Symbolizer().name(r, geteuid());
  EXPECT_EQ(r.sites[0].frames.size(), 2U);
}

TEST(Symbolize, HostileModulesDoNoHarm) {
  for (const char* path :
       {"/etc/passwd", "/dev/zero", "/proc/self/mem", "/", "", "../../x", "/proc/self/exe"}) {
    Report r = report_of(path, "../../../../etc/passwd");
    Symbolizer().name(r, geteuid());
    EXPECT_EQ(r.sites[0].frames.size(), 2U) << path;
  }
  Report r = report_of(executable_path(), own_build_id());
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX, UINT64_MAX / 2}) {
    r.sites[0].frames[0].offset = offset;
    Symbolizer().name(r, geteuid());
  }
}

TEST(Symbolize, GeneratedCodeIsNamedByThePerfMap) {
  char name[] = "/tmp/clockshim-test-XXXXXX";
  const std::string root = mkdtemp(name);
  std::filesystem::create_directories(root + "/tmp");
  std::ofstream(root + "/tmp/perf-" + std::to_string(getpid()) + ".map") << "7000 100 Clock.tick\n";
  Report r = test::small_report(getpid());
  r.sites = {
      site(1, "realtime", {frame("", "", 0x7011), frame("", "", 0x7101), frame("", "", 0x9000)})};
  Symbolizer(root).name(r, geteuid());
  EXPECT_EQ(r.sites[0].frames[0].symbol, "Clock.tick");
  EXPECT_EQ(r.sites[0].frames[0].symbol_offset, 0x11U);
  EXPECT_EQ(r.sites[0].frames[1].symbol, "")
      << "it returns to the byte behind the function: the call is before, at its last";
  EXPECT_EQ(r.sites[0].frames[2].symbol, "");
  std::filesystem::remove_all(root);
}

TEST(Symbolize, PythonFunctionsStayAsTheyAre) {
  Report r = test::python_report();
  Symbolizer("/no/such/root").name(r, geteuid());
  const ReportFrame handler = r.sites[0].frames[1];
  EXPECT_EQ(handler.symbol, "Handler.get.<locals>.<lambda>");
  EXPECT_EQ(handler.line, 12U);
  EXPECT_EQ(r.sites[0].exact_frames, 2U);
  for (const std::string& note : r.notes) EXPECT_EQ(note.find("app.py"), std::string::npos) << note;
}

TEST(Symbolize, CodeOfTheJavaVirtualMachineWithoutNamesIsSaidToBe) {
  const auto said = [](const Report& r) {
    return std::any_of(r.notes.begin(), r.notes.end(), [](const std::string& n) {
      return n.find("DumpPerfMapAtExit") != std::string::npos;
    });
  };
  char name[] = "/tmp/clockshim-test-XXXXXX";
  const std::string root = mkdtemp(name);
  std::filesystem::create_directories(root + "/tmp");
  Report r = test::small_report(getpid());
  r.sites = {site(1, "realtime", {frame("", "/lib/jvm/libjvm.so", 16), frame("", "", 0x7011)}, 2)};
  Symbolizer(root).name(r, geteuid());
  EXPECT_TRUE(said(r));
  std::ofstream(root + "/tmp/perf-" + std::to_string(getpid()) + ".map") << "7000 100 Clock.tick\n";
  Symbolizer(root).name(r, geteuid());
  EXPECT_FALSE(said(r)) << "they have one now";
  Report other = test::small_report(getpid());
  other.sites = {site(1, "realtime", {frame("", "", 0x9000)})};
  Symbolizer(root).name(other, geteuid());
  EXPECT_FALSE(said(other)) << "there is no Java";
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace clockshim
