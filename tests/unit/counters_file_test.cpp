// The counters file: what is believed of it, and what is not.
#include "os/counters_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "../support/temp_dir.h"

namespace clockshim {
namespace {

namespace fs = std::filesystem;

// A file as it is right on this machine, now.
CountersFile right() {
  CountersFile file;
  EXPECT_TRUE(begin_counters(file, CountersVerdict::constant, "a test"));
  file.compared -= 2'000'000'000;
  file.confirmed -= 1'000'000'000;
  file.cpus = 2;
  file.compared_cpus[0] = 3;
  file.offsets[1] = 1000;
  file.checksum = checksum_of(file);
  return file;
}

class CountersFileTest : public ::testing::Test {
 protected:
  std::string write(const CountersFile& file) {
    const std::string path = folder_.path("counters");
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(&file), sizeof file);
    fs::permissions(path, fs::perms(0644));
    return path;
  }
  // What is said of a file that change(file) has made wrong, with a checksum that is right.
  template <class F>
  std::string said_of(F change) {
    CountersFile file = right();
    change(file);
    file.checksum = checksum_of(file);
    return said(write(file));
  }
  static std::string said(const std::string& path) {
    CountersFile out;
    const char* problem = read_counters(path.c_str(), out);
    return problem == nullptr ? "good" : problem;
  }
  test::TempDir folder_;
};

TEST_F(CountersFileTest, ARightOneIsRead) {
  CountersFile out{};
  ASSERT_EQ(read_counters(write(right()).c_str(), out), nullptr);
  EXPECT_EQ(out.offsets[1], 1000);
  EXPECT_TRUE(out.has(0));
  EXPECT_TRUE(out.has(1));
  EXPECT_FALSE(out.has(2));
  EXPECT_FALSE(out.has(kCountersCpus));
}

TEST_F(CountersFileTest, NoFileIsNoProblemToTell) {
  EXPECT_EQ(said(folder_.path("none")), "");
  EXPECT_EQ(said(folder_.path("none/counters")), "");
}

TEST_F(CountersFileTest, WhatDoesNotFitTheMachineIsNotBelieved) {
  EXPECT_EQ(said_of([](CountersFile&) {}), "good");
  EXPECT_EQ(said_of([](CountersFile& f) { f.boot[0] = f.boot[0] == '0' ? '1' : '0'; }),
            "it is of another boot");
  EXPECT_EQ(said_of([](CountersFile& f) { std::memset(f.boot, 'a', sizeof f.boot); }),
            "it is of another boot");
  EXPECT_EQ(said_of([](CountersFile& f) { ++f.possible; }), "it is of other CPUs");
  EXPECT_EQ(said_of([](CountersFile& f) { f.slept -= 1'000'000'000; }),
            "the machine has slept since");
  EXPECT_EQ(said_of([](CountersFile& f) { f.confirmed += 3'600'000'000'000; }),
            "it is of a time to come");
  EXPECT_EQ(said_of([](CountersFile& f) { f.compared = f.confirmed + 1; }),
            "it is of a time to come");
  EXPECT_EQ(said_of([](CountersFile& f) {
              f.confirmed -= kCountersKeep.raw() + 1;
              f.compared = f.confirmed;
            }),
            "it is too old");
}

TEST_F(CountersFileTest, WhatIsMalformedIsNotBelieved) {
  EXPECT_EQ(said_of([](CountersFile& f) { f.magic[0] = 'C'; }), "it is no counters file");
  EXPECT_EQ(said_of([](CountersFile& f) { ++f.version; }), "it is of another version");
  EXPECT_EQ(said_of([](CountersFile& f) { f.verdict = CountersVerdict{4}; }),
            "its verdict is unknown");
  EXPECT_EQ(said_of([](CountersFile& f) { f.verdict = CountersVerdict{0}; }),
            "its verdict is unknown");
  EXPECT_EQ(said_of([](CountersFile& f) { f.offsets[1] = -1; }), "an offset is negative");
  EXPECT_EQ(said_of([](CountersFile& f) { f.offsets[7] = 1; }), "an offset is of no use");
  EXPECT_EQ(said_of([](CountersFile& f) { f.verdict = CountersVerdict::agree; }),
            "an offset is of no use");
  EXPECT_EQ(said_of([](CountersFile& f) { f.cpus = 3; }), "its number of CPUs is wrong");
  EXPECT_EQ(said_of([](CountersFile& f) {
              f.compared_cpus[0] = f.cpus = 1;
              f.offsets[1] = 0;
            }),
            "its number of CPUs is wrong");
}

TEST_F(CountersFileTest, EachDamagedByteIsFound) {
  const CountersFile good = right();
  for (std::size_t place = sizeof good.magic + sizeof good.version; place < sizeof good; ++place) {
    CountersFile damaged = good;
    reinterpret_cast<unsigned char*>(&damaged)[place] ^= 0x10;
    ASSERT_EQ(said(write(damaged)), "it is damaged") << "byte " << place;
  }
}

TEST_F(CountersFileTest, SomebodyElsesFileIsNotBelieved) {
  const std::string path = write(right());
  fs::permissions(path, fs::perms(0664));
  EXPECT_EQ(said(path), "others may write to it");
  fs::permissions(path, fs::perms(0646));
  EXPECT_EQ(said(path), "others may write to it");
  fs::permissions(path, fs::perms(0644));
  fs::create_symlink(path, folder_.path("link"));
  EXPECT_EQ(said(folder_.path("link")), "") << "a link is not followed";
  ASSERT_EQ(mkfifo(folder_.path("pipe").c_str(), 0644), 0);
  EXPECT_EQ(said(folder_.path("pipe")), "it is no plain file");
  EXPECT_EQ(said(folder_.path().string()), "it is no plain file");
  std::ofstream(path, std::ios::app) << "x";
  EXPECT_EQ(said(path), "its size is wrong");
  if (geteuid() != 0) return;
  const std::string others = write(right());
  ASSERT_EQ(chown(others.c_str(), 12345, 12345), 0);
  EXPECT_EQ(said(others), "it is another user's");
}

}  // namespace
}  // namespace clockshim
