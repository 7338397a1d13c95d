// A live file that somebody else wrote: it may be refused or read, and what was read can be
// rendered. libFuzzer's entry; scripts/fuzz builds and runs it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "formats/formats.h"
#include "live/region.h"
#include "report/read_live.h"

namespace {

using namespace clockshim;

// Aligned as a mapping is. Exactly as much as there is: the sanitizer sees whoever reads on.
using Bytes = std::unique_ptr<std::uint8_t, void (*)(void*)>;
Bytes zeros(std::size_t size) {
  Bytes out(static_cast<std::uint8_t*>(std::aligned_alloc(live::kPage, size)), std::free);
  std::memset(out.get(), 0, size);
  return out;
}

void read_and_render(const Bytes& bytes, std::size_t size) {
  Report report;
  std::string problem;
  if (!read_live(std::as_bytes(std::span(bytes.get(), size)), report, problem)) return;
  render_text(report);
  render_json(report);
  for (const Format& format : formats()) format.render({report}, {});
}

// The input as it is.
void whole(const std::uint8_t* data, std::size_t size) {
  const std::size_t room = (size + live::kPage - 1) / live::kPage * live::kPage;
  if (room == 0) return;
  const Bytes bytes = zeros(room);
  std::memcpy(bytes.get(), data, size);
  read_and_render(bytes, room);
}

// A file that is right, with patches: offset (3 bytes), length (1), content.
void patched(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = zeros(sizeof(live::Region));
  live::begin_region(*reinterpret_cast<live::Region*>(bytes.get()), live::Header{},
                     sizeof(live::Region));
  while (size > 4) {
    std::uint32_t at = 0;
    std::memcpy(&at, data, 3);
    const std::size_t length = std::min<std::size_t>(data[3], size - 4);
    at %= sizeof(live::Region);
    std::memcpy(bytes.get() + at, data + 4, std::min(length, sizeof(live::Region) - at));
    data += 4 + length;
    size -= 4 + length;
  }
  read_and_render(bytes, sizeof(live::Region));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  (data[0] % 2 == 0 ? whole : patched)(data + 1, size - 1);
  return 0;
}
