// Names for addresses, from the symbol tables of ELF files on disk: the module's own, and the
// separate debug file that a -dbgsym package installs (found by build-id). Files are read, not
// mapped: who cuts one short meanwhile would raise SIGBUS.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "os/deadline.h"

namespace clockshim {

struct WantedSymbol {
  std::uint64_t at;  // an offset in the module, as addr2line counts
  std::string
      name{};  // of the function there; demangled, where `demangle` is set; "" where none is known
  std::uint64_t offset = 0;  // of `at`, behind the function's start
};

// The functions at these offsets of the module, which come in ascending order, each once. Reads
// each table once, in pieces, and keeps none of it. What the deadline leaves no time for stays
// without a name: false.
bool find_symbols(const std::string& module_path, std::span<WantedSymbol> wanted, bool demangle,
                  const Deadline& deadline);

}  // namespace clockshim
