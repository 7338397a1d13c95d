// The scopes of a unit of DWARF, as debug_info.cpp asks for them: by address, through inlined
// functions, and by declaration. Each unit and each function is walked through once, and never by
// recursion, because the file decides about the depth.
#pragma once

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace clockshim {

inline std::string text_or_empty(const char* s) { return s == nullptr ? "" : s; }

// The entry that declares a function: where its scope is. An inlined function refers to its
// abstract origin, and a member's definition to the declaration in its class (DWARF 5, 3.3.8
// and 2.13.2).
Dwarf_Die declaration_of(Dwarf_Die die);

struct AddressRange {
  Dwarf_Addr start;
  Dwarf_Addr end;
  std::size_t index;  // of what the range belongs to
};

void add_ranges(Dwarf_Die& die, std::size_t index, std::vector<AddressRange>& out);
void sort_ranges(std::vector<AddressRange>& ranges);
// The range that contains the address, among sorted ones that do not overlap. Null: none does.
const AddressRange* range_at(const std::vector<AddressRange>& ranges, Dwarf_Addr address);

// The code of one function, and what the compiler has inlined into it.
class FunctionScopes {
 public:
  explicit FunctionScopes(Dwarf_Die function) : scopes_{{function, 0}} {}

  // The scopes around an address of the function, innermost first, as they are nested in the
  // source, through inlined functions. The last is the function.
  std::vector<Dwarf_Die> at(Dwarf_Addr address);

 private:
  struct Scope {
    Dwarf_Die die;
    std::size_t parent;
  };

  void look_inside();

  std::vector<Scope> scopes_;  // the function first
  std::vector<AddressRange> ranges_;
  bool walked_ = false;
};

// The functions of one unit, found by address: dwarf_getscopes() walks through the unit for each
// address, which takes seconds for some hundred callers in a large unit.
class UnitScopes {
 public:
  explicit UnitScopes(Dwarf_Die unit);

  std::vector<Dwarf_Die> at(Dwarf_Addr address);

 private:
  std::vector<FunctionScopes> functions_;
  std::vector<AddressRange> ranges_;
};

// What the functions of one unit are declared in: dwarf_getscopes_die() walks through the unit for
// each function.
class DeclaredScopes {
 public:
  explicit DeclaredScopes(Dwarf_Die unit);

  // "app::Server::" for a function that is declared in there; "" in C.
  std::string around(Dwarf_Die declaration);

 private:
  struct Scope {
    Dwarf_Die die;
    std::size_t parent;
  };

  [[nodiscard]] std::size_t scope_of(Dwarf_Die declaration) const;

  std::vector<Scope> scopes_;                   // the unit first
  std::map<Dwarf_Off, std::size_t> functions_;  // to the scope of each
};

}  // namespace clockshim
