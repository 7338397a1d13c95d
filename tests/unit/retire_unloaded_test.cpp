// Sites of modules that are unloaded: their counts stay, but no call has their keys any more until
// the module is there again.
#include "callsite/retire_unloaded.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>

#include "callsite_parts.h"

namespace clockshim {
namespace {

// A library of glibc's that nothing needs, and its one function.
constexpr const char* kLibrary = "libBrokenLocale.so.1";
constexpr const char* kFunction = "__ctype_get_mb_cur_max";

TEST(RetiredKey, DependsOnTheKeyAndOnHowManyFrames) {
  const auto region = std::make_unique<live::Region>();
  const Frame chain[] = {nowhere(0x10), nowhere(0x20)};
  const SiteKey key = key_of(0x10);
  const SiteKey once = retired_key(*region, key, chain, 1);
  const SiteKey twice = retired_key(*region, key, chain, 2);
  EXPECT_NE(once.raw(), key.raw());
  EXPECT_NE(once.raw(), twice.raw());
  EXPECT_EQ(once.raw(), retired_key(*region, key, chain, 1).raw());
  EXPECT_EQ(once.clock(), key.clock());
  EXPECT_EQ(once.function(), key.function());
}

TEST(RetireUnloaded, ASiteIsRetiredWithItsModuleAndComesBackWithIt) {
  void* library = dlopen(kLibrary, RTLD_NOW);
  if (library == nullptr) GTEST_SKIP() << dlerror();
  const auto pc = reinterpret_cast<std::uintptr_t>(dlsym(library, kFunction)) + 1;
  const auto region = std::make_unique<live::Region>();
  const auto known = std::make_unique<KeyFilter>();
  const auto counts = std::make_unique<CallCounts>(*region, *known);
  const auto sites = std::make_unique<SiteRegistry>(*region, *known);
  const Frame here[] = {nowhere(pc)};
  const Frame stays[] = {Frame{reinterpret_cast<std::uintptr_t>(&retired_key) + 1, 0, 0}};
  const SiteKey key = key_of(pc);
  const SiteKey other = key_of(stays[0].pc);
  const SiteKey retired = retired_key(*region, key, here, 1);
  live::ThreadTable* const table = &region->threads[0];
  live::SiteRecord* const site = sites->add(key, retired, here, 1, nullptr).fresh;
  ASSERT_NE(site, nullptr);
  ASSERT_NE(sites->add(other, retired_key(*region, other, stays, 1), stays, 1, nullptr).fresh,
            nullptr);
  for (const SiteKey one : {key, other}) ASSERT_TRUE(counts->add(table, one.raw(), 1));

  dlclose(library);
  retire_unloaded(*sites, *counts, false);
  auto sums = counts_in(*region);
  EXPECT_EQ(site->retired.load(), 1);
  EXPECT_EQ(site->key.load(), retired.raw());
  EXPECT_EQ(sums.count(key.raw()), 0U);
  EXPECT_EQ(sums.at(retired.raw()), 1U);
  EXPECT_EQ(sums.at(other.raw()), 1U) << "its module is still there";

  library = dlopen(kLibrary, RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  if (reinterpret_cast<std::uintptr_t>(dlsym(library, kFunction)) + 1 != pc)
    GTEST_SKIP() << "it was loaded in another place";
  EXPECT_EQ(retired_key(*region, key, here, 1).raw(), retired.raw());
  EXPECT_TRUE(sites->add(key, retired, here, 1, nullptr).stored);
  ASSERT_TRUE(counts->add(table, key.raw(), 1, retired.raw()));
  sums = counts_in(*region);
  EXPECT_EQ(site->retired.load(), 0);
  EXPECT_EQ(sums.at(key.raw()), 2U) << "it goes on where it was";
  dlclose(library);
}

}  // namespace
}  // namespace clockshim
