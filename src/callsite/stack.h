// Frames: how to get from one return address to the next, and who knows how. The rule that finds a
// caller's frame is fixed for each return address, so it is learned once (from the module's unwind
// table) and then walked for a few nanoseconds a frame.
#pragma once

#include <cstdint>

namespace clockshim {

struct Module;

// Registers of a frame: `pc` is a return address in it; `stack` and `frame` are rsp and rbp as they
// are at that address. No initialisers: an array of them stands on the path of every wrapped call,
// and clearing it would cost 30 ns.
struct Frame {
  std::uintptr_t pc;
  std::uintptr_t stack;
  std::uintptr_t frame;
};

// The rule for one return address. The canonical frame address (CFA, DWARF 5 section 6.4) is where
// the stack pointer stands after the frame's function has returned; the return address stands just
// below it.
struct FrameRule {
  std::int32_t cfa_offset = 0;  // CFA = (from_frame ? frame : stack) + cfa_offset
  std::int16_t saved_frame =
      0;  // rbp was saved at CFA + saved_frame; 0: it still holds the caller's
  bool from_frame = false;
  bool interpreted = false;  // no machine frame: what is behind is what the interpreter runs
                             // (callsite/python/cpython.h). Leads nowhere by itself

  // For storing in one counter word.
  [[nodiscard]] std::uint64_t packed() const {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(cfa_offset)) << 32 |
           static_cast<std::uint64_t>(static_cast<std::uint16_t>(saved_frame)) << 16 |
           (interpreted ? 2U : 0U) | (from_frame ? 1U : 0U);
  }
  static FrameRule unpacked(std::uint64_t word) {
    return FrameRule{static_cast<std::int32_t>(word >> 32),
                     static_cast<std::int16_t>(word >> 16 & 0xFFFF), (word & 1U) != 0,
                     (word & 2U) != 0};
  }

  [[nodiscard]] std::uintptr_t cfa(const Frame& f) const {
    return (from_frame ? f.frame : f.stack) +
           static_cast<std::uintptr_t>(static_cast<std::intptr_t>(cfa_offset));
  }

  // Whether the rule leads to a place just above the frame's stack pointer, as a small function's
  // does. A rule may be stale (its module unloaded, other code in its place, rbp a mere number
  // there): then what it finds may be wrong, but it is looked for on the stack only, which is
  // mapped that far: the thread's control block or the environment stands above.
  static constexpr std::uintptr_t kNear = 1024;
  [[nodiscard]] bool leads_near(const Frame& f) const {
    return cfa(f) - f.stack - sizeof(std::uintptr_t) < kNear;
  }

  // Where the frame's function returns to. Reads the stack, as caller_of() does.
  [[nodiscard]] std::uintptr_t return_address_of(const Frame& f) const {
    return *reinterpret_cast<const std::uintptr_t*>(cfa(f) - sizeof(std::uintptr_t));
  }

  // The caller's frame. Reads the stack: only for a rule of frame.pc, in a frame that is really
  // there.
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

// The rule for return address `pc`, from the unwind table of its module; the frame itself is not
// looked at. False: none can be had (no module, no table, a signal frame, a CFA that is neither rsp
// nor rbp plus a constant). Async-signal-safe, reentrant, in some 600 bytes of stack.
bool learn_rule(std::uintptr_t pc, FrameRule& out) noexcept;

// The same where the module is known.
bool rule_from_table(const Module& module, std::uintptr_t pc, FrameRule& out) noexcept;

}  // namespace clockshim
