// The rules that we read from unwind tables are those that libunwind finds, for every address of
// the modules that are loaded here.
//
// libunwind is given a stack that does not exist: rsp and rbp have two made-up values, and every
// word "read" from there is its own address, marked. (Unmarked, a word that rbp points to, where
// frame pointers are saved, would be taken for an rbp that was not saved at all.) After one step
// the caller's registers tell which addresses it has made of them.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <libunwind-x86_64.h>
#include <link.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "callsite/stack.h"
#include "os/module.h"

extern "C" int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t*,
                                                  unw_proc_info_t*, int, void*);

namespace clockshim {
namespace {

// In the hole between the canonical halves, where no real address can be.
constexpr unw_word_t kMadeUpStack = 0x4000'0000'0000'0000;
constexpr unw_word_t kMadeUpFrame = 0x5000'0000'0000'0000;
constexpr unw_word_t kRead = 0x0200'0000'0000'0000;  // marks a word that was read
constexpr unw_word_t kReach = 1U << 20;              // no frame is taken to be larger

bool near(unw_word_t address, unw_word_t base) { return address - (base - kReach) < 2 * kReach; }

struct Query {
  unw_word_t pc;
  Module module;
};

int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t* info,
                   int need_unwind_info, void* argument) {
  const auto& query = *static_cast<const Query*>(argument);
  const std::uint8_t* header = query.module.unwind_header;
  std::uint32_t count;
  std::memcpy(&count, header + 8, sizeof count);
  unw_dyn_info_t table{};
  table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
  table.start_ip = query.module.map_start;
  table.end_ip = query.module.map_end;
  table.u.rti.segbase = reinterpret_cast<unw_word_t>(header);
  table.u.rti.table_data = reinterpret_cast<unw_word_t>(header + 12);
  table.u.rti.table_len = count * 8ULL / sizeof(unw_word_t);
  const int result =
      UNW_OBJ(dwarf_search_unwind_table)(space, ip, &table, info, need_unwind_info, argument);
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
    default: *value = 0; return 0;  // what depends on another register ends nowhere, and is no rule
  }
}

void put_unwind_info(unw_addr_space_t, unw_proc_info_t*, void*) {}
int get_dyn_info_list_addr(unw_addr_space_t, unw_word_t*, void*) { return -UNW_ENOINFO; }
int access_fpreg(unw_addr_space_t, unw_regnum_t, unw_fpreg_t*, int, void*) { return -UNW_EBADREG; }
int resume(unw_addr_space_t, unw_cursor_t*, void*) { return -UNW_EINVAL; }
int get_proc_name(unw_addr_space_t, unw_word_t, char*, std::size_t, unw_word_t*, void*) {
  return -UNW_ENOINFO;
}

unw_addr_space_t make_space() {
  unw_accessors_t accessors{};
  accessors.find_proc_info = find_proc_info;
  accessors.put_unwind_info = put_unwind_info;
  accessors.get_dyn_info_list_addr = get_dyn_info_list_addr;
  accessors.access_mem = access_mem;
  accessors.access_reg = access_reg;
  accessors.access_fpreg = access_fpreg;
  accessors.resume = resume;
  accessors.get_proc_name = get_proc_name;
  const unw_addr_space_t space = unw_create_addr_space(&accessors, 0);
  unw_set_caching_policy(space, UNW_CACHE_NONE);
  return space;
}

// The rule at `pc` itself, which is no return address here.
bool by_libunwind(const Module& module, std::uintptr_t pc, FrameRule& out) {
  static const unw_addr_space_t space = make_space();
  Query query{pc, module};
  unw_cursor_t cursor;
  unw_word_t caller_pc = 0;
  unw_word_t cfa = 0;
  unw_word_t caller_frame = 0;
  if (unw_init_remote(&cursor, space, &query) < 0 || unw_step(&cursor) <= 0 ||
      unw_get_reg(&cursor, UNW_X86_64_RIP, &caller_pc) < 0 ||
      unw_get_reg(&cursor, UNW_X86_64_RSP, &cfa) < 0 ||
      unw_get_reg(&cursor, UNW_X86_64_RBP, &caller_frame) < 0)
    return false;
  FrameRule rule;
  rule.from_frame = near(cfa, kMadeUpFrame);
  if (!rule.from_frame && !near(cfa, kMadeUpStack)) return false;
  if (caller_pc != cfa - sizeof(unw_word_t) + kRead) return false;
  const auto offset =
      static_cast<std::int64_t>(cfa - (rule.from_frame ? kMadeUpFrame : kMadeUpStack));
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

std::string shown(bool found, const FrameRule& rule) {
  if (!found) return "none";
  return std::string(rule.from_frame ? "rbp+" : "rsp+") + std::to_string(rule.cfa_offset) +
         " rbp at " + std::to_string(rule.saved_frame);
}

// Where the functions of a module begin, by its table.
std::vector<std::uintptr_t> functions_of(const Module& module) {
  std::vector<std::uintptr_t> starts;
  std::uint32_t count;
  std::memcpy(&count, module.unwind_header + 8, sizeof count);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::int32_t start;
    std::memcpy(&start, module.unwind_header + 12 + 8 * i, sizeof start);
    starts.push_back(reinterpret_cast<std::uintptr_t>(module.unwind_header) +
                     static_cast<std::uintptr_t>(std::intptr_t{start}));
  }
  return starts;
}

TEST(UnwindOracle, EveryRuleIsWhatLibunwindFinds) {
  std::vector<std::uintptr_t> headers;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        for (const auto& header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
          if (header.p_type == PT_GNU_EH_FRAME)
            static_cast<std::vector<std::uintptr_t>*>(out)->push_back(info->dlpi_addr +
                                                                      header.p_vaddr);
        }
        return 0;
      },
      &headers);
  long same = 0;
  long rules = 0;
  long different = 0;
  for (const std::uintptr_t header : headers) {
    Module module;
    if (!find_module(header, module) || module.unwind_header == nullptr) continue;
    const auto functions = functions_of(module);
    // In a large module, some of the functions; and of a large one some addresses.
    std::uintptr_t linkage_table = 0;
    const std::size_t every = functions.size() / 700 + 1;
    for (std::size_t i = 0; i + 1 < functions.size(); i += every) {
      const std::uintptr_t size = functions[i + 1] - functions[i];
      const std::uintptr_t step = size / 200 + 1;
      for (std::uintptr_t pc = functions[i]; pc < functions[i + 1]; pc += step) {
        FrameRule theirs;
        FrameRule ours;
        const bool they = by_libunwind(module, pc, theirs);
        const bool we = rule_from_table(module, pc + 1, ours);
        if (shown(they, theirs) == shown(we, ours)) {
          ++same;
          rules += we ? 1 : 0;
          continue;
        }
        // A module's procedure linkage table is described by an expression. No return address
        // stands there.
        if (!we && (linkage_table == 0 || linkage_table == functions[i])) {
          linkage_table = functions[i];
          continue;
        }
        if (++different > 10) continue;
        ADD_FAILURE() << module.path << " +0x" << std::hex << pc - module.load_bias
                      << ": libunwind " << shown(they, theirs) << ", ours " << shown(we, ours);
      }
    }
  }
  EXPECT_EQ(different, 0);
  EXPECT_GT(rules, 10'000);
  EXPECT_GT(same, rules) << "and addresses that have none";
  RecordProperty("addresses", std::to_string(same + different));
  RecordProperty("rules", std::to_string(rules));
}

}  // namespace
}  // namespace clockshim
