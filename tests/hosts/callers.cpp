// Two functions ask through std::chrono, which is where every call comes from unless the wrapper is
// seen through. Built with a frame pointer, without one, and without optimisation.
#include <chrono>

#include "host.h"

extern "C" HOST_NOINLINE void asks_3000_times(long& sink) {
  for (int i = 0; i < 3000; ++i)
    sink += std::chrono::steady_clock::now().time_since_epoch().count() & 1;
}

extern "C" HOST_NOINLINE void asks_7000_times(long& sink) {
  // A frame of another size than the other function's.
  volatile char room[777]{};
  for (int i = 0; i < 7000; ++i)
    sink += std::chrono::steady_clock::now().time_since_epoch().count() & 1;
  sink += room[0];
}

extern "C" HOST_NOINLINE void asks_the_day_500_times(long& sink) {
  for (int i = 0; i < 500; ++i)
    sink += std::chrono::system_clock::now().time_since_epoch().count() & 1;
}

extern "C" HOST_NOINLINE void asks_directly_200_times(long& sink) {
  for (int i = 0; i < 200; ++i) sink += host_clock(CLOCK_MONOTONIC) & 1;
}

int main() {
  long sink = 0;
  asks_3000_times(sink);
  asks_7000_times(sink);
  asks_the_day_500_times(sink);
  asks_directly_200_times(sink);
  host_say("calls", 10'700);
  return sink < 0;
}
