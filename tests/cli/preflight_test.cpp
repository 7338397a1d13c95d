// What preflight says of a file, without starting it. ELF files that this machine can't make are
// written by hand: a header and one program header are all that is looked at.
#include "cli/inject/preflight.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>

#include "run_command.h"

namespace clockshim::cli {
namespace {

using test::kExecutable;
using test::program_path;
using test::TempDir;

struct Image {
  Elf64_Ehdr header{};
  Elf64_Phdr segment{};
  char interpreter[64] = "/lib64/ld-linux-x86-64.so.2";

  Image() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_version = EV_CURRENT;
    header.e_machine = EM_X86_64;
    header.e_phoff = offsetof(Image, segment);
    header.e_phentsize = sizeof segment;
    header.e_phnum = 1;
    segment.p_type = PT_INTERP;
    segment.p_offset = offsetof(Image, interpreter);
    segment.p_filesz = sizeof interpreter;
  }
  [[nodiscard]] std::string bytes() const {
    return {reinterpret_cast<const char*>(this), sizeof *this};
  }
};

std::string problem_of(const Image& image) {
  const TempDir folder;
  return problem_of_program(folder.file("program", image.bytes(), kExecutable));
}

TEST(Preflight, OrdinaryProgramTakes) {
  EXPECT_EQ(problem_of(Image{}), "");
  EXPECT_EQ(inspect_command(program_path("clock_program")).problem, "");
  EXPECT_EQ(inspect_command("sh").problem, "");
  EXPECT_TRUE(inspect_command("sh").takes_image) << "where that is asked for";
  EXPECT_TRUE(inspect_command("sh").dynamic);
  EXPECT_EQ(inspect_command("sh").path.back(), 'h');
}

TEST(Preflight, StaticProgram) {
  EXPECT_EQ(problem_of_program(program_path("static_program")), "is statically linked");
  EXPECT_EQ(problem_of_program(program_path("static_pie_program")), "is statically linked");
  EXPECT_TRUE(takes_image_instead(program_path("static_program")));
  EXPECT_TRUE(inspect_command(program_path("static_program")).takes_image);
  EXPECT_FALSE(takes_image_instead(program_path("clock_program"))) << "a preload does there";
}

TEST(Preflight, LoaderByItsOwnNameTakes) {
  EXPECT_EQ(problem_of_program("/lib64/ld-linux-x86-64.so.2"), "");
}

TEST(Preflight, OtherKindsOfProgram) {
  Image image;
  image.header.e_ident[EI_CLASS] = ELFCLASS32;
  image.header.e_machine = EM_386;
  EXPECT_EQ(problem_of(image), "is a 32-bit program");
  image = Image{};
  image.header.e_machine = EM_AARCH64;
  EXPECT_EQ(problem_of(image), "is a program for another processor");
  image = Image{};
  std::strcpy(image.interpreter, "/lib/ld-musl-x86_64.so.1");
  EXPECT_EQ(
      problem_of(image),
      "is a program of another C library (musl), which loads no library made for glibc (use a "
      "build of it for glibc)");
}

TEST(Preflight, ProgramsOfGlibcBefore217) {
  const TempDir folder;
  for (const auto& [file, problem] : std::initializer_list<std::pair<const char*, const char*>>{
           {"ld-2.12.so", "is a program of glibc 2.12, and the library needs 2.17"},
           {"ld-2.16.so", "is a program of glibc 2.16, and the library needs 2.17"},
           {"ld-2.17.so", ""},
           {"ld-2.31.so", ""},
           {"ld-linux-x86-64.so.2", ""}}) {
    const std::string loader = folder.path("ld");
    std::filesystem::remove(loader);
    std::filesystem::create_symlink(folder.file(file, "", kExecutable), loader);
    Image image;
    ASSERT_LT(loader.size(), sizeof image.interpreter);
    std::strcpy(image.interpreter, loader.c_str());
    EXPECT_EQ(problem_of(image), problem) << file;
  }
}

TEST(Preflight, BrokenFilesPass) {
  const TempDir folder;
  const std::string whole = Image{}.bytes();
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{3}, std::size_t{10}, sizeof(Elf64_Ehdr) - 1}) {
    EXPECT_EQ(problem_of_program(folder.file("cut", whole.substr(0, length), kExecutable)), "")
        << length;
  }
  Image image;
  image.header.e_phoff = ~0ULL - 8;
  image.header.e_phnum = 0xffff;
  problem_of(image);  // nothing to expect but an end
  EXPECT_EQ(inspect_command(folder.path("not-there")).problem, "");
}

// An administrator's sudo or ping: the loader drops LD_PRELOAD without a word.
TEST(Preflight, SetuidProgram) {
  const TempDir folder;
  struct statvfs mount;
  if (geteuid() != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
    GTEST_SKIP() << "needs root that may gain privileges";
  if (statvfs(folder.path().c_str(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0)
    GTEST_SKIP() << "mounted nosuid";
  const std::string copy = folder.path("program");
  std::filesystem::copy_file(program_path("clock_program"), copy);
  ASSERT_EQ(chmod(copy.c_str(), 04755), 0);
  EXPECT_EQ(problem_of_program(copy), "") << "set to who we are anyway";
  ASSERT_EQ(chown(copy.c_str(), 65534, 0), 0);
  ASSERT_EQ(chmod(copy.c_str(), 04755), 0);
  EXPECT_EQ(problem_of_program(copy), "runs as another user (setuid)");
  EXPECT_FALSE(takes_image_instead(copy));
  ASSERT_EQ(chown(copy.c_str(), 0, 65534), 0);
  ASSERT_EQ(chmod(copy.c_str(), 02755), 0);
  EXPECT_EQ(problem_of_program(copy), "runs as another group (setgid)");
  ASSERT_EQ(chmod(copy.c_str(), 02745), 0);
  EXPECT_EQ(problem_of_program(copy), "") << "without execution by the group it means locking";
}

TEST(Preflight, ScriptIsItsInterpreter) {
  const TempDir folder;
  const std::string program = program_path("static_program");
  const std::string expected = "'s interpreter " + program + " is statically linked";
  EXPECT_EQ(inspect_command(folder.file("a", "#!" + program + "\n", kExecutable)).problem,
            expected);
  EXPECT_EQ(inspect_command(folder.file("b", "#! " + program + " -x y\n", kExecutable)).problem,
            expected);
  EXPECT_EQ(inspect_command(folder.file("c", "#!" + program, kExecutable)).problem, expected);
  EXPECT_EQ(
      inspect_command(folder.file("d", "#!/usr/bin/env " + program + "\n", kExecutable)).problem,
      expected);
  EXPECT_EQ(
      inspect_command(folder.file("e", "#!/usr/bin/env -S A=1 " + program + " -v\n", kExecutable))
          .problem,
      expected);
  EXPECT_EQ(inspect_command(folder.file("f", "#!" + folder.path("a") + "\n", kExecutable)).problem,
            expected)
      << "a script's script";
  EXPECT_EQ(inspect_command(folder.file("g", "#!/bin/sh\n", kExecutable)).problem, "");
  EXPECT_EQ(inspect_command(folder.file("h", "echo no first line\n", kExecutable)).problem, "");
  EXPECT_EQ(inspect_command(folder.file("i", "#!" + folder.path("i") + "\n", kExecutable)).problem,
            "")
      << "its own interpreter";
  EXPECT_EQ(inspect_command(folder.file("j", "#!\n", kExecutable)).problem, "");
  EXPECT_EQ(inspect_command(folder.file("k", "#!/usr/bin/env\n", kExecutable)).problem, "");
  EXPECT_EQ(inspect_command(folder.file("l", "#!/nowhere/x y\n", kExecutable)).missing_interpreter,
            "/nowhere/x");
}

TEST(Preflight, PathIsSearchedAsExecDoes) {
  const TempDir folder;
  std::filesystem::create_directories(
      folder.path("1/prog"));  // a folder of that name is passed over
  std::filesystem::create_directories(folder.path("2"));
  std::filesystem::create_directories(folder.path("3"));
  folder.file("2/prog", Image{}.bytes(), test::kPlain);  // and what may not be executed
  folder.file("3/prog", Image{}.bytes(), kExecutable);
  const std::string before = getenv("PATH");
  setenv("PATH", (folder.path("1") + ":" + folder.path("2") + ":" + folder.path("3")).c_str(), 1);
  const std::string found = inspect_command("prog").path;
  setenv("PATH", before.c_str(), 1);
  EXPECT_EQ(found, folder.path("3/prog"));
}

}  // namespace
}  // namespace clockshim::cli
