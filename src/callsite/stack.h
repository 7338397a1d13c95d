// Stack frames, and how to get from one to its caller's. The rule that finds a caller's frame is
// fixed for each return address, so it is learned once (from the module's unwind table) and then
// followed within a few nanoseconds.
#pragma once

#include <cstdint>

namespace clockshim {

struct Module;

// The registers of a frame. `pc` is a return address in its function; `stack` and `frame` are rsp
// and rbp as they are at that address. It has no initialisers, because every wrapped call has an
// array of frames, and clearing that would cost 30 ns.
struct Frame {
  std::uintptr_t pc;
  std::uintptr_t stack;
  std::uintptr_t frame;
};

// The rule for one return address. The canonical frame address (CFA, DWARF 5 section 6.4) is where
// the stack pointer stands after the frame's function has returned; the return address stands just
// below it.
struct FrameRule {
  std::int32_t cfa_offset = 0;   // CFA = (from_frame ? frame : stack) + cfa_offset
  std::int16_t saved_frame = 0;  // rbp was saved at CFA + saved_frame; 0: it is still the caller's
  bool from_frame = false;
  bool interpreted = false;  // the caller is what the interpreter runs (callsite/python/cpython.h),
                             // not a machine frame; the rule itself leads nowhere
  bool other_stack = false;  // the caller's frame may be on another stack: Go's runtime changes it

  // Packs the rule into one word, for a table's counter.
  [[nodiscard]] std::uint64_t packed() const {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(cfa_offset)) << 32 |
           static_cast<std::uint64_t>(static_cast<std::uint16_t>(saved_frame)) << 16 |
           (other_stack ? 4U : 0U) | (interpreted ? 2U : 0U) | (from_frame ? 1U : 0U);
  }
  static FrameRule unpacked(std::uint64_t word) {
    return FrameRule{static_cast<std::int32_t>(word >> 32),
                     static_cast<std::int16_t>(word >> 16 & 0xFFFF), (word & 1U) != 0,
                     (word & 2U) != 0, (word & 4U) != 0};
  }

  [[nodiscard]] std::uintptr_t cfa(const Frame& f) const {
    return (from_frame ? f.frame : f.stack) +
           static_cast<std::uintptr_t>(static_cast<std::intptr_t>(cfa_offset));
  }

  // Whether the rule leads to a place just above the frame's stack pointer, as the rule of a small
  // function does. A rule may be stale (its module was unloaded, other code was loaded in its
  // place, and rbp is any number there). Then its result may be wrong, but it still points to the
  // stack, which is mapped that far, because the thread's control block or the environment is above
  // it.
  static constexpr std::uintptr_t kNear = 1024;
  [[nodiscard]] bool leads_near(const Frame& f) const {
    return cfa(f) - f.stack - sizeof(std::uintptr_t) < kNear;
  }

  // The return address of the frame's function. Reads the stack, as caller_of() does.
  [[nodiscard]] std::uintptr_t return_address_of(const Frame& f) const {
    return *reinterpret_cast<const std::uintptr_t*>(cfa(f) - sizeof(std::uintptr_t));
  }

  // The caller's frame. It reads the stack, so the rule must be the one of frame.pc, and the frame
  // must exist.
  [[nodiscard]] Frame caller_of(const Frame& f) const {
    const std::uintptr_t top = cfa(f);
    const auto word_at = [](std::uintptr_t address) {
      return *reinterpret_cast<const std::uintptr_t*>(address);
    };
    const auto saved_at =
        top + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(saved_frame));
    return Frame{word_at(top - sizeof(std::uintptr_t)), top,
                 saved_frame != 0 ? word_at(saved_at) : f.frame};
  }
};

// Finds the rule for return address `pc` in the unwind table of its module; the frame itself is not
// looked at. False: there is none (no module, no table, a signal frame, a CFA that is neither rsp
// nor rbp plus a constant). Async-signal-safe, reentrant, uses some 600 bytes of stack.
bool learn_rule(std::uintptr_t pc, FrameRule& out) noexcept;

// Like learn_rule(), for a known module.
bool rule_from_table(const Module& module, std::uintptr_t pc, FrameRule& out) noexcept;

}  // namespace clockshim
