// Why: address space and locked memory are the host's. Daemons that lock all they have
// (Elasticsearch, Cassandra, corosync) did not start under a limit of 8 MiB, and `ulimit -v` or
// `-d` ended others: 12 MiB of static tables stood ready for a thousand threads and 256 CPUs that
// most processes never see.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

// More than bare, in KiB; the library's own text included.
constexpr long kMostAddressSpace = 4096;
constexpr long kMostLocked = 3072;

long number(const HostRun& run, const std::string& word) {
  const auto numbers = numbers_by_process(run, word);
  return numbers.empty() ? -1 : numbers.begin()->second;
}

void expect_starts(const std::vector<std::string>& arguments) {
  const HostOptions bare{
      .arguments = arguments, .environment = {{"CLOCKSHIM_REPORT", "none"}}, .shim = false};
  ASSERT_EQ(run_host("memory_use", bare).ending(), "exit 0");
  HostOptions shimmed = bare;
  shimmed.shim = true;
  const HostRun run = run_host("memory_use", shimmed);
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
}

TEST(Memory, OfOneThreadIsLittle) {
  const std::vector<std::string> sizes{"sizes"};
  const HostRun bare = run_host("memory_use", {.arguments = sizes, .shim = false});
  ASSERT_EQ(bare.ending(), "exit 0") << bare.out;
  const HostRun run =
      run_host("memory_use", {.arguments = sizes, .environment = {{"CLOCKSHIM_REPORT", "none"}}});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  const long address = number(run, "address") - number(bare, "address");
  const long locked = number(run, "locked") - number(bare, "locked");
  RecordProperty("address_kib", static_cast<int>(address));
  RecordProperty("locked_kib", static_cast<int>(locked));
  EXPECT_GT(address, 0) << "the shim was not at work";
  EXPECT_LE(address, kMostAddressSpace);
  EXPECT_LE(locked, kMostLocked);
}

TEST(Memory, CanAllBeLockedUnderTheUsualLimit) { expect_starts({"locked"}); }

TEST(Memory, ADataLimitIsNoReasonNotToStart) { expect_starts({"data", "6000"}); }

TEST(Memory, AnAddressSpaceLimitIsNoReasonNotToStart) { expect_starts({"address", "12000"}); }

// What belongs to many threads comes when they come, and they count as exactly.
TEST(Memory, OfManyThreadsComesWithThem) {
  const std::vector<std::string> many{"threads", "150"};
  const HostRun bare = run_host("memory_use", {.arguments = many, .shim = false});
  const HostRun run = run_host("memory_use", {.arguments = many, .report = true});
  ASSERT_EQ(bare.ending(), "exit 0") << bare.out;
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  EXPECT_LE(number(run, "address") - number(bare, "address"), kMostAddressSpace + 150 * 8);
}

}  // namespace
}  // namespace clockshim::test
