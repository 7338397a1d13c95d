#include "planted_counter.h"

#include <cstdlib>

clockshim::PlantedDrift clockshim_planted_drift;
std::int64_t clockshim_planted_offsets[clockshim::kPlantedCpus];

// Before the library's own constructor. Until then nothing is served.
__attribute__((constructor(101))) static void plant() {
  const char* text = getenv("TEST_PLANTED");
  for (unsigned cpu = 0; text != nullptr && cpu < clockshim::kPlantedCpus; ++cpu) {
    char* end = nullptr;
    clockshim_planted_offsets[cpu] = strtoll(text, &end, 10);
    text = *end == ',' ? end + 1 : nullptr;
  }
}
