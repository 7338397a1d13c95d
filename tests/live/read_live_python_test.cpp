// The reader of live files: the functions of interpreters, which stand in no module but have names
// of their own.
#include <gtest/gtest.h>

#include "read_live.h"

namespace clockshim {
namespace {

TEST(ReadLive, NamesPythonFunctions) {
  LiveRegion region;
  const unsigned module = region.add_module("/lib/libpython.so", kModule, kModule + 0x10000);
  const unsigned handler =
      region.add_name(live::NameKind::python, "Handler.get", "/srv/app.py", 12);
  const unsigned main = region.add_name(live::NameKind::python, "<module>", "/srv/app.py", 1);
  const SiteKey key = kRealtime.behind(1);
  region.add_site(
      key,
      {{kCaller, module}, {handler, live::kNamed}, {main, live::kNamed}, {1'000'000, live::kNamed}},
      2);
  region.count(0, key, 10);
  const Report r = read(region);
  ASSERT_EQ(r.sites.size(), 1U);
  const ReportSite& site = r.sites[0];
  ASSERT_EQ(site.frames.size(), 4U);
  EXPECT_EQ(site.exact_frames, 2U);
  EXPECT_EQ(site.frames[1].symbol, "Handler.get");
  EXPECT_EQ(site.frames[1].file, "/srv/app.py");
  EXPECT_EQ(site.frames[1].line, 12U);
  EXPECT_EQ(site.frames[1].module, "");
  EXPECT_EQ(site.frames[1].offset, 0U);
  EXPECT_EQ(site.frames[2].symbol, "<module>");
  EXPECT_EQ(site.frames[3].symbol, "") << "a number that no name has";
}

TEST(ReadLive, SaysWhosePythonFunctionsAreNotNamed) {
  LiveRegion region;
  region.add_name(live::NameKind::unread_version, "3.99.0", "/lib/libpython3.99.so", 0);
  region.add_name(live::NameKind::unread_version, "", "", 0);
  region.add_name(live::NameKind::unread_build, "3.13.1", "/opt/python", 0);
  region.add_name(live::NameKind::unread_second, "3.12.0", "/lib/libpython3.12.so", 0);
  region.add_name(static_cast<live::NameKind>(99), "x", "y", 0);
  const Report r = read(region);
  EXPECT_EQ(r.notes.size(), 4U);
  EXPECT_TRUE(has_note(r, "the frames of Python 3.99.0 (/lib/libpython3.99.so) are not known"));
  EXPECT_TRUE(has_note(r, "the frames of Python before 3.11 (/usr/bin/daemon) are not known"));
  EXPECT_TRUE(has_note(r, "Python 3.13.1 (/opt/python) is not built as usual"));
  EXPECT_TRUE(has_note(r, "Python 3.12.0 (/lib/libpython3.12.so) is the second Python"));
}

TEST(ReadLive, NamesPythonFunctionsInStacks) {
  LiveRegion region;
  const unsigned library = region.add_module("/lib/libpython.so", kModule, kModule + 0x10000);
  const unsigned handler =
      region.add_name(live::NameKind::python, "Handler.get", "/srv/app.py", 12);
  region.add_site(kRealtime, {{kCaller, library}, {handler, live::kNamed}}, 2);
  region.count(0, kRealtime, 6);
  region->header.stacks_every = 3;
  live::StackRecord& stack = region->stacks[0];
  stack.key = kRealtime.raw();
  stack.samples = 2;
  stack.depth = 3;
  stack.pc[0] = kCaller;
  stack.pc[1] = live::kNamedFrame | handler;
  stack.pc[2] = ~0ULL;
  stack.state = live::kValid;
  const Report r = read(region);
  ASSERT_EQ(r.stacks.size(), 1U);
  EXPECT_EQ(r.stacks[0].calls, 6U);
  EXPECT_EQ(r.stacks[0].frames[0].module, "/lib/libpython.so");
  EXPECT_EQ(r.stacks[0].frames[1].symbol, "Handler.get");
  EXPECT_EQ(r.stacks[0].frames[2].symbol, "") << "a number that no name has";
}

// As the library of an earlier version wrote it.
TEST(ReadLive, ReadsAFileWithoutNames) {
  LiveRegion region;
  region.add_site(kRealtime, {{3, live::kNamed}});
  region.count(0, kRealtime, 10);
  region->header.sections[static_cast<unsigned>(live::SectionId::names)] = {};
  const Report r = read(region);
  EXPECT_EQ(r.calls(), 10U);
  EXPECT_EQ(r.sites.at(0).frames.at(0).symbol, "");
}

}  // namespace
}  // namespace clockshim
