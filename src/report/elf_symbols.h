// Names for addresses, from the symbol tables of ELF files on disk: the module's own, and the
// separate debug file that a -dbgsym package installs (found by build-id). Files are read and not
// mapped, because truncating a mapped file would raise SIGBUS.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "os/deadline.h"

namespace clockshim {

struct WantedSymbol {
  std::uint64_t at;    // an offset in the module, as addr2line counts
  std::string name{};  // the function's name, demangled if `demangle` is set; "" if none is known
  std::uint64_t offset = 0;  // of `at` from the function's start
};

// Finds the functions at these offsets of the module, which must be ascending and unique. Reads
// each table once, in pieces, and keeps none of it. False: the deadline has passed, and the rest
// has no names.
bool find_symbols(const std::string& module_path, std::span<WantedSymbol> wanted, bool demangle,
                  const Deadline& deadline);

}  // namespace clockshim
