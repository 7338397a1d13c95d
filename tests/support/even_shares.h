// Whether samples are spread evenly over callers that called equally often: the chi-square
// statistic, and a bound that is generous. It is passed by chance less than once in 10^8 times.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace clockshim::test {

inline double chi_square(const std::vector<double>& samples) {
  double sum = 0;
  for (const double n : samples) sum += n;
  const double expected = sum / static_cast<double>(samples.size());
  double out = 0;
  for (const double n : samples) out += (n - expected) * (n - expected) / expected;
  return out;
}

inline double chi_square_bound(std::size_t callers) {
  const double degrees = static_cast<double>(callers) - 1;
  return degrees + 8 * std::sqrt(2 * degrees) + 24;
}

}  // namespace clockshim::test
