// Python's functions as links of a key, in a process without Python. Tests of the shared object
// have real ones (tests/preload/python_test.cpp).
#include "callsite/python/python_callers.h"

#include <gtest/gtest.h>

#include <memory>

#include "callsite_parts.h"

namespace clockshim {
namespace {

TEST(PythonCallers, AKeyHasTheFunctionsInTheirOrder) {
  PythonFrames python;
  python.count = 2;
  python.keys[0] = 0x111;
  python.keys[1] = 0x222;
  const SiteKey key = key_of(0x1000);
  EXPECT_EQ(PythonCallers::key_behind(key, python).raw(), key.behind(0x111).behind(0x222).raw());
  python.count = 1;
  EXPECT_EQ(PythonCallers::key_behind(key, python).raw(), key.behind(0x111).raw());
  python.count = 0;
  EXPECT_EQ(PythonCallers::key_behind(key, python).raw(), key.behind(0).raw());
}

// Why: the first call of a site and the later ones find its key in two ways.
TEST(PythonCallers, WithoutPythonBothWaysLeadToTheSameKey) {
  const auto memo = std::make_unique<CodeMemo>();
  PythonFrames python;
  python.count = 5;
  PythonCallers::find(memo.get(), live::kSiteDepth, python);
  EXPECT_EQ(python.count, 0U);
  SiteKey again = key_of(0x1000);
  ASSERT_TRUE(PythonCallers::find_again(*memo, live::kSiteDepth, again));
  EXPECT_EQ(again.raw(), PythonCallers::key_behind(key_of(0x1000), python).raw());
}

TEST(PythonCallers, AModuleWithoutPythonIsNotNoted) {
  const auto region = std::make_unique<live::Region>();
  region->header.sections[static_cast<unsigned>(live::SectionId::names)].count = live::kFewNames;
  Module module;
  ASSERT_TRUE(find_module(reinterpret_cast<std::uintptr_t>(&find_module), module));
  EXPECT_EQ(PythonCallers::look_at(*region, module), CPythonIs::absent);
  for (unsigned i = 0; i < live::kFewNames; ++i)
    ASSERT_EQ(region->names[i].state.load(), live::kFree) << i;
}

}  // namespace
}  // namespace clockshim
