/* Stamps that somebody else has made, held against what this process reads. "processes N": two
 * processes on two CPUs hand their readings to each other through shared memory, N times each:
 * readings that are before the other's, which was read earlier. "packets N": the kernel's stamps of
 * packets that are before the reading that was made before they were sent. */
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "host.h"

struct Shared {
  long turn;
  int64_t stamp;
};

static long g_before;
static int64_t g_worst;

static void hold(int64_t earlier, int64_t later) {
  if (later >= earlier) return;
  ++g_before;
  if (earlier - later > g_worst) g_worst = earlier - later;
}

static void take_turns(struct Shared* shared, long me, long times, const cpu_set_t* cpus) {
  cpu_set_t one;
  CPU_ZERO(&one);
  long nth = me;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, cpus) && nth-- == 0) CPU_SET(cpu, &one);
  }
  HOST_EXPECT(CPU_COUNT(&one) == 1 && sched_setaffinity(0, sizeof one, &one) == 0);
  host_warm_up(CLOCK_MONOTONIC);
  for (long turn = me; turn < 2 * times; turn += 2) {
    for (long spins = 1; __atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE) != turn; ++spins) {
      if (spins % 10000 == 0) sched_yield();
    }
    const int64_t others = shared->stamp;
    const int64_t now = host_clock(CLOCK_MONOTONIC);
    hold(others, now);
    shared->stamp = now;
    __atomic_store_n(&shared->turn, turn + 1, __ATOMIC_RELEASE);
  }
}

static void processes(long times) {
  cpu_set_t cpus;
  HOST_EXPECT(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
  if (CPU_COUNT(&cpus) < 2) {
    host_say("forbidden", 1);
    return;
  }
  struct Shared* const shared = (struct Shared*)mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  HOST_EXPECT(shared != MAP_FAILED);
  const pid_t child = fork();
  HOST_EXPECT(child >= 0);
  take_turns(shared, child == 0, times, &cpus);
  host_say("before", g_before);
  host_say("worst", g_worst);
  if (child == 0) exit(0);
  int status = 0;
  HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

static int64_t stamp_of_packet(int fd) {
  char data;
  char control[256];
  struct iovec vector = {&data, 1};
  struct msghdr message = {.msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
  HOST_EXPECT(recvmsg(fd, &message, 0) == 1);
  const struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  HOST_EXPECT(header != NULL && header->cmsg_type == SCM_TIMESTAMPNS);
  struct timespec stamp;
  memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
  return host_ns(&stamp);
}

static void packets(long times) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof self;
  const int on = 1;
  if (fd < 0 || bind(fd, (struct sockaddr*)&self, size) != 0) { /* no network here */
    host_say("forbidden", 1);
    return;
  }
  HOST_EXPECT(getsockname(fd, (struct sockaddr*)&self, &size) == 0 &&
              connect(fd, (struct sockaddr*)&self, size) == 0 &&
              setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0);
  host_warm_up(CLOCK_REALTIME);
  for (long i = 0; i < times; ++i) {
    const int64_t before = host_clock(CLOCK_REALTIME);
    HOST_EXPECT(send(fd, "", 1, 0) == 1);
    hold(before, stamp_of_packet(fd));
  }
  host_say("before", g_before);
  host_say("worst", g_worst);
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 3);
  (strcmp(argv[1], "processes") == 0 ? processes : packets)(atol(argv[2]));
  return 0;
}
