// Threads hand readings to each other through an atomic, a mutex or a pipe. Whoever has seen
// another's reading reads later: never less.
#include <mutex>
#include <thread>
#include <vector>

#include "exchange.h"

namespace {

class ByMutex {
 public:
  Word take() {
    mutex_.lock();
    return newest_;
  }
  void give(const Word& word) {
    newest_ = word;
    mutex_.unlock();
  }

 private:
  std::mutex mutex_;
  Word newest_{};
};

// One pipe for all, with as many words in it as there are threads: who comes always finds one, and
// hardly ever sleeps.
class ByPipe {
 public:
  explicit ByPipe(int words) {
    HOST_EXPECT(pipe(ends_) == 0);
    for (int i = 0; i < words; ++i) give({});
  }
  Word take() const {
    Word word;
    HOST_EXPECT(read(ends_[0], &word, sizeof word) == sizeof word);
    return word;
  }
  void give(const Word& word) const {
    HOST_EXPECT(write(ends_[1], &word, sizeof word) == sizeof word);
  }

 private:
  int ends_[2];
};

template <class Carrier>
void run(Carrier& carrier, int threads, clockid_t clock, long wanted) {
  Common common;
  common.start = host_clock(clock);
  std::vector<std::thread> all;
  for (int id = 1; id <= threads; ++id)
    all.emplace_back([&, id] { exchange(carrier, common, id, clock, wanted, [](long) {}); });
  for (auto& thread : all) thread.join();
  common.say();
}

void run_lines(int threads, clockid_t clock, long wanted) {
  ByLines lines;
  Common common;
  common.start = host_clock(clock);
  std::vector<std::thread> all;
  for (int id = 1; id <= threads; ++id) {
    all.emplace_back([&, id] {
      ByLines::View mine(lines, id, threads);
      exchange(mine, common, id, clock, wanted, [](long) {});
    });
  }
  for (auto& thread : all) thread.join();
  common.say();
}

}  // namespace

// atomic|lines|mutex|pipe THREADS CLOCK HANDOFFS
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 5);
  const int threads = atoi(argv[2]);
  const clockid_t clock = atoi(argv[3]);
  const long wanted = atol(argv[4]);
  HOST_EXPECT(threads > 1 && threads <= kMaxId);
  host_warm_up(clock);
  if (strcmp(argv[1], "atomic") == 0) {
    ByAtomic carrier;
    run(carrier, threads, clock, wanted);
  } else if (strcmp(argv[1], "lines") == 0) {
    run_lines(threads, clock, wanted);
  } else if (strcmp(argv[1], "mutex") == 0) {
    ByMutex carrier;
    run(carrier, threads, clock, wanted);
  } else {
    HOST_EXPECT(strcmp(argv[1], "pipe") == 0);
    ByPipe carrier(threads);
    run(carrier, threads, clock, wanted);
  }
  return 0;
}
