/* Linked with early_library: says whether its resolver and its constructor got the time, and what
 * the other functions returned, to the constructor and now. */
#include "host.h"

int64_t seen_by_resolver(void);
extern int64_t g_seen_by_constructor;
extern char g_said_by_constructor[];
void say_what_they_return(char* out);

int main(void) {
  int64_t now = 0;
  for (int i = 0; i < 10; ++i) now = host_clock(CLOCK_MONOTONIC);
  HOST_EXPECT(seen_by_resolver() > 0);
  HOST_EXPECT(g_seen_by_constructor >= seen_by_resolver());
  HOST_EXPECT(now >= g_seen_by_constructor);
  dprintf(1, "in order\n");
  char said[400];
  say_what_they_return(said);
  dprintf(1, "early:%s\nlater:%s\n", g_said_by_constructor, said);
  return 0;
}
