// The only file that includes libunwind.
//
// libunwind is opened RTLD_LOCAL, never linked: libunwind.so.8 exports _Unwind_* and a weak backtrace, which would take the
// host's exception handling over. Its remote interface is used, with an address space and accessors of our own, so the
// host's own libunwind, if it has one, is not touched, its memory validation (a pipe, and a byte written into it) never
// runs, and dl_iterate_phdr with its lock is never called.
//
// A rule is learned on a stack that does not exist: rsp and rbp are given two made-up values, and every word "read" from
// there is its own address, marked. (Unmarked, a word that rbp points to, where frame pointers are saved, would be taken for an rbp
// that was not saved at all.) After one step the caller's registers tell which addresses the unwind table made of them.
#include "callsite/stack.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <libunwind-x86_64.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "os/containment.h"
#include "os/module.h"

namespace clockshim {
namespace {

#define CLOCKSHIM_TEXT_OF(x) #x
#define CLOCKSHIM_NAME_OF(function) CLOCKSHIM_TEXT_OF(function)  // expands libunwind's own macro: unw_step is _Ux86_64_step

struct Libunwind {
  decltype(&unw_create_addr_space) create_addr_space = nullptr;
  decltype(&unw_set_caching_policy) set_caching_policy = nullptr;
  decltype(&unw_init_remote) init_remote = nullptr;
  decltype(&unw_step) step = nullptr;
  decltype(&unw_get_reg) get_reg = nullptr;
  int (*search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t*, unw_proc_info_t*, int, void*) = nullptr;
  unw_addr_space_t space = nullptr;  // set last: null means unusable
};

constinit Libunwind g_libunwind;

// Two made-up stacks, in the hole between the canonical halves, where no real address can be.
constexpr unw_word_t kMadeUpStack = 0x4000'0000'0000'0000;
constexpr unw_word_t kMadeUpFrame = 0x5000'0000'0000'0000;
constexpr unw_word_t kRead = 0x0200'0000'0000'0000;  // marks a word that was read
constexpr unw_word_t kReach = 1U << 20;              // no frame is taken to be larger

bool near(unw_word_t address, unw_word_t base) { return address - (base - kReach) < 2 * kReach; }

// What the accessors need to know of the rule being learned.
struct Query {
  unw_word_t pc;
  Module module;
};

int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t* info, int need_unwind_info, void* argument) {
  const auto& query = *static_cast<const Query*>(argument);
  const std::uint8_t* header = query.module.unwind_header;
  if (ip < query.module.map_start || ip >= query.module.map_end || header == nullptr) return -UNW_ENOINFO;
  // .eh_frame_hdr (LSB core, 10.6.2): version, encodings of the pointer, the count and the table; only what ld makes.
  constexpr std::uint8_t kUsual[4] = {1, 0x1B, 0x03, 0x3B};
  if (std::memcmp(header, kUsual, sizeof kUsual) != 0) return -UNW_ENOINFO;
  std::uint32_t count;
  std::memcpy(&count, header + 8, sizeof count);
  unw_dyn_info_t table{};
  table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
  table.start_ip = query.module.map_start;
  table.end_ip = query.module.map_end;
  table.u.rti.segbase = reinterpret_cast<unw_word_t>(header);
  table.u.rti.table_data = reinterpret_cast<unw_word_t>(header + 12);
  table.u.rti.table_len = count * 8ULL / sizeof(unw_word_t);
  const int result = g_libunwind.search_unwind_table(space, ip, &table, info, need_unwind_info, argument);
  info->format = UNW_INFO_FORMAT_TABLE;  // so that libunwind 1.6 gives its record back to its pool
  return result;
}

int access_mem(unw_addr_space_t, unw_word_t address, unw_word_t* value, int write, void* argument) {
  if (write != 0) return -UNW_EINVAL;
  if (near(address, kMadeUpStack) || near(address, kMadeUpFrame)) {
    *value = address + kRead;
    return 0;
  }
  const Module& module = static_cast<const Query*>(argument)->module;
  if (address < module.map_start || address > module.map_end - sizeof *value) return -UNW_EINVAL;
  std::memcpy(value, reinterpret_cast<const void*>(address), sizeof *value);
  return 0;
}

int access_reg(unw_addr_space_t, unw_regnum_t reg, unw_word_t* value, int write, void* argument) {
  if (write != 0) return -UNW_EREADONLYREG;
  switch (reg) {
    case UNW_X86_64_RIP: *value = static_cast<const Query*>(argument)->pc; return 0;
    case UNW_X86_64_RSP: *value = kMadeUpStack; return 0;
    case UNW_X86_64_RBP: *value = kMadeUpFrame; return 0;
    default: *value = 0; return 0;  // a rule that depends on another register ends nowhere, and is refused
  }
}

void put_unwind_info(unw_addr_space_t, unw_proc_info_t*, void*) {}
int get_dyn_info_list_addr(unw_addr_space_t, unw_word_t*, void*) { return -UNW_ENOINFO; }
int access_fpreg(unw_addr_space_t, unw_regnum_t, unw_fpreg_t*, int, void*) { return -UNW_EBADREG; }
int resume(unw_addr_space_t, unw_cursor_t*, void*) { return -UNW_EINVAL; }
int get_proc_name(unw_addr_space_t, unw_word_t, char*, std::size_t, unw_word_t*, void*) { return -UNW_ENOINFO; }

// libunwind opens a pipe when it initialises, for a check that we have replaced. The kernel gives the two lowest free
// descriptors: what they are is found out beforehand, and they are closed if a pipe stands there afterwards.
class PipeCloser {
 public:
  PipeCloser() {
    for (int& fd : expected_) fd = open("/", O_PATH | O_CLOEXEC);
    for (const int fd : expected_) {
      if (fd >= 0) close(fd);
    }
  }
  ~PipeCloser() {
    struct stat ends[2];
    for (int i = 0; i < 2; ++i) {
      if (expected_[i] < 0 || fstat(expected_[i], &ends[i]) != 0 || !S_ISFIFO(ends[i].st_mode)) return;
    }
    if (ends[0].st_ino != ends[1].st_ino) return;
    for (const int fd : expected_) close(fd);
  }
  PipeCloser(const PipeCloser&) = delete;
  PipeCloser& operator=(const PipeCloser&) = delete;

 private:
  int expected_[2] = {-1, -1};
};

bool step_once(const Query& query, unw_cursor_t& cursor) {
  if (g_libunwind.init_remote(&cursor, g_libunwind.space, const_cast<Query*>(&query)) < 0) return false;
  return g_libunwind.step(&cursor) > 0;
}

template <class F>
bool bind(void* library, const char* name, F& out) {
  out = reinterpret_cast<F>(dlsym(library, name));
  return out != nullptr;
}

}  // namespace

bool start_unwinder(std::string& reason) {
  void* library = dlopen("libunwind-x86_64.so.8", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    dlerror();  // ours, not for the host to find
    reason = "libunwind-x86_64.so.8 (package libunwind8) could not be loaded";
    return false;
  }
  Libunwind& u = g_libunwind;
  if (!bind(library, CLOCKSHIM_NAME_OF(unw_create_addr_space), u.create_addr_space) ||
      !bind(library, CLOCKSHIM_NAME_OF(unw_set_caching_policy), u.set_caching_policy) ||
      !bind(library, CLOCKSHIM_NAME_OF(unw_init_remote), u.init_remote) || !bind(library, CLOCKSHIM_NAME_OF(unw_step), u.step) ||
      !bind(library, CLOCKSHIM_NAME_OF(unw_get_reg), u.get_reg) ||
      !bind(library, CLOCKSHIM_NAME_OF(UNW_OBJ(dwarf_search_unwind_table)), u.search_unwind_table)) {
    reason = "libunwind-x86_64.so.8 lacks a function that is needed";
    return false;
  }
  unw_accessors_t accessors{};
  accessors.find_proc_info = find_proc_info;
  accessors.put_unwind_info = put_unwind_info;
  accessors.get_dyn_info_list_addr = get_dyn_info_list_addr;
  accessors.access_mem = access_mem;
  accessors.access_reg = access_reg;
  accessors.access_fpreg = access_fpreg;
  accessors.resume = resume;
  accessors.get_proc_name = get_proc_name;
  // libunwind initialises itself in the next call: what that opens is closed when this function ends.
  const PipeCloser closer;
  const unw_addr_space_t space = u.create_addr_space(&accessors, 0);
  if (space == nullptr) {
    reason = "libunwind refused an address space";
    return false;
  }
  u.set_caching_policy(space, UNW_CACHE_NONE);  // no lock of its own, and nothing to go stale after dlclose
  u.space = space;
  FrameRule ignored;  // and whatever is left for the first step, so that a signal handler finds it done
  learn_rule(reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)), ignored);
  return true;
}

bool learn_rule(std::uintptr_t pc, FrameRule& out) noexcept {
  // libunwind blocks signals while it is at work: a system call, which the host has not asked for.
  if (g_libunwind.space == nullptr || self_contained()) return false;
  Query query{pc, {}};
  unw_cursor_t cursor;
  if (!find_module(pc, query.module) || !step_once(query, cursor)) return false;
  unw_word_t caller_pc = 0;
  unw_word_t cfa = 0;
  unw_word_t caller_frame = 0;
  if (g_libunwind.get_reg(&cursor, UNW_X86_64_RIP, &caller_pc) < 0 || g_libunwind.get_reg(&cursor, UNW_X86_64_RSP, &cfa) < 0 ||
      g_libunwind.get_reg(&cursor, UNW_X86_64_RBP, &caller_frame) < 0) {
    return false;
  }
  FrameRule rule;
  rule.from_frame = near(cfa, kMadeUpFrame);
  if (!rule.from_frame && !near(cfa, kMadeUpStack)) return false;
  if (caller_pc != cfa - sizeof(unw_word_t) + kRead) return false;  // the return address is somewhere else: not a plain call
  const auto offset = static_cast<std::int64_t>(cfa - (rule.from_frame ? kMadeUpFrame : kMadeUpStack));
  if (offset < static_cast<std::int64_t>(sizeof(unw_word_t))) return false;
  rule.cfa_offset = static_cast<std::int32_t>(offset);
  if (caller_frame != kMadeUpFrame) {
    const auto saved = static_cast<std::int64_t>(caller_frame - kRead - cfa);
    if (saved >= 0 || saved < INT16_MIN) return false;
    rule.saved_frame = static_cast<std::int16_t>(saved);
  }
  out = rule;
  return true;
}

}  // namespace clockshim
