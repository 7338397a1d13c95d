// render_report FORMAT REPORT [threads|exact]: renders a recorded report (a path), or a built one
// ("hostile", "stacks", "empty", "small", "threaded", "watched", "python", "sampled"), for the
// parsers in parse_formats.py. "threads", "exact": as the options of that name.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "analysis/advice.h"
#include "analysis/read_json.h"
#include "formats/formats.h"
#include "reports.h"

int main(int argc, char** argv) {
  using namespace clockshim;
  const std::string how = argc == 4 ? argv[3] : "";
  if (argc != 3 && how != "threads" && how != "exact") return 2;
  const Format* const format = find_format(argv[1]);
  const std::string what = argv[2];
  Report report;
  if (what == "hostile" || what == "stacks") {
    report = test::hostile_report(what == "stacks");
  } else if (what == "small") {
    report = test::small_report();
  } else if (what == "threaded") {
    report = test::threaded_report();
  } else if (what == "watched") {
    report = test::watched_report();
  } else if (what == "python") {
    report = test::python_report();
  } else if (what == "sampled") {
    report = test::sampled_report();
  } else if (what != "empty") {
    std::ifstream file(what);
    std::string problem;
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (!read_json(text, report, problem)) {
      std::cerr << what << " " << problem << "\n";
      return 2;
    }
    report.advice = advise(report);
  }
  if (format == nullptr) return 2;
  const std::string out =
      format->render({report}, {.exact = how == "exact", .threads = how == "threads"});
  return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}
