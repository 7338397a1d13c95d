#include "callsite/python/cpython_layout.h"

#include <cstring>

#include "os/dynamic_symbols.h"

namespace clockshim {
namespace {

constexpr std::uint16_t kNone = CPythonLayout::kNone;

// Checked with 3.11.2, 3.11.7, 3.12.1, 3.13.0 and 3.14.10. A layout hardly ever changes within a
// minor version, but the sizes below are compared all the same.
constexpr CPythonLayout kLayouts[] = {
    {0x30B, 16, 240, 56, 8, 32, 48, 69, 120, 112, 128, 72, 184, 48, 72, 80, 0, 0, 0, 0, 0, 0, 0},
    {0x30C, 16, 224, 56, 0, 0, 8, 70, 120, 112, 128, 68, 192, 40, 56, 64, 0, 0, 0, 0, 0, 0, 0},
    {0x30D, 16, 224, 72, kNone, 0,   8,   70,  136, 112, 128, 68,
     200,   40, 56,  64, 184,   232, 240, 264, 280, 296, 312},
    {0x30E, 16, 224, 72, kNone, 0,   8,   74,  152, 112, 128, 68,
     208,   40, 56,  64, 208,   256, 264, 288, 320, 336, 352},
};

constexpr std::uint16_t kBasicSize = 32;  // PyTypeObject: tp_basicsize

std::uint64_t word_at(std::uintptr_t address) {
  return *reinterpret_cast<const std::uint64_t*>(address);
}

const CPythonLayout* layout_of(std::uint32_t version) {
  constexpr unsigned kFinal = 0xF;
  if ((version >> 4 & 0xFU) != kFinal) return nullptr;
  for (const CPythonLayout& layout : kLayouts) {
    if (layout.version == version >> 16) return &layout;
  }
  return nullptr;
}

class Exports {
 public:
  explicit Exports(const Module& module) : module_(module) {}
  [[nodiscard]] std::uintptr_t at(std::string_view name) const {
    return find_dynamic_symbol(module_, name).start;
  }
  [[nodiscard]] bool has(std::string_view name) const { return at(name) != 0; }
  // Checks the type's own type and the size of its objects.
  [[nodiscard]] bool type_is(std::string_view name, std::uint64_t size) const {
    const std::uintptr_t type = at(name);
    return type != 0 && word_at(type + CPythonLayout::kType) == at("PyType_Type") &&
           word_at(type + kBasicSize) == size;
  }

 private:
  const Module& module_;
};

template <class F>
bool bind(const Exports& exports, std::string_view name, F& out) {
  out = reinterpret_cast<F>(exports.at(name));
  return out != nullptr;
}

// Compares with the offsets that the interpreter publishes, if it does.
bool debug_offsets_fit(const Exports& exports, const CPythonLayout& layout, std::uint32_t version) {
  if (layout.debug_frame == 0) return true;
  const std::uintptr_t offsets = exports.at("_PyRuntime");
  constexpr std::uint16_t kVersion = 8;
  constexpr std::uint16_t kFreeThreaded = 16;
  return offsets != 0 && std::memcmp(reinterpret_cast<const void*>(offsets), "xdebugpy", 8) == 0 &&
         word_at(offsets + kVersion) == version && word_at(offsets + kFreeThreaded) == 0 &&
         word_at(offsets + layout.debug_frame) == layout.frame &&
         word_at(offsets + layout.debug_previous) == layout.previous &&
         word_at(offsets + layout.debug_executable) == layout.executable &&
         word_at(offsets + layout.debug_owner) == layout.owner &&
         word_at(offsets + layout.debug_filename) == layout.filename &&
         word_at(offsets + layout.debug_qualname) == layout.qualname &&
         word_at(offsets + layout.debug_first_line) == layout.first_line;
}

}  // namespace

CPythonIs check_cpython(const Module& module, CPythonSymbols& out) noexcept {
  const Exports exports(module);
  if (!bind(exports, "PyGILState_GetThisThreadState", out.own_state) ||
      (out.code_type = exports.at("PyCode_Type")) == 0 ||
      (out.str_type = exports.at("PyUnicode_Type")) == 0) {
    return CPythonIs::absent;
  }
  const std::uintptr_t version = exports.at("Py_Version");  // since 3.11
  out.version = version == 0 ? 0 : static_cast<std::uint32_t>(word_at(version));
  out.layout = layout_of(out.version);
  if (out.layout == nullptr) return CPythonIs::of_unknown_version;
  const CPythonLayout& layout = *out.layout;
  // Builds that count or link all objects have these: Py_REF_DEBUG, Py_TRACE_REFS.
  if (exports.has("_Py_NegativeRefcount") || exports.has("_Py_PrintReferences") ||
      !debug_offsets_fit(exports, layout, out.version) ||
      !exports.type_is("PyCode_Type", layout.code_size) ||
      !exports.type_is("PyFrame_Type", layout.frame_object_size) ||
      !exports.type_is("PyUnicode_Type", layout.str_size) ||
      (!bind(exports, "PyThreadState_GetUnchecked", out.running_state) &&
       !bind(exports, "_PyThreadState_UncheckedGet", out.running_state)) ||
      !bind(exports, "PyThreadState_GetInterpreter", out.interpreter_of) ||
      !bind(exports, "PyThreadState_GetID", out.id_of)) {
    return CPythonIs::of_unknown_build;
  }
  return CPythonIs::known;
}

}  // namespace clockshim
