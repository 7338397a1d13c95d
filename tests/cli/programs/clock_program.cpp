// Asks for the time once, so that it has a report if it is shimmed. Arguments: "child": first runs
// itself as a child, without arguments, and waits; "leave": leaves such a child behind, which ends
// when a byte comes on standard input; "often": asks a thousand times.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

int main(int argc, char** argv) {
  timespec now;
  const char* const what = argc > 1 ? argv[1] : "";
  if (std::strcmp(what, "often") == 0) {
    for (int i = 1; i < 1000; ++i) clock_gettime(CLOCK_REALTIME, &now);
  } else if (*what != '\0') {
    const pid_t child = fork();
    if (child == 0) {
      char byte;
      if (std::strcmp(what, "leave") == 0 && read(STDIN_FILENO, &byte, 1) < 0) return 1;
      execl("/proc/self/exe", argv[0], nullptr);
      return 1;
    }
    if (std::strcmp(what, "child") == 0) waitpid(child, nullptr, 0);
  }
  return clock_gettime(CLOCK_REALTIME, &now);
}
