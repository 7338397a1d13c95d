// Where a program's wrappers of the clock are, and how their callers are found: for programs that
// call the vDSO from their own code, without a C library that is loaded beside them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clockshim {

// A stretch of code [begin, end), as addr2line counts addresses, and the rule that leads from a
// return address in it to the caller. CFA = (from_frame ? rbp : rsp) + cfa_offset; the return
// address stands below it; rbp was saved at CFA + saved_frame (0: it was not).
struct WrapperStretch {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::int32_t cfa_offset = 0;
  std::int16_t saved_frame = 0;
  bool from_frame = false;
  bool other_stack = false;  // the caller's frame may be on another stack
};

// Whether a wrapper may have such a rule: it leads up the stack, by a frame as small as a
// wrapper's. A damaged table may have others, and following them would be the program's end.
bool is_plausible(const WrapperStretch& rule);

// Code [begin, end), as addr2line counts addresses.
struct CodeRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] bool empty() const { return begin == end; }
};

struct WrapperFile {
  std::vector<std::uint8_t> build_id;  // empty: it has none
  std::uint64_t first_address = 0;     // of its first segment, rounded down to a page
  bool go = false;
  std::vector<WrapperStretch> wrappers;  // in order, and none overlaps another
  // What calls the vDSO on a goroutine's own stack, which may end 700 bytes below:
  // syscall.Gettimeofday(), and everything in a Go program of a layout that is not known.
  CodeRange on_little_stack;
  // Why it may have such code, and nothing tells where; "": it has not.
  std::string unclear;
};

// Reads an ELF file. Its wrappers are those that its symbol table names, with the rules of its
// .eh_frame, and Go's, which its runtime's own table names. A file that can't be read has nothing.
WrapperFile read_wrapper_file(const std::string& path);

}  // namespace clockshim
