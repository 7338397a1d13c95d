// Advice in the report for people: what saves most, and where the rest is.
#include <fmt/format.h>

#include <algorithm>

#include "report/text_table.h"
#include "report/wrap.h"

namespace clockshim {

std::string text_advice(const Report& r, std::size_t width) {
  constexpr std::size_t kMost = 5;
  std::string out = r.advice.empty() ? "" : "\n";
  for (std::size_t i = 0; i < std::min(r.advice.size(), kMost); ++i)
    out += wrapped_behind("advice: ", one_line(r.advice[i].text), width);
  if (r.advice.size() > kMost)
    out += fmt::format("{} more in --format html and json\n", r.advice.size() - kMost);
  return out;
}

}  // namespace clockshim
