// The sections of a live file. Their bounds are checked once, for whole sections. Whatever is read
// through this may still be nonsense, or be changing at this moment. So check each index and length
// before using it, and read each word once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "live/layout.h"
#include "report/text.h"

namespace clockshim {

// Returns the header of a live file whose sections lie within `bytes`; else null, with the reason
// ("is no live file", "is of layout version 2; this command reads 1", "is cut short"). The content
// of the fields is not checked. `bytes` must be aligned like a mapping (4096).
const live::Header* live_header(std::span<const std::byte> bytes, std::string& problem);

// The records of one section. Construct it only after live_header() has accepted the file.
template <class Record>
class LiveRecords {
 public:
  LiveRecords(std::span<const std::byte> bytes, const live::Header& header, live::SectionId id)
      : header_(header),
        section_(header.sections[static_cast<unsigned>(id)]),
        first_(bytes.data() + section_.at) {}
  [[nodiscard]] std::uint32_t count() const { return section_.count; }
  const Record& operator[](std::size_t i) const {
    return *reinterpret_cast<const Record*>(first_ + i * section_.size);
  }

  // Whether a thread has begun to write record i, at `offset` in it. Check this before reading from
  // a segment, because reading a page that was never written to would allocate it.
  [[nodiscard]] bool begun(std::size_t i, std::size_t offset = 0) const {
    if (header_.token == 0) return true;
    const std::size_t page = (section_.at + i * section_.size + offset) / live::kPage;
    return page / 64 >= live::kPagesInWords ||
           (header_.pages[page / 64].load(std::memory_order_relaxed) >> page % 64 & 1U) != 0;
  }

 private:
  const live::Header& header_;
  live::Section section_;
  const std::byte* first_;
};

template <std::size_t N>
std::string live_text(const char (&field)[N]) {
  return printable(std::string_view(field, strnlen(field, N)));
}

}  // namespace clockshim
