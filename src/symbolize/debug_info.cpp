#include "symbolize/debug_info.h"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "symbolize/dwarf_scopes.h"
#include "symbolize/go_functions.h"

namespace clockshim {
namespace {

// libdwfl's search path, like gdb's: beside the file, in .debug, in /usr/lib/debug; the build-id is
// tried before all of these.
char* g_debug_path = nullptr;
const Dwfl_Callbacks kCallbacks = {nullptr, dwfl_standard_find_debuginfo,
                                   dwfl_offline_section_address, &g_debug_path};

std::string demangled(const char* name) {
  if (name == nullptr) return "";
  std::string out = name;
  // A C function called w is not wchar_t, which is what the ABI calls so.
  if (out.starts_with("_Z")) {
    int status = 0;
    char* const readable = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    if (status == 0 && readable != nullptr) out = readable;
    std::free(readable);
  }
  // Rust's legacy mangling ends in a hash: name::h0123456789abcdef.
  constexpr std::size_t kHash = 19;
  if (out.size() > kHash && out.compare(out.size() - kHash, 3, "::h") == 0 &&
      out.find_first_not_of("0123456789abcdef", out.size() - kHash + 3) == std::string::npos) {
    out.resize(out.size() - kHash);
  }
  return out;
}

std::string linkage_name(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (const unsigned which : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(die, which, &attribute) != nullptr)
      return demangled(dwarf_formstring(&attribute));
  }
  return "";
}

std::uint32_t number_of(Dwarf_Die* die, unsigned attribute_name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(die, attribute_name, &attribute), &value) != 0) return 0;
  return static_cast<std::uint32_t>(std::min<Dwarf_Word>(value, UINT32_MAX));
}

}  // namespace

struct DebugInfo::Handles {
  Dwfl* session = nullptr;
  Dwfl_Module* module = nullptr;
  Dwarf_Addr bias = 0;                       // of the session's addresses, relative to the file's
  std::unique_ptr<ImportedCalls> code{};     // made at the first use
  std::map<Dwarf_Off, UnitScopes> scopes{};  // by the offset of the unit
  std::map<Dwarf_Off, DeclaredScopes> declared{};
  std::vector<Dwarf_Die*> units{};  // listed when first needed
  std::vector<AddressRange> unit_ranges{};
  bool units_listed = false;
  std::vector<GoFunction> go{};  // read when first needed
  bool go_read = false;

  ~Handles() { dwfl_end(session); }

  // Finds the unit that contains this address of the session, and the bias of its addresses.
  Dwarf_Die* unit_at(Dwarf_Addr address, Dwarf_Addr& debug_bias) {
    // Clang and Go write no .debug_aranges. Then there is none, or, beside objects of GCC, one that
    // merely comes before.
    if (Dwarf_Die* unit = dwfl_module_addrdie(module, address, &debug_bias);
        unit != nullptr && dwarf_haspc(unit, address - debug_bias) > 0)
      return unit;
    if (!units_listed) {
      units_listed = true;
      for (Dwarf_Die* unit = nullptr;
           (unit = dwfl_module_nextcu(module, unit, &debug_bias)) != nullptr;) {
        add_ranges(*unit, units.size(), unit_ranges);
        units.push_back(unit);
      }
      sort_ranges(unit_ranges);
    }
    if (dwfl_module_getdwarf(module, &debug_bias) == nullptr) return nullptr;
    const AddressRange* const range = range_at(unit_ranges, address - debug_bias);
    return range == nullptr ? nullptr : units[range->index];
  }

  // Functions that only their own file can see have no linkage name: they are named by what they
  // are declared in.
  std::string name_of(Dwarf_Die* die) {
    std::string name = linkage_name(die);
    if (!name.empty()) return name;
    name = text_or_empty(dwarf_diename(die));
    Dwarf_Die declaration = declaration_of(*die);
    Dwarf_Die unit;
    if (name.empty() || dwarf_diecu(&declaration, &unit, nullptr, nullptr) == nullptr) return name;
    const auto [known, added] = declared.try_emplace(dwarf_dieoffset(&unit), unit);
    return known->second.around(declaration) + name;
  }

  // A stripped Go program still has its own table of functions.
  void name_by_go(std::uint64_t address, Function& out) {
    if (!go_read) {
      Dwarf_Addr unused = 0;
      go = read_go_functions(dwfl_module_getelf(module, &unused));
      go_read = true;
    }
    const auto behind =
        std::upper_bound(go.begin(), go.end(), address,
                         [](std::uint64_t at, const GoFunction& f) { return at < f.start; });
    if (behind == go.begin() || address >= std::prev(behind)->end) return;
    out.name = std::prev(behind)->name;
    out.offset = address - std::prev(behind)->start;
  }

  std::vector<Dwarf_Die> scopes_at(Dwarf_Die* unit, Dwarf_Addr address) {
    const auto [known, added] = scopes.try_emplace(dwarf_dieoffset(unit), *unit);
    return known->second.at(address);
  }
};

DebugInfo::DebugInfo(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {
  const unsigned char* bits = nullptr;
  GElf_Addr at = 0;
  const int size = dwfl_module_build_id(handles_->module, &bits, &at);
  constexpr char kHex[] = "0123456789abcdef";
  for (int i = 0; i < size; ++i) {
    build_id_ += kHex[bits[i] >> 4];
    build_id_ += kHex[bits[i] & 15U];
  }
}

DebugInfo::~DebugInfo() = default;

std::unique_ptr<DebugInfo> DebugInfo::open(const std::string& path) {
  auto handles = std::make_unique<Handles>();
  handles->session = dwfl_begin(&kCallbacks);
  if (handles->session == nullptr) return nullptr;
  dwfl_report_begin(handles->session);
  handles->module = dwfl_report_elf(handles->session, path.c_str(), path.c_str(), -1, 0, true);
  dwfl_report_end(handles->session, nullptr, nullptr);
  if (handles->module == nullptr || dwfl_module_getelf(handles->module, &handles->bias) == nullptr)
    return nullptr;
  return std::unique_ptr<DebugInfo>(new DebugInfo(std::move(handles)));
}

const ImportedCalls& DebugInfo::code() {
  if (handles_->code == nullptr) {
    Dwarf_Addr bias = 0;
    handles_->code = std::make_unique<ImportedCalls>(dwfl_module_getelf(handles_->module, &bias));
  }
  return *handles_->code;
}

std::vector<DebugInfo::Function> DebugInfo::at(std::uint64_t file_address) {
  Dwfl_Module* const module = handles_->module;
  const Dwarf_Addr address = file_address + handles_->bias;
  Function outermost;
  GElf_Off offset = 0;
  GElf_Sym symbol;
  const char* const name =
      dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
  // The symbol may include a version: __libc_start_main@@GLIBC_2.34.
  const std::string symbol_name = text_or_empty(name);
  outermost.name = demangled(symbol_name.substr(0, symbol_name.find('@', 1)).c_str());
  outermost.offset = name == nullptr ? 0 : offset;
  if (name == nullptr) handles_->name_by_go(file_address, outermost);

  std::string file;
  int line = 0;
  std::vector<Function> out;
  Dwarf_Addr bias = 0;
  Dwarf_Die* const unit = handles_->unit_at(address, bias);
  if (unit != nullptr) {
    if (Dwarf_Line* const found = dwarf_getsrc_die(unit, address - bias); found != nullptr) {
      file = text_or_empty(dwarf_linesrc(found, nullptr, nullptr));
      dwarf_lineno(found, &line);
    }
  }
  Dwarf_Files* files = nullptr;
  if (unit != nullptr && dwarf_getsrcfiles(unit, &files, nullptr) != 0) files = nullptr;
  std::vector<Dwarf_Die> scopes;
  if (unit != nullptr) scopes = handles_->scopes_at(unit, address - bias);
  for (Dwarf_Die& scope : scopes) {
    const int tag = dwarf_tag(&scope);
    if (tag == DW_TAG_subprogram) {
      if (outermost.name.empty()) outermost.name = handles_->name_of(&scope);
      break;
    }
    if (tag != DW_TAG_inlined_subroutine) continue;
    out.push_back(
        {handles_->name_of(&scope), file, static_cast<std::uint32_t>(std::max(line, 0)), 0, true});
    // The enclosing function's place is where the call is.
    file = files == nullptr ? ""
                            : text_or_empty(dwarf_filesrc(files, number_of(&scope, DW_AT_call_file),
                                                          nullptr, nullptr));
    line = static_cast<int>(number_of(&scope, DW_AT_call_line));
  }
  outermost.file = file;
  outermost.line = static_cast<std::uint32_t>(std::max(line, 0));
  out.push_back(std::move(outermost));
  return out;
}

}  // namespace clockshim
