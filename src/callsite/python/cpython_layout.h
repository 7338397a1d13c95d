// Where CPython keeps what we read of it, version by version, and whether a module that calls
// itself CPython is one of these. Facts of its own headers (Include/internal/pycore_frame.h,
// Include/cpython/pystate.h, code.h, unicodeobject.h), measured on its builds; from 3.13 on the
// interpreter says most of them itself (_Py_DebugOffsets, the head of _PyRuntime), and is compared.
#pragma once

#include <cstdint>

#include "os/module.h"

namespace clockshim {

// Offsets in bytes. Of a release with its usual build options: others are refused (check_cpython).
struct CPythonLayout {
  std::uint16_t version;  // 0x30B is 3.11

  // PyThreadState: which interpreter's, its number, and the frame that it runs; up to 3.12 that
  // stands in a _PyCFrame, which is on the C stack, or in the state itself where no function runs.
  static constexpr std::uint16_t kNone = 0xFFFF;
  std::uint16_t interpreter, id, frame, frame_in_cframe;

  // _PyInterpreterFrame; and the size of a frame object, which tells of it:
  // PyFrame_Type.tp_basicsize.
  std::uint16_t executable, previous, owner, frame_object_size;

  // PyCodeObject; its size without the code itself: PyCode_Type.tp_basicsize.
  std::uint16_t filename, qualname, first_line, code_size;

  // str: where the characters of an ASCII string begin, and of another compact one;
  // PyUnicode_Type.tp_basicsize.
  std::uint16_t ascii_data, compact_data, str_size;

  // Where in _Py_DebugOffsets stands what `frame`, `previous`, `executable`, `owner`, `filename`,
  // `qualname` and `first_line` are; 0: it does not say.
  std::uint16_t debug_frame, debug_previous, debug_executable, debug_owner, debug_filename,
      debug_qualname, debug_first_line;

  // The same in all of them.
  static constexpr std::uint16_t kType = 8;     // PyObject: ob_type
  static constexpr std::uint16_t kLength = 16;  // str: characters
  static constexpr std::uint16_t kHash = 24;    // str: -1 where it has not been asked for yet
  static constexpr std::uint16_t kState = 32;   // str: bits 2 to 4 kind, 5 compact, 6 ascii
  static constexpr std::uint8_t kFirstShim =
      3;  // frames with this owner or a higher one are none of a Python function
};

enum class CPythonIs : std::uint8_t {
  absent,  // no CPython at all
  known,   //
  of_unknown_version,
  of_unknown_build,  // a version that is known, but not as it is usually built: with Py_DEBUG,
                     // without the GIL, changed by somebody
  second,            // another one is read already
};

// What is needed of a CPython to read its frames.
struct CPythonSymbols {
  const CPythonLayout* layout = nullptr;
  std::uint32_t version = 0;  // as Py_Version has it; 0: before 3.11
  std::uintptr_t code_type = 0;
  std::uintptr_t str_type = 0;
  // Of the calling thread, from its pthread key; and the one that runs Python code now (from 3.12
  // on: in this thread). Neither of them takes a lock or looks into a state.
  std::uintptr_t (*own_state)() = nullptr;
  std::uintptr_t (*running_state)() = nullptr;
  // Accessors for two members of a state: what they say has to fit the layout.
  std::uintptr_t (*interpreter_of)(std::uintptr_t state) = nullptr;
  std::uint64_t (*id_of)(std::uintptr_t state) = nullptr;
};

// By the module's exported symbols and static data alone. No lock, no system call.
CPythonIs check_cpython(const Module& module, CPythonSymbols& out) noexcept;

}  // namespace clockshim
