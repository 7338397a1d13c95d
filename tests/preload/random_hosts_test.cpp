// Why: each fault that hurt a real program had been in a combination that nobody had thought of: a
// thread that forks and a child that limits itself, a handler that exits, a descriptor closed
// before exec. Here such combinations are drawn by lot. A host of a seed ends, and says, with the
// library what it does without; and no call of it is lost. Environment: SEEDS (how many; 60),
// FIRST_SEED (1).
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "live_counts.h"

namespace clockshim::test {
namespace {

long from_environment(const char* name, long otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::atol(value) : otherwise;
}

// Where two boards part, with what went before.
std::string difference(const std::vector<std::string>& bare,
                       const std::vector<std::string>& shimmed) {
  const auto [b, s] = std::mismatch(bare.begin(), bare.end(), shimmed.begin(), shimmed.end());
  if (b == bare.end() && s == shimmed.end()) return "";
  std::string text;
  for (auto word = std::max(bare.begin(), b - 12); word != b; ++word) text += *word + ", ";
  text += "then bare \"" + (b == bare.end() ? "" : *b) + "\"";
  return text + ", shimmed \"" + (s == shimmed.end() ? "" : *s) + "\"";
}

class RandomHost : public testing::TestWithParam<long> {
 protected:
  struct Outcome {
    HostRun run;
    std::vector<std::string> said;
    long calls;
    long maybe;
  };

  // The settings differ too, by seed.
  [[nodiscard]] bool tells() const { return GetParam() % 2 == 0; }
  [[nodiscard]] Outcome outcome(bool shim) const {
    const long seed = GetParam();
    const BoardFile board(home_.path() / (shim ? "shimmed" : "bare"));
    std::map<std::string, std::string> settings{{"CLOCKSHIM_DIR", folder_}};
    if (!tells()) settings["CLOCKSHIM_REPORT"] = "none";
    if (seed % 5 == 0) settings["CLOCKSHIM_PROFILE"] = "stacks:100";
    if (seed % 7 == 0) settings["CLOCKSHIM_DEPTH"] = "2";
    if (seed % 3 == 0) settings["CLOCKSHIM_COUNTERS"] = "disagree";
    HostRun run = run_host("random_host", {.arguments = {board.path(), std::to_string(seed)},
                                           .environment = settings,
                                           .shim = shim,
                                           .report = tells(),
                                           .limit = std::chrono::seconds(60)});
    Outcome outcome{std::move(run), {}, board->calls, board->maybe};
    for (long i = 0; i + 2 <= std::min<long>(board->used, kBoardWords); i += 2) {
      char tag[sizeof(long) + 1] = "";
      std::memcpy(tag, &board->words[i], sizeof(long));
      outcome.said.push_back(std::string(tag) + " " + std::to_string(board->words[i + 1]));
    }
    return outcome;
  }

  TempDir home_;
  std::filesystem::path folder_ = home_.path() / "live";
};

TEST_P(RandomHost, EndsAndSaysWhatItDoesBare) {
  const Outcome bare = outcome(false);
  const Outcome shimmed = outcome(true);
  EXPECT_EQ(shimmed.run.ending(), bare.run.ending()) << shimmed.run.err;
  EXPECT_EQ(shimmed.run.out, bare.run.out);
  EXPECT_EQ(difference(bare.said, shimmed.said), "") << shimmed.run.err;
  if (HasFailure()) return;
  // What a process could not write where it was told to, it tells on standard error: such a run's
  // counts are spread.
  if (shimmed.run.err.find("here is the report") != std::string::npos) return;
  const long counted = calls_accounted_for(shimmed.run, folder_);
  EXPECT_GE(counted, shimmed.calls);
  EXPECT_LE(counted, shimmed.calls + shimmed.maybe);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomHost,
                         testing::Range(from_environment("FIRST_SEED", 1),
                                        from_environment("FIRST_SEED", 1) +
                                            from_environment("SEEDS", 60)),
                         [](const auto& seed) { return std::to_string(seed.param); });

}  // namespace
}  // namespace clockshim::test
