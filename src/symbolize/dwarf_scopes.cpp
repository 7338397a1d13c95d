#include "symbolize/dwarf_scopes.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace clockshim {
namespace {

// Visits what is inside of `root` in the order of the file. visit(die, parent) returns what the
// die's own children are given as `parent`; no value: they are not visited. No recursion, because
// the file decides about the depth.
template <class Visit>
void walk(Dwarf_Die root, Visit visit) {
  struct Pending {
    Dwarf_Die die;
    std::size_t parent;
  };
  std::vector<Pending> pending(1);
  if (dwarf_child(&root, &pending.back().die) != 0) return;
  while (!pending.empty()) {
    Pending now = pending.back();
    pending.pop_back();
    Dwarf_Die next;
    if (dwarf_siblingof(&now.die, &next) == 0) pending.push_back({next, now.parent});
    const std::optional<std::size_t> inside = visit(now.die, now.parent);
    if (inside && dwarf_child(&now.die, &next) == 0) pending.push_back({next, *inside});
  }
}

}  // namespace

Dwarf_Die declaration_of(Dwarf_Die die) {
  constexpr int kMostReferences = 16;  // a damaged file may have a circle
  for (int i = 0; i < kMostReferences; ++i) {
    Dwarf_Attribute attribute;
    Dwarf_Die next;
    if (dwarf_formref_die(dwarf_attr(&die, DW_AT_abstract_origin, &attribute), &next) == nullptr &&
        dwarf_formref_die(dwarf_attr(&die, DW_AT_specification, &attribute), &next) == nullptr)
      break;
    die = next;
  }
  return die;
}

void add_ranges(Dwarf_Die& die, std::size_t index, std::vector<AddressRange>& out) {
  Dwarf_Addr base = 0;
  Dwarf_Addr start = 0;
  Dwarf_Addr end = 0;
  for (std::ptrdiff_t at = 0; (at = dwarf_ranges(&die, at, &base, &start, &end)) > 0;)
    out.push_back({start, end, index});
}

void sort_ranges(std::vector<AddressRange>& ranges) {
  std::stable_sort(ranges.begin(), ranges.end(),
                   [](const AddressRange& a, const AddressRange& b) { return a.start < b.start; });
}

const AddressRange* range_at(const std::vector<AddressRange>& ranges, Dwarf_Addr address) {
  auto behind =
      std::upper_bound(ranges.begin(), ranges.end(), address,
                       [](Dwarf_Addr at, const AddressRange& range) { return at < range.start; });
  return behind != ranges.begin() && address < (--behind)->end ? &*behind : nullptr;
}

std::vector<Dwarf_Die> FunctionScopes::at(Dwarf_Addr address) {
  if (!walked_) look_inside();
  std::size_t inner = 0;
  // Scopes come behind those that they are nested in.
  for (const AddressRange& range : ranges_) {
    if (range.start <= address && address < range.end) inner = std::max(inner, range.index);
  }
  std::vector<Dwarf_Die> out{scopes_[inner].die};
  while (inner != 0) out.push_back(scopes_[inner = scopes_[inner].parent].die);
  return out;
}

void FunctionScopes::look_inside() {
  walked_ = true;
  walk(scopes_[0].die, [this](Dwarf_Die& die, std::size_t parent) -> std::optional<std::size_t> {
    switch (dwarf_tag(&die)) {
      case DW_TAG_inlined_subroutine:
      case DW_TAG_lexical_block:
      case DW_TAG_try_block:
      case DW_TAG_catch_block:
      case DW_TAG_with_stmt: break;
      default: return std::nullopt;
    }
    scopes_.push_back({die, parent});
    add_ranges(die, scopes_.size() - 1, ranges_);
    return scopes_.size() - 1;
  });
}

UnitScopes::UnitScopes(Dwarf_Die unit) {
  walk(unit, [this](Dwarf_Die& die, std::size_t) -> std::optional<std::size_t> {
    switch (dwarf_tag(&die)) {
      case DW_TAG_namespace:
      case DW_TAG_module:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type: return 0;
      case DW_TAG_subprogram: break;
      default: return std::nullopt;
    }
    const std::size_t known = ranges_.size();
    add_ranges(die, functions_.size(), ranges_);
    if (ranges_.size() > known) functions_.emplace_back(die);
    return std::nullopt;
  });
  sort_ranges(ranges_);
}

std::vector<Dwarf_Die> UnitScopes::at(Dwarf_Addr address) {
  const AddressRange* const range = range_at(ranges_, address);
  return range == nullptr ? std::vector<Dwarf_Die>() : functions_[range->index].at(address);
}

DeclaredScopes::DeclaredScopes(Dwarf_Die unit) : scopes_{{unit, 0}} {
  walk(unit, [this](Dwarf_Die& die, std::size_t parent) -> std::optional<std::size_t> {
    switch (dwarf_tag(&die)) {
      case DW_TAG_lexical_block: return parent;
      case DW_TAG_subprogram: functions_[dwarf_dieoffset(&die)] = parent; break;
      case DW_TAG_namespace:
      case DW_TAG_module:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type: break;
      default: return std::nullopt;
    }
    scopes_.push_back({die, parent});
    return scopes_.size() - 1;
  });
}

std::string DeclaredScopes::around(Dwarf_Die declaration) {
  constexpr int kDeepest = 100;  // a damaged file may have a circle
  std::string out;
  std::size_t at = scope_of(declaration);
  for (int i = 0; at != 0 && i < kDeepest; ++i) {
    Dwarf_Die* const die = &scopes_[at].die;
    const int tag = dwarf_tag(die);
    std::string name = text_or_empty(dwarf_diename(die));
    if (tag == DW_TAG_subprogram) name += "()";
    if (tag == DW_TAG_namespace && name.empty()) name = "(anonymous namespace)";
    if ((tag == DW_TAG_class_type || tag == DW_TAG_structure_type) && name.empty())
      name = "{lambda}";  // it has a function
    if (!name.empty()) out.insert(0, name + "::");
    // A member function is defined outside of its class.
    at = tag == DW_TAG_subprogram ? scope_of(declaration_of(*die)) : scopes_[at].parent;
  }
  return out;
}

std::size_t DeclaredScopes::scope_of(Dwarf_Die declaration) const {
  const auto found = functions_.find(dwarf_dieoffset(&declaration));
  return found == functions_.end() ? 0 : found->second;
}

}  // namespace clockshim
