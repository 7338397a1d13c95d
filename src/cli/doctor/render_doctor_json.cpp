#include <nlohmann/json.hpp>

#include "cli/doctor/render_doctor.h"

namespace clockshim::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

Json median(const Cost* cost) { return cost == nullptr ? Json(nullptr) : Json(cost->median); }
Json median(const std::optional<Cost>& cost) { return cost ? Json(cost->median) : Json(nullptr); }

Json machine_json(const Machine& m) {
  Json claims = Json::array();
  for (const FrequencyClaim& claim : m.processor.claims)
    claims.push_back({{"by", claim.by}, {"mhz", claim.mhz}, {"exact", claim.exact}});
  Json flags = Json::object();
  for (const CounterFlag& flag : kCounterFlags)
    flags[flag.name] = m.flags_known ? Json(has_flag(m, flag.name)) : Json(nullptr);
  return {{"kernel", m.kernel},
          {"cpu", m.cpu},
          {"hypervisor", hypervisor_name(m.hypervisor)},
          {"name", m.machine_name},
          {"clocksource", m.clocksource},
          {"available", m.available},
          {"parameters", m.parameters},
          {"flags", flags},
          {"invariant", m.processor.invariant},
          {"frequency_claims", claims},
          {"kernel_log", m.log},
          {"ntp", m.ntp},
          {"time_namespace", m.time_namespace},
          {"counter_forbidden", m.counter_forbidden},
          {"seccomp", m.seccomp}};
}

Json clocks_json(const Evidence& seen) {
  Json clocks = Json::object();
  for (const ClockCosts& clock : seen.measured.clocks) {
    if (!clock.there) continue;
    const Row* strict = seen.strict.row(clock.name);
    const Row* relaxed = seen.relaxed.row(clock.name);
    clocks[std::string(clock.name)] = {
        {"vdso", clock.served_by == ServedBy::unknown ? Json(nullptr)
                                                      : Json(clock.served_by == ServedBy::vdso)},
        {"bare_ns", median(&clock.bare)},
        {"syscall_ns", median(&clock.raw)},
        {"strict_ns", median(strict == nullptr ? nullptr : &strict->cost)},
        {"relaxed_ns", median(relaxed == nullptr ? nullptr : &relaxed->cost)}};
  }
  return clocks;
}

Json counter_json(const Measured& m) {
  return {{"rdtsc_ns", median(m.counter)},
          {"fenced_ns", median(m.fenced)},
          {"rdtscp_ns", median(m.with_cpu)},
          {"null_syscall_ns", m.null_syscall.median},
          {"mhz", m.frequency.mhz},
          {"mhz_error_ppm", m.frequency.error_ppm},
          {"pace_change_ppm", m.pace_change_ppm},
          {"pace_error_ppm", m.pace_error_ppm},
          {"vdso_proved", m.vdso_proved}};
}

Json warp_json(const Evidence& seen) {
  const WarpPair worst = seen.warp.worst();
  std::uint64_t handoffs = 0;
  std::uint64_t backward = 0;
  for (const WarpPair& pair : seen.warp.pairs) {
    handoffs += pair.handoffs;
    backward += pair.backward;
  }
  const double mhz = seen.measured.frequency.mhz;
  Json json{{"pairs", seen.warp.pairs.size()},
            {"untested", seen.warp.untested},
            {"handoffs", handoffs},
            {"backward", backward},
            {"greatest_ticks", worst.greatest},
            {"greatest_ns",
             mhz > 0 ? Json(static_cast<double>(worst.greatest) * 1e3 / mhz) : Json(nullptr)}};
  const bool agree = worst.backward == 0 && !seen.warp.pairs.empty();
  json["within_ticks"] = agree ? Json(seen.warp.within()) : Json(nullptr);
  json["cpus"] = worst.backward > 0 ? Json{worst.first, worst.second} : Json(nullptr);
  return json;
}

Json shim_json(const Evidence& seen) {
  const ShimTrial& s = seen.strict;
  return {{"tried", s.problem.empty()},
          {"problem", s.problem},
          {"mode", s.mode.empty() ? Json(nullptr) : Json(s.mode)},
          {"mode_reason", s.mode_reason},
          {"max_error_ns", s.error_ns < 0 ? Json(nullptr) : Json(s.error_ns)},
          {"saved_ns",
           {{"realtime", saved_ns(seen, "realtime")}, {"monotonic", saved_ns(seen, "monotonic")}}}};
}

// Ticks may be more than a double holds, but readers of JSON know that of 64 bits.
Json counters_json(const CounterEvidence& found) {
  Json offsets = Json::array();
  for (std::size_t i = 0; i < found.cpus.size(); ++i)
    offsets.push_back({{"cpu", found.cpus[i]}, {"ticks", found.offsets[i]}});
  return {
      {"verdict", name_of(found.found)},
      {"text", found.text},
      {"offsets", found.usable() ? offsets : Json(nullptr)},
      {"worst_offset_ticks", found.usable() ? Json(found.worst_offset()) : Json(nullptr)},
      {"margin_ticks", found.usable() ? Json(found.margin) : Json(nullptr)},
      {"within_ticks", found.usable() ? Json(found.within) : Json(nullptr)},
      {"drift_ppm", found.found == CountersFound::drifts ? Json(found.drift_ppm) : Json(nullptr)}};
}

Json saved_json(const SavedCounters& saved) {
  if (saved.path.empty()) return nullptr;
  Json json{{"path", saved.path},
            {"problem", saved.usable() ? Json(nullptr) : Json(saved.problem)}};
  if (!saved.usable()) return json;
  const CountersFile& file = saved.file;
  json["verdict"] = file.verdict == CountersVerdict::agree      ? "agree"
                    : file.verdict == CountersVerdict::constant ? "constant"
                                                                : "differ";
  json["cpus"] = file.cpus;
  json["worst_offset_ticks"] = worst_offset(file);
  json["margin_ticks"] = file.margin;
  json["within_ticks"] = file.within;
  json["age_seconds"] = static_cast<double>(age_of(file).raw()) / kNanosPerSecond;
  json["constant_for_seconds"] =
      static_cast<double>(file.confirmed - file.compared) / kNanosPerSecond;
  json["writer"] = file.writer;
  return json;
}

Json program_json(const DoctorReport& report) {
  const ProgramFacts& p = *report.program;
  const auto share = report.cpu_share_saved();
  return {{"target", p.target},
          {"path", p.path},
          {"pid", p.pid ? Json(*p.pid) : Json(nullptr)},
          {"takes", p.takes()},
          {"by_image", p.by_image},
          {"loaded", p.loaded},
          {"obstacles", p.obstacles},
          {"notes", p.notes},
          {"calls_per_second", p.calls_a_second ? Json(*p.calls_a_second) : Json(nullptr)},
          {"calls_counted_by", !p.calls_a_second ? Json(nullptr)
                               : p.saved_share   ? Json("live file")
                                                 : Json("kernel")},
          {"cpu_share_saved", share ? Json(*share) : Json(nullptr)}};
}

}  // namespace

std::string render_doctor_json(const DoctorReport& report) {
  Json findings = Json::array();
  for (const Finding& f : report.diagnosis.findings)
    findings.push_back({{"kind", verdict_name(f.kind)}, {"text", f.text}});
  Json remedies = Json::array();
  for (const Remedy& r : report.remedies)
    remedies.push_back({{"what", r.what}, {"how", r.how}, {"risk", r.risk}});
  const Json json{{"schema_version", kSchemaVersion},
                  {"version", CLOCKSHIM_VERSION},
                  {"verdict", verdict_name(report.diagnosis.verdict)},
                  {"line", report.diagnosis.line},
                  {"findings", findings},
                  {"machine", machine_json(report.seen.machine)},
                  {"clocks", clocks_json(report.seen)},
                  {"counter", counter_json(report.seen.measured)},
                  {"warp", warp_json(report.seen)},
                  {"counters", counters_json(report.seen.counters)},
                  {"saved_counters", saved_json(report.seen.saved)},
                  {"shim", shim_json(report.seen)},
                  {"program", report.program ? program_json(report) : Json(nullptr)},
                  {"remedies", remedies},
                  {"unseen", report.unseen()}};
  // Text that is not UTF-8 (a strange path) must not prevent the report.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace clockshim::cli
