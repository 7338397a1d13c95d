// The reader of live files against bytes at random: it may refuse or read, but must stay within the
// file. Built with the address and undefined sanitizers, which see where it does not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "live_region.h"
#include "report/read_live.h"

namespace clockshim {
namespace {

// As small as a live file can be, so that mutations hit what is read: few records of each kind, one
// behind the other.
std::vector<std::byte> small_file() {
  LiveRegion whole;
  const unsigned module = whole.add_module("/lib/a.so", 0x1000, 0x2000);
  whole.add_module("", 0x2000, 0x3000);
  const SiteKey key(0x1234, CLOCK_REALTIME, Function::clock_gettime);
  const unsigned name = whole.add_name(live::NameKind::python, "f", "/a.py", 1);
  whole.add_name(live::NameKind::unread_version, "3.99.0", "", 0);
  whole.add_site(key, {{0x1234, module}, {0x2345, 1}, {name, live::kNamed}});
  whole.count(0, key, 5);
  whole.count(1, key.behind(0x2345), 5);
  whole.count_shared(key, 7);
  whole->stacks[0].depth = 3;
  whole->stacks[0].samples = 9;
  whole->stacks[0].state = live::kValid;
  std::vector<std::byte> out(whole.bytes().begin(), whole.bytes().begin() + sizeof(live::Header));
  auto& sections = const_cast<live::Header&>(whole->header).sections;
  const unsigned counts[] = {1, 3, 4, 1, 2, 2, 2};
  for (unsigned part = 0; part < std::size(counts); ++part) {
    live::Section section = sections[part];
    out.resize((out.size() + 63) & ~std::size_t{63});
    const auto* from = whole.bytes().data() + section.at;
    section.at = static_cast<std::uint32_t>(out.size());
    section.count = counts[part];
    out.insert(out.end(), from, from + std::size_t{section.size} * section.count);
    std::memcpy(out.data() + offsetof(live::Header, sections) + part * sizeof section, &section,
                sizeof section);
  }
  return out;
}

TEST(FuzzReadLive, MutatedFilesAreReadOrRefusedWithAReason) {
  const char* wanted = std::getenv("CLOCKSHIM_FUZZ_ROUNDS");
  const long rounds = wanted != nullptr ? std::atol(wanted) : 20'000;
  const std::vector<std::byte> good = small_file();
  Report report;
  std::string problem;
  ASSERT_TRUE(read_live(good, report, problem)) << problem;
  ASSERT_EQ(report.calls(), 17U);
  std::mt19937_64 random(20'260'101);  // always the same files: a failure can be had again
  constexpr std::uint32_t kOdd[] = {0,    1,          7,          64,         255,
                                    4096, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFC0};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  // One buffer for all, that ends where the file ends, so that the sanitizer sees the first byte
  // behind it.
  long read = 0;
  for (long round = 0; round < rounds; ++round) {
    const std::size_t size = below(4) == 0 ? below(good.size() + 1) : good.size();
    std::byte* const file = static_cast<std::byte*>(::operator new[](size, std::align_val_t{4096}));
    std::memcpy(file, good.data(), size);
    for (std::size_t changes = 1 + below(8); changes > 0 && size > 8; --changes) {
      // The header's first words decide most; the rest is hit as it comes.
      const std::size_t at = below(3) == 0 ? below(size) : below(std::min<std::size_t>(size, 256));
      const std::size_t aligned = std::min(at & ~std::size_t{3}, size - 4);
      switch (below(4)) {
        case 0: file[at] = static_cast<std::byte>(random()); break;
        case 1: file[at] ^= static_cast<std::byte>(1U << below(8)); break;
        case 2: std::memcpy(file + aligned, &kOdd[below(std::size(kOdd))], 4); break;
        default: {
          std::uint32_t value;
          std::memcpy(&value, file + aligned, 4);
          value += static_cast<std::uint32_t>(below(257)) - 128;
          std::memcpy(file + aligned, &value, 4);
        }
      }
      if (below(2) == 0)
        std::memcpy(file, good.data(),
                    std::min<std::size_t>(size, 12));  // magic and version right again
    }
    problem.clear();
    if (read_live({file, size}, report, problem)) {
      ++read;
    } else {
      ASSERT_FALSE(problem.empty()) << "round " << round;
    }
    ::operator delete[](file, std::align_val_t{4096});
  }
  EXPECT_GT(read, rounds / 20) << "too few of them get past the header";
  RecordProperty("read", std::to_string(read));
}

}  // namespace
}  // namespace clockshim
