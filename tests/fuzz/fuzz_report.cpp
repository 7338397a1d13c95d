// A JSON report that somebody else wrote: it may be refused or read, and what was read can be
// merged and rendered. libFuzzer's entry; scripts/fuzz builds and runs it.
#include <cstdint>
#include <string>
#include <string_view>

#include "analysis/merge.h"
#include "analysis/read_json.h"
#include "formats/formats.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace clockshim;
  Report report;
  std::string problem;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!read_json(text, report, problem)) return 0;
  for (const Format& format : formats()) format.render({report}, {});
  Report again;
  if (!read_json(render_json(report), again, problem)) __builtin_trap();  // what we write, we read
  merge({report, again});
  return 0;
}
