// Finds the Python functions behind a call. Since 3.11, CPython's functions have no machine frames
// of their own; the machine frames are the interpreter's, and the same for all functions. But the
// interpreter keeps frames of Python functions in plain memory, and a thread that reads the clock
// is in the middle of one. So that memory is read directly: without a lock, a system call, or a
// function of CPython that allocates.
//
// A thread's frames are read only while it is the one that runs Python code (holds the GIL), and
// through its own state. Without the GIL even the state may be freed: Py_Finalize() frees the
// states of daemon threads while they wait for the GIL, and read the clock.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/attributes.h"
#include "callsite/python/cpython_layout.h"
#include "live/layout.h"
#include "os/module.h"

namespace clockshim {

// A function as the interpreter knows it: its code object, and what names it.
struct PythonCode {
  std::uintptr_t code = 0;
  std::uintptr_t qualname = 0;
  std::uintptr_t filename = 0;
  std::uint64_t qualname_hash = 0;
  std::uint64_t filename_hash = 0;
  std::uint32_t first_line = 0;
};

class CPython {
 public:
  constexpr CPython() = default;

  // Whether the module contains a CPython whose frames can be read. The first such one is kept;
  // there is no room for a second.
  CPythonIs look_at(const Module& module, std::uint32_t& version) noexcept;

  // Whether an address is in the module that is kept.
  [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
    const State state = state_.load(std::memory_order_acquire);
    return (state == State::kept || state == State::fits) &&
           address - start_.load(std::memory_order_relaxed) < size_;
  }

  // Forgets the module that began at `start`, because it is unloaded.
  void forget(std::uintptr_t start) noexcept;

  // HOT, like all inline functions here. Returns the frame of the Python function that the calling
  // thread runs; 0: it runs none, or that is not certain.
  CLOCKSHIM_INLINE std::uintptr_t running() noexcept {
    if (CLOCKSHIM_UNLIKELY(state_.load(std::memory_order_acquire) != State::fits) && !fits_now())
      return 0;
    // The order matters: a thread that has a state also has what the other function needs.
    const std::uintptr_t own = symbols_.own_state();
    if (own == 0 || own != symbols_.running_state()) return 0;
    std::uintptr_t at = word_at(own + layout_.frame);
    if (layout_.frame_in_cframe != CPythonLayout::kNone) {
      // It is on the C stack, above us, or in the state if no function runs.
      constexpr std::uintptr_t kReach = 64U << 20;
      if (at - reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) >= kReach ||
          !plausible(at))
        return 0;
      at = word_at(at + layout_.frame_in_cframe);
    }
    return function_at(at);
  }

  // The frame of the Python function that called this one; 0: none.
  [[nodiscard]] std::uintptr_t behind(std::uintptr_t frame) const noexcept {
    return function_at(word_at(frame + layout_.previous));
  }

  // The object that a frame runs. For a function it is its code.
  [[nodiscard]] std::uintptr_t executable_of(std::uintptr_t frame) const noexcept {
    constexpr std::uintptr_t kTag =
        3;  // from 3.14 on, the low bits of a reference in a frame say who counts it
    return word_at(frame + layout_.executable) & ~kTag;
  }

  // Reads what is needed of a function's code. False: the object is no function's code, or its
  // names can't be read.
  bool read_code(std::uintptr_t object, PythonCode& out) const noexcept;

  // HOT. Whether the code at known.code is still the same. Memory is reused, so its names are
  // compared, by address and by hash. Python has hashed most names already; the others are hashed
  // here.
  CLOCKSHIM_INLINE bool is_still(const PythonCode& known) const noexcept {
    return word_at(known.code + layout_.qualname) == known.qualname &&
           word_at(known.code + layout_.filename) == known.filename &&
           *reinterpret_cast<const std::uint32_t*>(known.code + layout_.first_line) ==
               known.first_line &&
           hash_of(known.qualname) == known.qualname_hash &&
           hash_of(known.filename) == known.filename_hash;
  }

  // A hash of the function's names and line, which identifies it in the counts. Never 0.
  [[nodiscard]] std::uint64_t key_of(const PythonCode& code) const noexcept;

  // Writes the names, in UTF-8. The beginning of a long one is cut.
  void name(const PythonCode& code, live::Name& out) const noexcept;

 private:
  enum class State : std::uint8_t { none, kept, fits, unfit };

  // A valid str.
  struct Text {
    const unsigned char* data;
    std::uint64_t length;  // characters
    unsigned kind;         // bytes a character
    [[nodiscard]] std::uint64_t character(std::uint64_t i) const noexcept;
  };

  // Reads a word at any address: a string's characters need not be aligned.
  static std::uintptr_t word_at(std::uintptr_t address) {
    std::uintptr_t word;
    std::memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
    return word;
  }
  // Whether an object may be at this address: above vm.mmap_min_addr, below the kernel's half,
  // aligned.
  static bool plausible(std::uintptr_t address) {
    constexpr std::uintptr_t kLowest = 1U << 16;
    constexpr std::uintptr_t kHighest = 1ULL << 47;
    return address - kLowest < kHighest - kLowest && address % alignof(std::uintptr_t) == 0;
  }
  // One step of a hash, with 2^64 / phi, Knuth's constant.
  static std::uint64_t stirred(std::uint64_t hash, std::uint64_t word) {
    return (std::rotl(hash, 23) ^ word) * 0x9E3779B97F4A7C15ULL;
  }

  // This frame if it is a function's, else the first one behind it that is. Between functions there
  // are shim frames, where C code has called Python code.
  CLOCKSHIM_INLINE std::uintptr_t function_at(std::uintptr_t frame) const noexcept {
    constexpr unsigned kMostShims = 16;  // in a row: there are never more than two
    for (unsigned shims = 0; plausible(frame) && shims < kMostShims; ++shims) {
      const auto owner = *reinterpret_cast<const std::uint8_t*>(frame + layout_.owner);
      if (CLOCKSHIM_LIKELY(owner < CPythonLayout::kFirstShim)) return frame;
      frame = word_at(frame + layout_.previous);
    }
    return 0;
  }

  CLOCKSHIM_INLINE std::uint64_t hash_of(std::uintptr_t str) const noexcept {
    const std::uint64_t known = word_at(str + CPythonLayout::kHash);
    return CLOCKSHIM_LIKELY(known != kNoHash) ? known : own_hash_of(str);
  }
  static constexpr std::uint64_t kNoHash =
      ~0ULL;  // not computed yet; as our own result: it can't be read
  [[nodiscard]] std::uint64_t own_hash_of(std::uintptr_t str) const noexcept;

  bool text_of(std::uintptr_t object, Text& out) const noexcept;
  static std::uint64_t mixed(std::uint64_t hash, const Text& text) noexcept;
  static void put(const Text& text, char* out, std::size_t size) noexcept;
  CLOCKSHIM_SLOW bool fits_now() noexcept;

  std::atomic<State> state_{State::none};
  CPythonLayout layout_{};
  CPythonSymbols symbols_{};
  std::atomic<std::uintptr_t> start_{};  // 0: none is kept
  std::uintptr_t size_ = 0;
};

extern constinit CPython g_cpython;

}  // namespace clockshim
