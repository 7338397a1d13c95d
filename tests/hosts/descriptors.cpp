// A daemon's start: closes every descriptor above 2, then opens files and socket pairs of its own,
// which get the numbers that whatever it closed had. Thousands of first-sight call sites later,
// they must carry the host's bytes and no others.
#include <fcntl.h>
#include <sys/socket.h>

#include "sites.h"

namespace {

constexpr int kPairs = 16;
constexpr std::size_t kSites = 3000;

}  // namespace

int main() {
  closefrom(3);
  int files[4];
  for (int& file : files) {
    char name[] = "/tmp/clockshim-descriptors-XXXXXX";
    file = mkstemp(name);
    HOST_EXPECT(file >= 0 && unlink(name) == 0);
  }
  int pairs[kPairs][2];
  for (auto& pair : pairs)
    HOST_EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
  int pipe_ends[2];
  HOST_EXPECT(pipe2(pipe_ends, O_NONBLOCK) == 0);

  long stray = 0;
  long lost = 0;
  char byte;
  for (std::size_t i = 0; i < kSites; ++i) {
    auto& pair = pairs[i % kPairs];
    const char mark = static_cast<char>(i);
    HOST_EXPECT(send(pair[0], &mark, 1, 0) == 1);
    kSitesOf<static_cast<int>(kSites)>[i]();
    if (recv(pair[1], &byte, 1, 0) != 1 || byte != mark) ++lost;
    for (const auto& each : pairs) {
      for (const int end : each) stray += recv(end, &byte, 1, 0) == 1;
    }
    stray += read(pipe_ends[0], &byte, 1) == 1;
  }
  for (const int file : files) stray += lseek(file, 0, SEEK_END);
  host_say("stray", stray);
  host_say("lost", lost);
  host_say("asked", static_cast<long>(kSites));
  return 0;
}
