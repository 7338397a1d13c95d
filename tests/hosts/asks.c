/* The plain host: asks some thousand times and exits with 7. With an argument it does something to
 * its descriptor 2 first: "reopen PATH" closes it and opens a file of its own there; "close" closes
 * it; "move PATH" has a file there by dup2. */
#include <fcntl.h>

#include "host.h"

int main(int argc, char** argv) {
  for (int i = 0; i < 5000; ++i) host_clock(CLOCK_MONOTONIC);
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "close") == 0) {
    close(2);
  } else if (strcmp(how, "reopen") == 0) {
    close(2);
    HOST_EXPECT(open(argv[2], O_CREAT | O_RDWR, 0600) == 2);
    HOST_EXPECT(write(2, "the host's\n", 11) == 11);
  } else if (strcmp(how, "move") == 0) {
    const int file = open(argv[2], O_CREAT | O_RDWR, 0600);
    HOST_EXPECT(file > 2 && dup2(file, 2) == 2 && close(file) == 0);
    HOST_EXPECT(write(2, "the host's\n", 11) == 11);
  }
  for (int i = 0; i < 5000; ++i) host_clock(CLOCK_MONOTONIC);
  dprintf(1, "asked\n");
  return 7;
}
