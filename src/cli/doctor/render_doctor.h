// What the doctor found, as text and as JSON (docs/doctor.schema.json).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/doctor/program_facts.h"
#include "cli/doctor/remedies.h"
#include "cli/doctor/verdict.h"

namespace clockshim::cli {

struct DoctorReport {
  Evidence seen;
  Diagnosis diagnosis;
  std::vector<Remedy> remedies;
  std::string remedies_page = "docs/slow-clocks.md";  // where the reader finds more about them
  std::optional<ProgramFacts> program;
  // Everything that could not be examined: of the machine, of the program, of the measurements.
  [[nodiscard]] std::vector<std::string> unseen() const;
  // What the shim saves for the process, or would save, in CPUs (1: one CPU, all of the time). None
  // if the calls were not counted.
  [[nodiscard]] std::optional<double> cpu_share_saved() const;
};

// The verdict, the gain, and what to do next come first. With `verbose`, all facts are at the end.
// Lines are wrapped to `width`; 0: they stay whole.
std::string render_doctor_text(const DoctorReport& report, bool verbose, std::size_t width);
std::string render_doctor_json(const DoctorReport& report);

}  // namespace clockshim::cli
