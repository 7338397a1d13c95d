// A program that no loader prepares: built -static and -static-pie.
#include <cstdio>
#include <cstdlib>

int main() {
  std::printf("ran, LD_PRELOAD is %s\n", std::getenv("LD_PRELOAD") != nullptr ? "set" : "unset");
  return 5;
}
