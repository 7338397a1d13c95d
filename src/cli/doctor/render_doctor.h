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
  std::optional<ProgramFacts> program;
  // All that could not be seen: of the machine, of the program, of the measurements.
  [[nodiscard]] std::vector<std::string> unseen() const;
  // Of the process: what the shim would save, in CPUs (1: one CPU, all of the time). None where the
  // calls were not counted.
  [[nodiscard]] std::optional<double> cpu_share_saved() const;
};

std::string render_doctor_text(const DoctorReport& report);
std::string render_doctor_json(const DoctorReport& report);

}  // namespace clockshim::cli
