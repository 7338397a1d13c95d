// CLOCK_REALTIME by every function and argument that there is, mixed: some are answered in one
// place of the shim, some in another, and time must not go back from one to the next, neither
// within a thread nor from one to another.
#include <atomic>
#include <thread>
#include <vector>

#include "host.h"

namespace {

#ifdef HOST_MUSL
constexpr bool kTellsZone = false;
#else
constexpr bool kTellsZone = true;
#endif

int64_t by_gettimeofday(void* zone) {
  timeval t;
  HOST_EXPECT(gettimeofday(&t, static_cast<struct timezone*>(zone)) == 0);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_usec * 1000;
}

int64_t plain() { return by_gettimeofday(nullptr); }
int64_t with_zone() {
  struct timezone zone = {-1, -1};
  const int64_t now = by_gettimeofday(&zone);
  HOST_EXPECT((zone.tz_minuteswest != -1 && zone.tz_dsttime != -1) == kTellsZone);
  return now;
}
int64_t exact() { return host_clock(CLOCK_REALTIME); }
int64_t standard() {
  timespec t;
  HOST_EXPECT(timespec_get(&t, TIME_UTC) == TIME_UTC);
  return host_ns(&t);
}
// Answers nothing, and must not disturb those that do.
int64_t zone_alone() {
  struct timezone zone = {-1, -1};
  timeval* volatile no_time = nullptr;
  HOST_EXPECT(gettimeofday(no_time, &zone) == 0 && (zone.tz_minuteswest != -1) == kTellsZone);
  return exact();
}

struct Way {
  int64_t (*read)();
  int64_t unit;  // below which it does not tell
};
constexpr Way kWays[] = {
    {plain, 1000}, {with_zone, 1000}, {exact, 1}, {standard, 1}, {zone_alone, 1}};

std::atomic<int64_t> g_newest;
std::atomic<long> g_backward;
std::atomic<long> g_handed_over;
std::atomic<int64_t> g_worst;

void live(unsigned seed, long readings) {
  int64_t own = 0;
  long backward = 0;
  int64_t worst = 0;
  long handed_over = 0;
  for (long i = 0; i < readings; ++i) {
    seed = seed * 1103515245 + 12345;
    const Way& way = kWays[seed / 65536 % 5];
    const int64_t others = g_newest.load(std::memory_order_acquire);
    const int64_t least = others > own ? others : own;
    handed_over += others > own;
    const int64_t now = way.read();
    const int64_t back = least / way.unit * way.unit - now;
    if (back > 0) ++backward;
    if (back > worst) worst = back;
    own = now > own ? now : own;
    g_newest.store(now, std::memory_order_release);
  }
  g_backward += backward;
  g_handed_over += handed_over;
  for (int64_t seen = g_worst; worst > seen && !g_worst.compare_exchange_weak(seen, worst);) {
  }
}

}  // namespace

// THREADS READINGS
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 3);
  const long readings = atol(argv[2]);
  std::vector<std::thread> threads;
  for (int n = 1; n < atoi(argv[1]); ++n)
    threads.emplace_back(live, static_cast<unsigned>(n), readings);
  live(0, readings);
  for (std::thread& thread : threads) thread.join();
  host_say("handoffs", g_handed_over);
  host_say("readings", readings * atoi(argv[1]));
  host_say("backward", g_backward);
  host_say("worst", g_worst);
  return 0;
}
