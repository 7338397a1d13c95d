// Why: a chain that is taken for another one counts a call under who has not made it. What is found
// must be what a walk would find, whatever stands on the stack.
#include "image/go_chains.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace clockshim {
namespace {

// A goroutine's stack, of Go's frames: each is the caller's rbp, and the return address above it.
class GoStack {
 public:
  explicit GoStack(const std::vector<std::uintptr_t>& callers, unsigned words_a_frame = 6)
      : words_(callers.size() * words_a_frame + 2) {
    for (std::size_t i = 0; i < callers.size(); ++i) {
      words_[i * words_a_frame] = at((i + 1) * words_a_frame);
      words_[i * words_a_frame + 1] = callers[i];
    }
  }
  [[nodiscard]] Frame wrapper() const { return {kWrapper, 0, at(0)}; }
  std::uintptr_t& word(std::size_t i) { return words_[i]; }

  static constexpr std::uintptr_t kWrapper = 0x401000;

 private:
  [[nodiscard]] std::uintptr_t at(std::size_t word) const {
    return reinterpret_cast<std::uintptr_t>(&words_[word]);
  }
  std::vector<std::uintptr_t> words_;
};

const SiteKey kWrappersCall{GoStack::kWrapper, 1, Function::clock_gettime};

SiteKey key_behind(const std::vector<std::uintptr_t>& callers) {
  SiteKey key = kWrappersCall;
  for (const std::uintptr_t caller : callers) key = key.behind(caller);
  return key;
}

GoChain chain_of(const GoStack& stack, std::size_t frames) {
  GoChain chain;
  Frame frame = stack.wrapper();
  for (std::size_t i = 0; i < frames; ++i) {
    frame = kGoRule.caller_of(frame);
    EXPECT_TRUE(chain.add(frame, stack.wrapper()));
  }
  return chain;
}

class GoChainsTest : public testing::Test {
 protected:
  void keep(const GoStack& stack, const std::vector<std::uintptr_t>& callers) {
    chains_->keep(kWrappersCall, stack.wrapper(), chain_of(stack, callers.size()),
                  key_behind(callers));
  }
  std::uint64_t find(const GoStack& stack) { return chains_->find(kWrappersCall, stack.wrapper()); }

  std::unique_ptr<GoChains> chains_ = std::make_unique<GoChains>();
};

TEST_F(GoChainsTest, FindsWhatWasKeptAndNothingElse) {
  for (std::size_t frames = 1; frames <= GoChain::kMostFrames; ++frames) {
    std::vector<std::uintptr_t> callers;
    for (std::size_t i = 0; i < frames; ++i) callers.push_back(0x402000 + 0x100 * i);
    chains_ = std::make_unique<GoChains>();
    GoStack stack(callers);
    EXPECT_EQ(find(stack), 0U);
    keep(stack, callers);
    EXPECT_EQ(find(stack), key_behind(callers).raw());
    EXPECT_EQ(
        chains_->find(SiteKey{GoStack::kWrapper, 2, Function::clock_gettime}, stack.wrapper()), 0U)
        << "another clock";
    // Each word that a walk reads, and none beyond: the last frame's rbp leads nowhere.
    constexpr std::size_t kWordsAFrame = 6;
    for (std::size_t i = 0; i < frames; ++i) {
      ++stack.word(i * kWordsAFrame + 1);
      EXPECT_EQ(find(stack), 0U) << "return address " << i << " of " << frames;
      --stack.word(i * kWordsAFrame + 1);
      const bool is_last = i + 1 == frames;
      stack.word(i * kWordsAFrame) += sizeof(std::uintptr_t);
      EXPECT_EQ(find(stack) == 0, !is_last) << "rbp " << i << " of " << frames;
      stack.word(i * kWordsAFrame) -= sizeof(std::uintptr_t);
    }
    EXPECT_EQ(find(stack), key_behind(callers).raw());
  }
}

TEST_F(GoChainsTest, TheFirstOneKeepsItsPlace) {
  const std::vector<std::uintptr_t> one{0x402000, 0x403000};
  const std::vector<std::uintptr_t> other{0x402000, 0x404000};
  GoStack stack(one);
  keep(stack, one);
  stack.word(7) = other[1];
  keep(stack, other);
  EXPECT_EQ(find(stack), 0U);
  stack.word(7) = one[1];
  EXPECT_EQ(find(stack), key_behind(one).raw());
}

TEST_F(GoChainsTest, AChainIsFoundOnAnotherGoroutinesStack) {
  constexpr std::size_t kStack = 2048 / sizeof(std::uintptr_t);
  const std::vector<std::uintptr_t> callers{0x402000, 0x403000, 0x404000};
  // Two stacks as Go has them, next to each other.
  struct alignas(2048) Stacks {
    std::uintptr_t words[2][kStack];
  };
  const auto stacks = std::make_unique<Stacks>();
  Frame wrappers[2];
  for (int i = 0; i < 2; ++i) {
    std::uintptr_t* const top = stacks->words[i] + kStack - 32;
    for (std::size_t frame = 0; frame < callers.size(); ++frame) {
      top[4 * frame] = reinterpret_cast<std::uintptr_t>(&top[4 * frame + 4]);
      top[4 * frame + 1] = callers[frame];
    }
    wrappers[i] = {GoStack::kWrapper, 0, reinterpret_cast<std::uintptr_t>(top)};
  }
  GoChain chain;
  Frame frame = wrappers[0];
  for (std::size_t i = 0; i < callers.size(); ++i) {
    frame = kGoRule.caller_of(frame);
    chain.add(frame, wrappers[0]);
  }
  chains_->keep(kWrappersCall, wrappers[0], chain, key_behind(callers));
  EXPECT_EQ(chains_->find(kWrappersCall, wrappers[1]), key_behind(callers).raw());
}

TEST_F(GoChainsTest, TooLongAChainIsNone) {
  const std::vector<std::uintptr_t> callers(GoChain::kMostFrames + 1, 0x402000);
  const GoStack stack(callers);
  GoChain chain;
  Frame frame = stack.wrapper();
  for (std::size_t i = 0; i < GoChain::kMostFrames; ++i) {
    frame = kGoRule.caller_of(frame);
    EXPECT_TRUE(chain.add(frame, stack.wrapper()));
  }
  EXPECT_FALSE(chain.add(kGoRule.caller_of(frame), stack.wrapper()));
}

// What a walk finds by rules, beside what is found at once: many callers, few addresses.
TEST_F(GoChainsTest, IsWhatAWalkFinds) {
  std::mt19937 random(4711);
  long found = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::uintptr_t> callers(1 + random() % GoChain::kMostFrames);
    for (std::uintptr_t& caller : callers) caller = 0x402000 + random() % 3;
    const GoStack stack(callers, 2 + static_cast<unsigned>(random() % 3));
    if (const std::uint64_t key = find(stack); key != 0) {
      // It may be one of fewer frames: where the walk ends is the rule's word, not the chain's.
      bool is_walk = false;
      for (std::size_t frames = 1; frames <= callers.size(); ++frames)
        is_walk = is_walk || key == key_behind({callers.begin(), callers.begin() + frames}).raw();
      EXPECT_TRUE(is_walk);
      ++found;
    }
    if (random() % 4 == 0) keep(stack, callers);
  }
  EXPECT_GT(found, 100);
}

}  // namespace
}  // namespace clockshim
