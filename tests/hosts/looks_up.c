/* Imports no function that reads a clock or finds one; the C library loads a module for it that
 * does, in it and in a forked child. With an argument it looks nobody up. */
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

int __nss_configure_lookup(const char* database, const char* service);

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1) return 0;
  __nss_configure_lookup("passwd", "asks");
  const pid_t child = fork();
  getpwnam("nobody");
  if (child == 0) return 0;
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}
