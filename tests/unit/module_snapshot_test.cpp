// The snapshot of the loader's list, which answers where glibc has no _dl_find_object; and the
// look-up of symbols without dlsym().
#include "os/module_snapshot.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "os/dynamic_symbols.h"
#include "os/real_functions.h"

namespace clockshim {
namespace {

// A small module that nothing else loads.
constexpr const char* kPlug = "libBrokenLocale.so.1";

std::uintptr_t address_of(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }

class Snapshot : public testing::Test {
 protected:
  void SetUp() override {
    found_ = real_functions().dl_find_object.exchange(nullptr);
    refresh_snapshot();
  }
  void TearDown() override { g_real_functions.dl_find_object = found_; }

  // What the loader itself says.
  bool loaders(std::uintptr_t address, Module& out) {
    g_real_functions.dl_find_object = found_;
    const bool found = find_module(address, out);
    g_real_functions.dl_find_object = nullptr;
    return found;
  }

  decltype(RealFunctions::dl_find_object)::value_type found_ = nullptr;
};

std::uintptr_t code_of(void* handle) {
  const link_map* map = nullptr;
  EXPECT_EQ(dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)), 0);
  return address_of(map->l_ld);
}

TEST_F(Snapshot, SaysWhatTheLoaderSays) {
  std::vector<std::uintptr_t> addresses{0, 1, UINTPTR_MAX, address_of(&addresses)};
  const auto add = [](dl_phdr_info* info, std::size_t, void* out) {
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& header = info->dlpi_phdr[i];
      if (header.p_type != PT_LOAD) continue;
      const std::uintptr_t start = info->dlpi_addr + header.p_vaddr;
      for (const std::uintptr_t at : {start, start + header.p_memsz - 1})
        static_cast<std::vector<std::uintptr_t>*>(out)->push_back(at);
    }
    return 0;
  };
  dl_iterate_phdr(add, &addresses);
  ASSERT_GE(addresses.size(), 16U);
  if (found_ == nullptr) GTEST_SKIP() << "this C library has no _dl_find_object";
  for (const std::uintptr_t address : addresses) {
    Module mine;
    Module expected;
    const bool found = find_in_snapshot(address, mine);
    ASSERT_EQ(found, loaders(address, expected)) << std::hex << address;
    if (!found) continue;
    EXPECT_EQ(mine.map_start, expected.map_start);
    EXPECT_EQ(mine.map_end, expected.map_end);
    EXPECT_EQ(mine.load_bias, expected.load_bias);
    EXPECT_EQ(mine.unwind_header, expected.unwind_header);
    EXPECT_EQ(mine.dynamic, expected.dynamic);
    EXPECT_STREQ(mine.path, expected.path);
  }
}

TEST_F(Snapshot, HasWhatWasLoadedOnceItIsRefreshed) {
  void* const plug = dlopen(kPlug, RTLD_NOW);
  ASSERT_NE(plug, nullptr) << dlerror();
  const std::uintptr_t code = code_of(plug);
  Module module;
  EXPECT_FALSE(find_in_snapshot(code, module));
  refresh_snapshot();
  ASSERT_TRUE(find_in_snapshot(code, module));
  EXPECT_NE(std::string(module.path).find(kPlug), std::string::npos);
  EXPECT_TRUE(find_module(code, module));
  const std::uintptr_t start = module.map_start;
  const std::size_t size = module.map_end - start;
  // Nobody says so, as where the C library unloads something itself.
  ASSERT_EQ(dlclose(plug), 0);
  EXPECT_FALSE(find_in_snapshot(code, module));
  void* const wanted = reinterpret_cast<void*>(start);
  void* const other = mmap(wanted, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_EQ(other, wanted);
  EXPECT_FALSE(find_in_snapshot(code, module));
  munmap(other, size);
  refresh_snapshot();
  EXPECT_FALSE(find_in_snapshot(code, module));
}

// More of them than there was room for.
TEST_F(Snapshot, GrowsWithTheLoadersList) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) / ("snapshot-" + std::to_string(getpid()));
  fs::create_directory(folder);
  void* const plug = dlopen(kPlug, RTLD_NOW);
  ASSERT_NE(plug, nullptr);
  Module module;
  refresh_snapshot();
  ASSERT_TRUE(find_in_snapshot(code_of(plug), module));
  const fs::path original = module.path;
  std::vector<void*> copies;
  for (int i = 0; i < 200; ++i) {
    const fs::path copy = folder / (std::to_string(i) + ".so");
    fs::copy_file(original, copy);
    copies.push_back(dlopen(copy.c_str(), RTLD_NOW));
    ASSERT_NE(copies.back(), nullptr) << dlerror();
    refresh_snapshot();
    ASSERT_TRUE(find_in_snapshot(code_of(copies.back()), module)) << i;
    EXPECT_EQ(module.path, copy);
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(find_in_snapshot(code_of(copies[i]), module)) << i;
    EXPECT_EQ(module.path, folder / (std::to_string(i) + ".so"));
    dlclose(copies[i]);
  }
  refresh_snapshot();
  dlclose(plug);
  fs::remove_all(folder);
}

std::atomic<long> g_right{0};
std::atomic<long> g_wrong{0};
void ask_in_snapshot(int) {
  Module module;
  const bool right = find_in_snapshot(address_of(&g_right), module) &&
                     std::strcmp(module.path, "") == 0 && module.unwind_header != nullptr &&
                     find_in_snapshot(address_of(reinterpret_cast<const void*>(&dlsym)), module) &&
                     std::strstr(module.path, "libc.so") != nullptr;
  (right ? g_right : g_wrong).fetch_add(1);
}

// Threads read, and a signal handler does in the thread that refreshes.
TEST_F(Snapshot, IsReadWhileItChanges) {
  std::signal(SIGALRM, ask_in_snapshot);
  const itimerval often{{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &often, nullptr);
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) ask_in_snapshot(0);
  });
  for (int i = 0; i < 2000; ++i) {
    void* const plug = dlopen(kPlug, RTLD_NOW);
    refresh_snapshot();
    Module module;
    EXPECT_TRUE(find_in_snapshot(code_of(plug), module));
    dlclose(plug);
    refresh_snapshot();
  }
  stop = true;
  reader.join();
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  std::signal(SIGALRM, SIG_DFL);
  EXPECT_GT(g_right.load(), 100);
  EXPECT_EQ(g_wrong.load(), 0);
}

// Indirect functions, several versions of one name, data, and what is nowhere.
TEST(NextDefinitions, AreWhatDlsymFinds) {
  std::vector<NextDefinition> wanted{{"memcpy"},  {"gettimeofday"}, {"dlsym"},
                                     {"dlclose"}, {"realpath"},     {"pthread_cond_wait"},
                                     {"environ"}, {"_r_debug"},     {"clockshim_is_nowhere"}};
  find_next_definitions(wanted);
  for (const auto& one : wanted)
    EXPECT_EQ(one.address, address_of(dlsym(RTLD_NEXT, one.name.data()))) << one.name;
}

TEST(DynamicSymbols, AreFoundByEitherHash) {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const char* plug : {"plug_gnu.so", "plug_sysv.so"}) {
    void* const handle = dlopen((here / plug).c_str(), RTLD_NOW);
    ASSERT_NE(handle, nullptr) << dlerror();
    Module module;
    ASSERT_TRUE(find_module(code_of(handle), module));
    for (const char* name : {"plug_ask", "plug_at_end"})
      EXPECT_EQ(find_dynamic_symbol(module, name).start, address_of(dlsym(handle, name))) << name;
    for (const char* name : {"", "plug_as", "plug_ask2", "clock_gettime"})
      EXPECT_EQ(find_dynamic_symbol(module, name).start, 0U) << plug << " " << name;
    dlclose(handle);
  }
}

}  // namespace
}  // namespace clockshim
