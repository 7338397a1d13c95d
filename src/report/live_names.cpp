#include "report/live_names.h"

#include <atomic>

namespace clockshim {

ReportFrame LiveNames::frame(std::uint64_t number) const {
  ReportFrame frame;
  if (number >= records_.count() ||
      records_[number].state.load(std::memory_order_acquire) != live::kValid)
    return frame;
  const live::Name& name = records_[number].name;
  frame.symbol = live_text(name.symbol);
  frame.file = live_text(name.file);
  frame.line = name.line;
  return frame;
}

void LiveNames::add_notes(const std::string& executable, std::vector<std::string>& notes) const {
  for (std::uint32_t i = 0; i < records_.count(); ++i) {
    if (!records_.begun(i)) continue;
    const live::NameRecord& record = records_[i];
    if (record.state.load(std::memory_order_acquire) != live::kValid ||
        record.name.kind == live::NameKind::python)
      continue;
    const std::string version = live_text(record.name.symbol);
    const std::string python =
        "Python " + (version.empty() ? "before 3.11" : version) + " (" +
        (record.name.file[0] != '\0' ? live_text(record.name.file) : executable) + ")";
    const auto note = [&](const char* before, const char* after) {
      notes.push_back(before + python + after +
                      ": calls that come through it are counted under C functions");
    };
    switch (record.name.kind) {
      case live::NameKind::unread_version:
        note("the frames of ", " are not known to this clockshim");
        break;
      case live::NameKind::unread_build:
        note("", " is not built as usual, so its frames are not read");
        break;
      case live::NameKind::unread_second: note("", " is the second Python of this process"); break;
      default: break;  // a kind of a later version
    }
  }
}

}  // namespace clockshim
