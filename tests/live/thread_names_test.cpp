// Threads are named by /proc only where it is certain that the name is theirs.
#include "cli/livefiles/thread_names.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include "own_file.h"

namespace clockshim::cli {
namespace {

using test::OwnFile;
using test::TempDir;

class ThreadNames : public testing::Test {
 protected:
  ThreadNames() {
    pthread_setname_np(pthread_self(), "\x1b[31mnamed");
    live::ThreadTable& table = (*file_).threads[0];
    table.tid = static_cast<std::uint32_t>(gettid());
    table.owner = 1;
    file_.count(5, 6);
  }
  ~ThreadNames() override { pthread_setname_np(pthread_self(), "live_tests"); }
  std::optional<LiveFile> read() {
    std::string problem;
    auto file = LiveFile::open(file_.path(), problem);
    EXPECT_TRUE(file) << problem;
    return file;
  }
  static std::string name_in(const LiveFile& file) {
    Report report = file.report();
    name_threads(file, report);
    EXPECT_EQ(report.threads.size(), 1U);
    return report.threads.at(0).name;
  }
  TempDir dir_;
  OwnFile file_{dir_, "1.live", 1};
};

TEST_F(ThreadNames, AreThoseOfThreadsThatRunAndNothingForATerminalToObey) {
  EXPECT_EQ(name_in(*read()), "?[31mnamed");
}

// Its number may be another thread's by now.
TEST_F(ThreadNames, OfAThreadThatHasEndedAreNotKnown) {
  (*file_).threads[0].owner = 0;
  EXPECT_EQ(name_in(*read()), "");
}

// Its threads' numbers may be another process's by now.
TEST_F(ThreadNames, OfAProcessThatIsGoneSinceItsFileWasReadAreNotKnown) {
  const auto file = read();
  file_.unmap();
  EXPECT_EQ(name_in(*file), "");
}

}  // namespace
}  // namespace clockshim::cli
