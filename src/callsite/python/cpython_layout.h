// Where CPython keeps what we read of it, for each version, and whether a module that claims to be
// CPython is one of these. The offsets come from its own headers (Include/internal/pycore_frame.h,
// Include/cpython/pystate.h, code.h, unicodeobject.h) and were measured on its builds. From 3.13 on
// the interpreter publishes most of them itself (_Py_DebugOffsets, at the start of _PyRuntime), and
// these are compared.
#pragma once

#include <cstdint>

#include "os/module.h"

namespace clockshim {

// Offsets in bytes, for a release with its usual build options. Other builds are refused
// (check_cpython).
struct CPythonLayout {
  std::uint16_t version;  // 0x30B is 3.11

  // PyThreadState: its interpreter, its id, and the frame that it runs. Up to 3.12 the frame is in
  // a _PyCFrame, which is on the C stack, or in the state itself if no function runs.
  static constexpr std::uint16_t kNone = 0xFFFF;
  std::uint16_t interpreter, id, frame, frame_in_cframe;

  // _PyInterpreterFrame; and the size of a frame object, which depends on it:
  // PyFrame_Type.tp_basicsize.
  std::uint16_t executable, previous, owner, frame_object_size;

  // PyCodeObject; and its size without the code itself: PyCode_Type.tp_basicsize.
  std::uint16_t filename, qualname, first_line, code_size;

  // str: where the characters begin in an ASCII string, and in another compact one; and
  // PyUnicode_Type.tp_basicsize.
  std::uint16_t ascii_data, compact_data, str_size;

  // The offsets within _Py_DebugOffsets at which `frame`, `previous`, `executable`, `owner`,
  // `filename`, `qualname` and `first_line` are published; 0: not published.
  std::uint16_t debug_frame, debug_previous, debug_executable, debug_owner, debug_filename,
      debug_qualname, debug_first_line;

  // These are the same in all versions.
  static constexpr std::uint16_t kType = 8;     // PyObject: ob_type
  static constexpr std::uint16_t kLength = 16;  // str: characters
  static constexpr std::uint16_t kHash = 24;    // str: -1 if it was not computed yet
  static constexpr std::uint16_t kState = 32;   // str: bits 2 to 4 kind, 5 compact, 6 ascii
  static constexpr std::uint8_t kFirstShim =
      3;  // frames with this owner or a higher one belong to no Python function
};

enum class CPythonIs : std::uint8_t {
  absent,  // it is no CPython
  known,   //
  of_unknown_version,
  of_unknown_build,  // a known version, but not built as usual: with Py_DEBUG, without the GIL, or
                     // modified
  second,            // another one is read already
};

// What is needed of a CPython to read its frames.
struct CPythonSymbols {
  const CPythonLayout* layout = nullptr;
  std::uint32_t version = 0;  // as Py_Version has it; 0: before 3.11
  std::uintptr_t code_type = 0;
  std::uintptr_t str_type = 0;
  // The calling thread's state, from its pthread key; and the state that runs Python code now
  // (from 3.12 on: in this thread). Neither takes a lock or reads a state.
  std::uintptr_t (*own_state)() = nullptr;
  std::uintptr_t (*running_state)() = nullptr;
  // Accessors for two members of a state. Their results must agree with the layout.
  std::uintptr_t (*interpreter_of)(std::uintptr_t state) = nullptr;
  std::uint64_t (*id_of)(std::uintptr_t state) = nullptr;
};

// Examines a module by its exported symbols and static data alone. Takes no lock, makes no system
// call.
CPythonIs check_cpython(const Module& module, CPythonSymbols& out) noexcept;

}  // namespace clockshim
