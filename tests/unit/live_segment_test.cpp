// Why: ids of shared memory are used again, and mean something else in another IPC namespace. Who
// gives back a segment by its id alone may destroy somebody else's.
#include "live/segment.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/shm.h>
#include <unistd.h>

namespace clockshim::live {
namespace {

constexpr std::size_t kSize = 1 << 20;

bool is_there(int id) {
  shmid_ds info;
  return shmctl(id, IPC_STAT, &info) == 0;
}

// In a child, as it leaves its namespace for good: 0 if all was as it must be.
int gives_back_its_own_alone() {
  Segment own;
  int error = 0;
  if (unshare(CLONE_NEWIPC) != 0) return 77;
  if (make_segment(kSize, own_ipc_namespace(), nullptr, own, error) == nullptr) return 2;
  if (unshare(CLONE_NEWIPC) != 0) return 3;
  // The first of a namespace has the id that ours had in the other one.
  const int others = shmget(IPC_PRIVATE, kSize, IPC_CREAT | 0600);
  if (others != own.id) return 4;
  remove_attached(own);
  return is_there(others) ? 0 : 5;
}

TEST(LiveSegment, IsNotTakenForTheSameIdOfAnotherNamespace) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make an IPC namespace";
  EXPECT_EXIT(_exit(gives_back_its_own_alone()), testing::ExitedWithCode(0), "");
}

TEST(LiveSegment, IsGoneWithTheLastThatHasIt) {
  Segment own;
  int error = 0;
  void* const memory = make_segment(kSize, own_ipc_namespace(), nullptr, own, error);
  ASSERT_NE(memory, nullptr) << error;
  EXPECT_TRUE(own);
  remove_attached(own);
  EXPECT_TRUE(facts_of(own).there) << "as long as it is attached";
  detach_segment(memory);
  EXPECT_FALSE(facts_of(own).there);
}

}  // namespace
}  // namespace clockshim::live
